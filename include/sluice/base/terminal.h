// Text from clients goes to terminals, which obey some signs instead of showing them.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// Whether this one sign, a whole sequence of UTF-8, moves, colors or turns around what a terminal shows: the
// controls C0, DEL and C1, line and paragraph separators, and those that set the direction of text.
bool steers_terminal(std::string_view sign);

// JSON that says the same and has \uNNNN for all of these. json: valid UTF-8; what stands between its strings
// stays as it is.
std::string escape_terminal(std::string_view json);

}  // namespace sluice
