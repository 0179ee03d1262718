// What the control thread serves beside its own work: a descriptor that says when, and a call that does what
// can be done without waiting.
#pragma once

#include <stdexcept>

#include "sluice/base/time.h"

namespace sluice::admin {

// A socket could not be had; what() says why and what to do.
class SocketError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class Service {
  public:
    Service() = default;
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    virtual ~Service() = default;

    // Readable when serve() has something to do (an epoll descriptor; may itself be polled).
    virtual int fd() const = 0;
    // Never blocks. To be called when fd() is readable, and every few seconds.
    virtual void serve(Instant now) = 0;
};

}  // namespace sluice::admin
