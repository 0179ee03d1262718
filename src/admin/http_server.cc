#include "sluice/admin/http_server.h"

#include <system_error>
#include <utility>

#include "http_request.h"
#include "stream_server.h"

namespace sluice::admin {
namespace {

const char* reason_phrase(int status) {
    switch (status) {
        case 200: return "OK";
        case 400: return "Bad Request";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 431: return "Request Header Fields Too Large";
        case 505: return "HTTP Version Not Supported";
        default: return "?";
    }
}

std::string response(int status, const HttpServer::Page& page, bool keep_alive, bool head) {
    std::string text = "HTTP/1.1 " + std::to_string(status) + " " + reason_phrase(status) + "\r\n";
    text += "Content-Type: " + page.type + "\r\n";
    text += "Content-Length: " + std::to_string(page.text.size()) + "\r\n";
    if (status == 405) text += "Allow: GET, HEAD\r\n";
    if (!keep_alive) text += "Connection: close\r\n";
    text += "\r\n";
    if (!head) text += page.text;
    return text;
}

// A fault is told in a line, and the connection ends: where the next request begins is not certain.
Reply refusal(int status, bool head = false) {
    const HttpServer::Page page{.type = "text/plain; charset=utf-8",
                                .text = std::to_string(status) + " " + reason_phrase(status) + "\n"};
    return {.text = response(status, page, false, head), .last = true};
}

class Requests final : public Dialogue {
  public:
    explicit Requests(HttpServer::Handler handler) : handler_(std::move(handler)) {}

    std::optional<Reply> next(std::string& input) override {
        const auto size = http_head_size(input);
        if (!size && input.size() <= HttpServer::kMaxRequest) return std::nullopt;
        if (!size || *size > HttpServer::kMaxRequest) return refusal(431);
        const HttpRequest request = read_http_request(std::string_view(input).substr(0, *size));
        input.erase(0, *size);
        if (request.fault != 0) return refusal(request.fault, request.head);
        auto page = handler_(request.path);
        const int status = page ? 200 : 404;
        if (!page) page = {.type = "text/plain; charset=utf-8", .text = "404 Not Found\n"};
        return Reply{.text = response(status, *page, request.keep_alive, request.head),
                     .last = !request.keep_alive};
    }

  private:
    HttpServer::Handler handler_;
};

}  // namespace

HttpServer::HttpServer(const TcpListener& listener, Handler handler) try
    : stream_(std::make_unique<StreamServer>(listener.fd(),
                                             StreamOptions{.max_clients = kMaxClients,
                                                           .stall_limit = kStallLimit,
                                                           .silence_is_stall = true,
                                                           .dialogue = [handler = std::move(handler)] {
                                                               return std::make_unique<Requests>(handler);
                                                           }})) {
} catch (const std::system_error& error) {
    throw SocketError("metrics at " + listener.address().to_string() + ": " + error.what());
}

HttpServer::~HttpServer() = default;

int HttpServer::fd() const { return stream_->fd(); }
void HttpServer::serve(Instant now) { stream_->serve(now); }
std::size_t HttpServer::clients() const { return stream_->clients(); }
std::uint64_t HttpServer::displaced() const { return stream_->displaced(); }

}  // namespace sluice::admin
