// One question to the daemon's admin socket.
#pragma once

#include <stdexcept>
#include <string>

#include "sluice/base/time.h"

namespace sluice::ctl {

// No answer could be had; what() is one line that says why and what to do.
class NoAnswer : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Sends `line` (without newline) to the socket at `path` and returns the line that comes back, without its
// newline. limit: how long the daemon may stay silent. Throws NoAnswer.
std::string ask(const std::string& path, const std::string& line, Duration limit = 30s);

}  // namespace sluice::ctl
