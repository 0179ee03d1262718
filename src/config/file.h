// Files that the configuration is made of: itself, and the secrets that it names.
#pragma once

#include <cstddef>
#include <string>

namespace sluice::config {

// Puts what the file at `path` holds into `out`, or says why not, as the end of a sentence that begins with
// the path; then `out` is left alone. Empty: it was read. Never waits, and never takes more than `limit`
// bytes: what is not a regular file, which might never end or never begin, is not even opened. A file that
// somebody is writing meanwhile may be half of what it will be, and is refused.
std::string read_file(const std::string& path, std::size_t limit, std::string& out);

}  // namespace sluice::config
