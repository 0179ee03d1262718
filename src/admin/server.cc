#include "sluice/admin/server.h"

#include <optional>
#include <system_error>
#include <utility>

#include "stream_server.h"

namespace sluice::admin {
namespace {

// A command a line, a reply a line.
class Lines final : public Dialogue {
  public:
    explicit Lines(Server::Handler handler) : handler_(std::move(handler)) {}

    std::optional<Reply> next(std::string& input) override {
        constexpr std::string_view kTooLong = "{\"error\":\"the line is longer than 4096 bytes\"}\n";
        static_assert(Server::kMaxLine == 4096, "the text above names it");
        while (true) {
            const std::size_t end = input.find('\n');
            if (end == std::string::npos) {
                if (input.size() <= Server::kMaxLine && !skipping_) return std::nullopt;
                input.clear();
                if (std::exchange(skipping_, true)) return std::nullopt;
                return Reply{std::string(kTooLong)};
            }
            const std::string line = input.substr(0, end);
            input.erase(0, end + 1);
            if (std::exchange(skipping_, false)) continue;  // the tail of a line already refused
            if (line.size() > Server::kMaxLine) return Reply{std::string(kTooLong)};
            return Reply{handler_(line) + '\n'};
        }
    }

  private:
    Server::Handler handler_;
    bool skipping_ = false;  // the rest of a line that was too long is passed over
};

}  // namespace

Server::Server(const UnixListener& listener, Handler handler) try
    : stream_(std::make_unique<StreamServer>(listener.fd(),
                                             StreamOptions{.max_clients = kMaxClients,
                                                           .stall_limit = kStallLimit,
                                                           .dialogue = [handler = std::move(handler)] {
                                                               return std::make_unique<Lines>(handler);
                                                           }})) {
} catch (const std::system_error& error) {
    throw SocketError("admin socket '" + listener.path() + "': " + error.what());
}

Server::~Server() = default;

int Server::fd() const { return stream_->fd(); }
void Server::serve(Instant now) { stream_->serve(now); }
std::size_t Server::clients() const { return stream_->clients(); }
std::uint64_t Server::displaced() const { return stream_->displaced(); }

}  // namespace sluice::admin
