// A few pages over HTTP/1.1 (RFC 9110, 9112), on a socket of the kernel's network: GET and HEAD, connections
// that stay open, requests one after another. Never blocks its thread, and its memory is bounded: requests
// have at most kMaxRequest bytes, no body, and a client that for kStallLimit neither reads its reply nor
// sends a whole request is cut off. The kMaxClients + 1st takes the place of the one that has kept
// the server waiting longest: of those that ask for nothing, else of those with a reply to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/admin/listeners.h"
#include "sluice/admin/service.h"
#include "sluice/base/time.h"

namespace sluice::admin {

class StreamServer;

class HttpServer final : public Service {
  public:
    static constexpr std::size_t kMaxRequest = 8192;  // bytes of its head
    static constexpr std::size_t kMaxClients = 64;
    static constexpr Duration kStallLimit = 30s;

    struct Page {
        std::string type;  // Content-Type
        std::string text;
    };
    // path: as in the request, without its query. nullopt: there is no such page.
    using Handler = std::function<std::optional<Page>(std::string_view path)>;

    // listener: borrowed. Throws SocketError.
    HttpServer(const TcpListener& listener, Handler handler);
    // Closes all clients.
    ~HttpServer() override;

    int fd() const override;
    void serve(Instant now) override;
    std::size_t clients() const;
    // Clients that were cut off, because there were kMaxClients and another came.
    std::uint64_t displaced() const;

  private:
    std::unique_ptr<StreamServer> stream_;
};

}  // namespace sluice::admin
