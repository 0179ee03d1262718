// The answer to a command, before it becomes a line.
#pragma once

#include <string_view>

#include "json.h"

namespace sluice::admin {

// What answer() of commands.h writes. Texts from clients are as they came.
Json reply_to(View& view, std::string_view line);

}  // namespace sluice::admin
