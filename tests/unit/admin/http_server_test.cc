#include "sluice/admin/http_server.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "http_bench.h"

namespace sluice::admin {
namespace {

using Bench = HttpBench;
using Peer = HttpPeer;

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

TEST(HttpServer, SaysWhyItCannotListen) {
    Bench bench;
    const auto why = [](const SocketAddress& address) -> std::string {
        try {
            const TcpListener listener(address);
        } catch (const SocketError& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_NE(why(bench.listener.address()).find("set another admin.metrics"), std::string::npos);
    EXPECT_NE(why({*IpAddress::parse("192.0.2.1"), 9187}).find("that the kernel has"), std::string::npos);
    if (std::filesystem::exists("/proc/net/if_inet6")) {
        EXPECT_EQ(why({*IpAddress::parse("::1"), 0}), "");
    }
}

}  // namespace
}  // namespace sluice::admin
