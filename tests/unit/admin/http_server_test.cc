#include "sluice/admin/http_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace sluice::admin {
namespace {

constexpr Instant kStart{1h};
const std::string kGet = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

bool wait_for(int fd, short events, int milliseconds) {
    ::pollfd p{.fd = fd, .events = events, .revents = 0};
    return ::poll(&p, 1, milliseconds) == 1;
}

struct Bench {
    std::string text = "a 1\n";
    std::vector<std::string> asked;
    Instant now = kStart;
    HttpServer server{{*IpAddress::parse("127.0.0.1"), 0},
                      [this](std::string_view path) -> std::optional<HttpServer::Page> {
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

class Peer {
  public:
    explicit Peer(Bench& bench) : bench_(bench), fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        ::sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(bench.server.address().port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(fd_, reinterpret_cast<const ::sockaddr*>(&to), sizeof to), 0);
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        EXPECT_TRUE(bench_.ready(1000));
        bench_.serve();
    }
    ~Peer() { ::close(fd_); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

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
    Bench& bench_;
    int fd_;
    bool closed_ = false;
    bool reset_ = false;
};

std::string good(const std::string& text, bool head = false, const std::string& more = "") {
    return "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " +
           std::to_string(text.size()) + "\r\n" + more + "\r\n" + (head ? "" : text);
}

int status_of(const std::string& response) {
    return response.starts_with("HTTP/1.1 ") ? std::stoi(response.substr(9, 3)) : 0;
}

// The one reply to `request`, and whether the connection ended properly behind it.
int refused(const std::string& request) {
    Bench bench;
    Peer peer(bench);
    peer.send(request);
    const std::string reply = peer.read();
    EXPECT_TRUE(peer.closed()) << request;
    EXPECT_NE(reply.find("Connection: close"), std::string::npos);
    EXPECT_TRUE(bench.asked.empty());
    return status_of(reply);
}

TEST(HttpServer, AnswersGetAndKeepsTheConnection) {
    Bench bench;
    Peer peer(bench);
    for (int i = 0; i < 3; ++i) {
        peer.send(kGet);
        EXPECT_EQ(peer.read(), good("a 1\n"));
    }
    EXPECT_EQ(bench.server.clients(), 1U);
    EXPECT_FALSE(bench.ready(0));
}

TEST(HttpServer, HeadHasTheLengthAndNoBody) {
    Bench bench;
    Peer peer(bench);
    peer.send("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(peer.read(), good("a 1\n", true));
    peer.send("HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string reply = peer.read();
    EXPECT_EQ(status_of(reply), 404);
    EXPECT_TRUE(reply.ends_with("\r\n\r\n")) << reply;
}

TEST(HttpServer, ARequestMayBeSplitAnywhere) {
    Bench bench;
    Peer peer(bench);
    for (const char c : "\r\n" + kGet.substr(0, kGet.size() - 1)) {
        peer.send(std::string_view(&c, 1));
        EXPECT_TRUE(bench.asked.empty());
    }
    peer.send("\n");
    EXPECT_EQ(peer.read(), good("a 1\n"));
}

TEST(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
    Bench bench;
    Peer peer(bench);
    std::string requests;
    for (int i = 0; i < 100; ++i) requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    peer.send(requests + kGet);
    std::string all;
    while (!all.ends_with(good("a 1\n"))) {
        const std::string more = peer.read();
        ASSERT_FALSE(more.empty()) << all;
        all += more;
    }
    ASSERT_EQ(bench.asked.size(), 101U);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(bench.asked[static_cast<std::size_t>(i)], "/" + std::to_string(i));
}

TEST(HttpServer, ASingleLineFeedEndsALineAndQueriesAreLeftOut) {
    Bench bench;
    Peer peer(bench);
    peer.send("GET /metrics?name=a HTTP/1.1\nHost: x\n\n");
    EXPECT_EQ(peer.read(), good("a 1\n"));
    peer.send("GET http://x:9187/metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(peer.read(), good("a 1\n"));
    EXPECT_EQ(bench.asked, (std::vector<std::string>{"/metrics", "/metrics"}));
}

TEST(HttpServer, TheClientSaysWhetherTheConnectionStays) {
    const std::string close = "Connection: close\r\n";
    for (const std::string& request :
         {std::string("GET /metrics HTTP/1.1\r\nHost: x\r\nconnection: Foo, CLOSE\r\n\r\n"),
          std::string("GET /metrics HTTP/1.0\r\n\r\n")}) {
        Bench bench;
        Peer peer(bench);
        peer.send(request + kGet);
        EXPECT_EQ(peer.read(), good("a 1\n", false, close));
        EXPECT_TRUE(peer.closed());
        EXPECT_EQ(bench.asked.size(), 1U) << "what comes behind the last request is not for us";
    }
    Bench bench;
    Peer peer(bench);
    peer.send("GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(peer.read(), good("a 1\n"));
    EXPECT_FALSE(peer.closed());
}

TEST(HttpServer, OtherPathsAreNotFound) {
    Bench bench;
    Peer peer(bench);
    peer.send("GET /metric HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(status_of(peer.read()), 404);
    peer.send(kGet);
    EXPECT_EQ(peer.read(), good("a 1\n")) << "the connection goes on";
}

TEST(HttpServer, OtherMethodsAreRefusedWithTheirBody) {
    Bench bench;
    Peer peer(bench);
    peer.send("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" +
              std::string(50'000, 'x'));
    peer.send(std::string(50'000, 'x'));
    const std::string reply = peer.read();
    EXPECT_EQ(status_of(reply), 405);
    EXPECT_NE(reply.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos);
    EXPECT_TRUE(peer.closed()) << "no reset may overtake the reply";
    peer.end_input();
    EXPECT_TRUE(bench.ready(1000));
    bench.serve();
    EXPECT_EQ(bench.server.clients(), 0U);
    EXPECT_EQ(refused("DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 405);
    EXPECT_EQ(refused("get /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 405);
}

TEST(HttpServer, WhatIsNoHttpIsRefused) {
    EXPECT_EQ(refused("\x10\x0c\n\n"), 400);
    EXPECT_EQ(refused("GET\r\n\r\n"), 400);
    EXPECT_EQ(refused("GET /metrics\r\n\r\n"), 400);
    EXPECT_EQ(refused("GET  /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
    EXPECT_EQ(refused("GET metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
    EXPECT_EQ(refused("GET /metrics HTTP/2.0\r\nHost: x\r\n\r\n"), 505);
    EXPECT_EQ(refused("GET /metrics HTTP/1.1\r\n\r\n"), 400) << "no Host";
    EXPECT_EQ(refused("GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"), 400);
    EXPECT_EQ(refused("GET /metrics HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n"), 400);
    EXPECT_EQ(refused("GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n"), 400);
    EXPECT_EQ(refused("GET /metrics HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n"), 400);
    EXPECT_EQ(refused("GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"), 400);
    EXPECT_EQ(refused("GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
              400);
}

TEST(HttpServer, TheLongestRequestIsTakenAndALongerOneRefused) {
    const std::string frame = "GET /metrics HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n";
    const auto padded = [&](std::size_t size) {
        std::string request = frame;
        return request.insert(request.find("X: ") + 3, std::string(size - frame.size(), 'x'));
    };
    Bench bench;
    Peer peer(bench);
    peer.send(padded(HttpServer::kMaxRequest));
    EXPECT_EQ(peer.read(), good("a 1\n"));
    EXPECT_EQ(refused(padded(HttpServer::kMaxRequest + 1)), 431);
    EXPECT_EQ(refused(std::string(HttpServer::kMaxRequest + 1, 'x')), 431) << "no end in sight";
}

TEST(HttpServer, ASlowReaderHoldsUpNobodyAndGetsItAll) {
    Bench bench;
    bench.text = std::string(20'000'000, 'x');
    Peer slow(bench);
    slow.send(kGet);
    slow.send(kGet, 0);
    EXPECT_EQ(bench.asked.size(), 1U) << "the second waits until the first reply was read";
    bench.text = "small";
    Peer quick(bench);
    quick.send(kGet);
    EXPECT_EQ(quick.read(), good("small"));

    const std::string first = good(std::string(20'000'000, 'x'));
    const std::string all = slow.read(first.size() + good("small").size());
    EXPECT_EQ(all.size(), first.size() + good("small").size());
    EXPECT_TRUE(all.starts_with(first) && all.ends_with(good("small")));
}

TEST(HttpServer, WhoNeitherReadsNorAsksIsCutOff) {
    Bench bench;
    bench.text = std::string(20'000'000, 'x');
    Peer silent(bench);
    Peer unfinished(bench);
    Peer slow(bench);
    unfinished.send("GET /metrics HTT");
    slow.send(kGet);
    bench.now = kStart + HttpServer::kStallLimit;
    unfinished.send("P");  // a piece is no request
    Peer busy(bench);
    bench.server.serve(bench.now);
    EXPECT_EQ(bench.server.clients(), 4U);
    bench.now += 1s;
    bench.server.serve(bench.now);
    EXPECT_EQ(bench.server.clients(), 1U);
    EXPECT_TRUE(silent.cut_off());
    EXPECT_TRUE(unfinished.cut_off());
    bench.text = "alive";
    busy.send(kGet);
    EXPECT_EQ(busy.read(), good("alive"));
}

TEST(HttpServer, WhoDoesNotLeaveIsMadeTo) {
    Bench bench;
    Peer peer(bench);
    peer.send("GET /metrics HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(peer.closed());
    EXPECT_EQ(bench.server.clients(), 1U) << "its side is open";
    bench.now = kStart + HttpServer::kStallLimit + 1s;
    bench.server.serve(bench.now);
    EXPECT_EQ(bench.server.clients(), 0U);

    Peer talker(bench);
    talker.send("GET /metrics HTTP/1.0\r\n\r\n");
    const std::string flood(100'000, 'x');
    for (int i = 0; i < 11 && bench.server.clients() != 0; ++i) talker.send(flood);
    EXPECT_EQ(bench.server.clients(), 0U);
}

using Crowd = std::vector<std::unique_ptr<Peer>>;

Crowd crowd(Bench& bench, std::size_t number) {
    Crowd peers;
    for (std::size_t i = 0; i < number; ++i) peers.push_back(std::make_unique<Peer>(bench));
    return peers;
}

// However many keep their places without asking for anything, whoever comes is served.
TEST(HttpServer, WhoIsSilentLongestGivesWay) {
    Bench bench;
    Crowd silent = crowd(bench, HttpServer::kMaxClients);
    silent[0]->send(kGet);
    EXPECT_EQ(silent[0]->read(good("a 1\n").size()), good("a 1\n"));
    Peer next(bench);
    next.send(kGet);
    EXPECT_EQ(next.read(good("a 1\n").size()), good("a 1\n"));
    EXPECT_EQ(bench.server.displaced(), 1U);
    EXPECT_EQ(bench.server.clients(), HttpServer::kMaxClients);
    EXPECT_TRUE(silent[1]->cut_off());
    EXPECT_FALSE(silent[0]->cut_off()) << "it has asked since";
    EXPECT_FALSE(silent[2]->cut_off());
}

TEST(HttpServer, PiecesOfARequestKeepNoPlace) {
    Bench bench;
    Crowd slow = crowd(bench, HttpServer::kMaxClients);
    for (const char c : kGet.substr(0, 20)) {
        for (auto& peer : slow) peer->send(std::string(1, c));
    }
    Peer next(bench);
    next.send(kGet);
    EXPECT_EQ(next.read(good("a 1\n").size()), good("a 1\n"));
    EXPECT_TRUE(slow[0]->cut_off());
    EXPECT_FALSE(slow[1]->cut_off());
}

TEST(HttpServer, WhoReadsGivesWayLast) {
    Bench bench;
    bench.text = std::string(5'000'000, 'x');
    const std::string all = good(bench.text);
    Peer reader(bench);
    reader.send(kGet);
    Crowd silent = crowd(bench, HttpServer::kMaxClients + 10);
    EXPECT_EQ(bench.server.displaced(), 11U);
    EXPECT_EQ(reader.read(all.size()).size(), all.size());
}

// Neither does it help to take a byte of a reply now and then.
TEST(HttpServer, AmongReadersTheFirstGivesWay) {
    Bench bench;
    bench.text = std::string(5'000'000, 'x');
    Crowd slow = crowd(bench, HttpServer::kMaxClients);
    for (auto& peer : slow) peer->send(kGet);
    for (auto& peer : slow) peer->read(1);
    bench.text = "small";
    Peer next(bench);
    next.send(kGet);
    EXPECT_EQ(next.read(good("small").size()), good("small"));
    EXPECT_EQ(bench.server.displaced(), 1U);
    EXPECT_EQ(bench.server.clients(), HttpServer::kMaxClients);
    EXPECT_TRUE(slow[0]->cut_off());
}

// What they have sent lies there, but was not looked at before the next one came.
TEST(HttpServer, ARequestThatHasArrivedIsAnsweredBeforeItsClientGivesWay) {
    Bench bench;
    Crowd many = crowd(bench, HttpServer::kMaxClients);
    for (int i = 0; i < 2; ++i) {
        many[0]->send("GET /metrics HTTP/1.0\r\n\r\n", 0);
        many[1]->send(kGet, 0);
    }
    Peer next(bench);
    EXPECT_EQ(status_of(many[0]->read()), 200);
    EXPECT_EQ(many[1]->read(2 * good("a 1\n").size()), good("a 1\n") + good("a 1\n"));
    EXPECT_FALSE(many[1]->cut_off());
}

TEST(HttpServer, SaysWhyItCannotListen) {
    Bench bench;
    const auto why = [](const SocketAddress& address) -> std::string {
        try {
            const HttpServer server(address, [](std::string_view) { return std::nullopt; });
        } catch (const SocketError& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_NE(why(bench.server.address()).find("set another admin.metrics"), std::string::npos);
    EXPECT_NE(why({*IpAddress::parse("192.0.2.1"), 9187}).find("kernel's own network"), std::string::npos);
    if (std::filesystem::exists("/proc/net/if_inet6")) {
        EXPECT_EQ(why({*IpAddress::parse("::1"), 0}), "");
    }
}

}  // namespace
}  // namespace sluice::admin
