// The daemon cannot start; what() is one line that says why and what to do.
#pragma once

#include <stdexcept>

namespace sluice::daemon {

class StartFault : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace sluice::daemon
