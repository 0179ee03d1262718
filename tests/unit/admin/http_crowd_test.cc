// More clients than there are places.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "http_bench.h"
#include "sluice/admin/http_server.h"

namespace sluice::admin {
namespace {

using Bench = HttpBench;
using Peer = HttpPeer;

using Crowd = std::vector<std::unique_ptr<Peer>>;

Crowd crowd(Bench& bench, std::size_t number) {
    Crowd peers;
    for (std::size_t i = 0; i < number; ++i) peers.push_back(std::make_unique<Peer>(bench));
    return peers;
}

// However many keep their places without asking for anything, whoever comes is served.
TEST(HttpCrowd, WhoIsSilentLongestGivesWay) {
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

TEST(HttpCrowd, PiecesOfARequestKeepNoPlace) {
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

TEST(HttpCrowd, WhoReadsGivesWayLast) {
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
TEST(HttpCrowd, AmongReadersTheFirstGivesWay) {
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
TEST(HttpCrowd, ARequestThatHasArrivedIsAnsweredBeforeItsClientGivesWay) {
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

}  // namespace
}  // namespace sluice::admin
