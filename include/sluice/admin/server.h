// The admin socket: a unix stream socket that takes lines and gives lines. It never blocks its thread and its
// memory is bounded: a client whose reply has not been read is not listened to, and one that reads nothing
// for kStallLimit is cut off. The kMaxClients + 1st takes the place of the one that has kept the server
// waiting longest: of those that ask for nothing, else of those with a reply to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/admin/listeners.h"
#include "sluice/admin/service.h"
#include "sluice/base/time.h"

namespace sluice::admin {

class StreamServer;

class Server final : public Service {
  public:
    static constexpr std::size_t kMaxLine = 4096;  // bytes, newline excluded
    static constexpr std::size_t kMaxClients = 64;
    static constexpr Duration kStallLimit = 30s;

    // Takes a line without its newline, returns the reply without one.
    using Handler = std::function<std::string(std::string_view line)>;

    // listener: borrowed. Throws SocketError.
    Server(const UnixListener& listener, Handler handler);
    // Closes all clients.
    ~Server() override;

    int fd() const override;
    void serve(Instant now) override;
    std::size_t clients() const;
    // Clients that were cut off, because there were kMaxClients and another came.
    std::uint64_t displaced() const;

  private:
    std::unique_ptr<StreamServer> stream_;
};

}  // namespace sluice::admin
