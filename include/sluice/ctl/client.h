// Questions to the daemon's admin socket.
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

// A connection to the daemon. After NoAnswer it is of no more use: an answer might still come.
class Conversation {
  public:
    // limit: how long the daemon may stay silent. Throws NoAnswer.
    explicit Conversation(const std::string& path, Duration limit = 30s);
    ~Conversation();
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;

    // Sends `line` (without newline) and returns the line that comes back, without its newline. Throws
    // NoAnswer.
    std::string ask(const std::string& line);

  private:
    int fd_;
};

}  // namespace sluice::ctl
