// The operator's commands: one line in, one line of JSON out.
#pragma once

#include <string>
#include <string_view>

#include "sluice/admin/view.h"

namespace sluice::admin {

// line: without its newline. The reply is one JSON object without a newline; what was not understood or could
// not be answered is {"error": "..."}. Text from clients is made valid UTF-8. Throws nothing.
std::string answer(View& view, std::string_view line);

inline constexpr std::size_t kMaxConnectionLimit = 100'000;

}  // namespace sluice::admin
