// The listening sockets of a transport: what comes is accepted, unless they are at rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/base/address.h"

namespace sluice::load {

class SocketListeners {
  public:
    SocketListeners() = default;
    ~SocketListeners();
    SocketListeners(const SocketListeners&) = delete;
    SocketListeners& operator=(const SocketListeners&) = delete;

    // Arrivals at the i-th address are reported by `epoll`, which is the caller's, with the tag
    // first_tag + i. False, with a sentence for the operator in `error`, when that fails; then it has to go.
    bool open(const std::vector<SocketAddress>& addresses, int epoll, std::uint64_t first_tag,
              std::string& error);

    // With the ports that the kernel chose.
    const std::vector<SocketAddress>& addresses() const { return addresses_; }

    enum class Outcome : std::uint8_t {
        Accepted,
        Lost,      // it has gone again, or was not let in
        Nobody,    // nobody waits
        Shortage,  // no file or memory is left
    };
    struct Acceptance {
        Outcome outcome = Outcome::Nobody;
        int socket = -1;  // of Accepted: non-blocking, the caller's from now on
        SocketAddress remote;
    };
    Acceptance accept(std::size_t index);

    // Who comes meanwhile waits in the kernel, and is not reported.
    void pause() { watch(false); }
    void resume() { watch(true); }
    bool paused() const { return paused_; }

  private:
    void watch(bool on);

    int epoll_ = -1;
    std::uint64_t first_tag_ = 0;
    std::vector<int> sockets_;
    std::vector<SocketAddress> addresses_;
    bool paused_ = false;
};

}  // namespace sluice::load
