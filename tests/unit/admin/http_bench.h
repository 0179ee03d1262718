// An HttpServer in the hands of its test, and a client of it over the loopback.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/admin/http_server.h"

namespace sluice::admin {

inline constexpr Instant kStart{1h};
inline const std::string kGet = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

inline bool wait_for(int fd, short events, int milliseconds) {
    ::pollfd p{.fd = fd, .events = events, .revents = 0};
    return ::poll(&p, 1, milliseconds) == 1;
}

struct HttpBench {
    std::string text = "a 1\n";
    std::vector<std::string> asked;
    Instant now = kStart;
    TcpListener listener{{*IpAddress::parse("127.0.0.1"), 0}};
    HttpServer server{listener, [this](std::string_view path) -> std::optional<HttpServer::Page> {
                          asked.emplace_back(path);
                          if (path != "/metrics") return std::nullopt;
                          return HttpServer::Page{.type = "text/plain; version=0.0.4", .text = text};
                      }};

    bool ready(int milliseconds) const { return wait_for(server.fd(), POLLIN, milliseconds); }
    // Until there is nothing to do.
    void serve() {
        for (int i = 0; i < 10'000 && ready(0); ++i) server.serve(now);
    }
};

class HttpPeer {
  public:
    explicit HttpPeer(HttpBench& bench) : bench_(bench), fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        ::sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(bench.listener.address().port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(fd_, reinterpret_cast<const ::sockaddr*>(&to), sizeof to), 0);
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        EXPECT_TRUE(bench_.ready(1000));
        bench_.serve();
    }
    ~HttpPeer() { ::close(fd_); }
    HttpPeer(const HttpPeer&) = delete;
    HttpPeer& operator=(const HttpPeer&) = delete;

    // Returns when the server has seen it, unless it does not listen to this client.
    void send(std::string_view text, int patience = 1000) {
        EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<::ssize_t>(text.size()));
        if (bench_.ready(patience)) bench_.serve();
    }
    // What arrives until `size` bytes are there, the server has closed, or nothing comes for a while.
    std::string read(std::size_t size = std::string::npos) {
        std::string all;
        std::array<char, 65536> buffer{};
        while (all.size() < size && !closed_) {
            bench_.serve();
            if (!wait_for(fd_, POLLIN, size == std::string::npos ? 20 : 2000)) break;
            const ::ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
            if (n <= 0) {
                closed_ = true;
                reset_ = n < 0;
                break;
            }
            all.append(buffer.data(), static_cast<std::size_t>(n));
        }
        return all;
    }
    bool closed() {
        read();
        return closed_ && !reset_;
    }
    bool cut_off() {
        read();
        return closed_;
    }
    void end_input() { ::shutdown(fd_, SHUT_WR); }

  private:
    HttpBench& bench_;
    int fd_;
    bool closed_ = false;
    bool reset_ = false;
};

inline std::string good(const std::string& text, bool head = false, const std::string& more = "") {
    return "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " +
           std::to_string(text.size()) + "\r\n" + more + "\r\n" + (head ? "" : text);
}

inline int status_of(const std::string& response) {
    return response.starts_with("HTTP/1.1 ") ? std::stoi(response.substr(9, 3)) : 0;
}

}  // namespace sluice::admin
