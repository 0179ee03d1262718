// What is held for clients that no broker has accepted yet stays within runtime.connect_memory, whoever sends
// what, and those who come as clients do get in meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "worker/packets.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

std::string with_memory(const Setup& setup, std::uint64_t mebibytes) {
    std::string text = configuration(setup);
    const std::string_view before = "[runtime]\n";
    text.insert(text.find(before) + before.size(),
                "connect_memory = \"" + std::to_string(mebibytes) + "MiB\"\n");
    return text;
}

std::uint64_t held(const Lab& lab) {
    std::uint64_t sum = 0;
    for (const auto& w : lab.workers) sum += w->totals().connect_bytes;
    return sum;
}

// The first bytes of a CONNECT of 65,000.
std::string unfinished(std::size_t bytes) {
    std::string text("\x10\xe8\xfb\x03\x00\x04MQTT\x04\x02\x00\x3c\xfd\x00", 16);
    text.resize(bytes, 'a');
    return text;
}

// Says what was wrong first with the right edges of windows that clients were told: none ever moves back.
class Edges {
  public:
    explicit Edges(Lab& lab) {
        lab.on_sent = [this](std::uint16_t port, ByteView frame) {
            Tap tap;
            tap.see(port, frame);
            if (port != 0 || tap.tcp.empty()) return;
            const wire::TcpHeader& tcp = tap.tcp[0].tcp;
            if (tcp.flags.rst || !tcp.flags.ack) return;
            constexpr unsigned kScale = 7;  // what is offered while nothing is learned
            const std::uint32_t edge =
                tcp.acknowledgement + (tcp.flags.syn ? tcp.window : std::uint32_t{tcp.window} << kScale);
            const auto [known, first] = edges_.try_emplace(tap.tcp[0].to.to_string(), edge);
            if (first || tcp.flags.syn) {
                known->second = edge;
                return;
            }
            const auto step = static_cast<std::int32_t>(edge - known->second);
            // Where the scale cannot express the edge it falls short by less than one unit.
            if (step <= -(1 << kScale)) faults.push_back(tap.tcp[0].to.to_string());
            if (step > 0) known->second = edge;
        };
    }
    std::vector<std::string> faults;

  private:
    std::map<std::string, std::uint32_t> edges_;
};

// What a client was promised and has not used.
std::uint32_t window_of(const Socket& client) { return client.endpoint.position().send_window; }

struct World {
    bool ipv6;
    unsigned workers;
};
constexpr std::array kWorlds{World{false, 1}, World{true, 1}, World{false, 3}, World{true, 3}};

TEST(Waiting, UnfinishedConnectsStayWithinTheBoundAndClientsComeInMeanwhile) {
    for (const World& world : kWorlds) {
        SCOPED_TRACE(std::to_string(world.workers) + (world.ipv6 ? " workers, IPv6" : " workers, IPv4"));
        const test::Setup setup{.workers = world.workers, .ipv6 = world.ipv6};
        Lab lab(setup);
        lab.reload(with_memory(setup, 2));
        const Edges edges(lab);
        constexpr std::size_t kAttackers = 150;
        std::vector<Socket*> attackers;
        std::uint64_t most = 0;
        for (std::size_t i = 0; i < kAttackers; ++i) {
            attackers.push_back(&lab.client());
            attackers.back()->write(std::string_view(unfinished(64'000)));
            for (int turn = 0; turn < 20; ++turn) {
                lab.settle();
                most = std::max(most, held(lab));
                lab.run(milliseconds(5));
            }
            ASSERT_LE(most, 2 * kMiB);
            if (i % 10 != 0) continue;
            const std::string id = "client " + std::to_string(i);
            ASSERT_EQ(lab.connect(id).received, kConnackAccepted) << id;
        }
        EXPECT_GT(most, kMiB);
        EXPECT_EQ(edges.faults, std::vector<std::string>{});
        const std::uint64_t evicted = lab.count(Counter::ClientConnectEvicted);
        EXPECT_GT(evicted, kAttackers / 3);
        EXPECT_GE(lab.count(Counter::ConnectMemoryShort), 1U);
        EXPECT_EQ(lab.count(Counter::ClientWaitingEvicted), 0U);
        // They were told, and with one worker it was the oldest of all.
        std::size_t reset = 0;
        for (std::size_t i = 0; i < kAttackers; ++i) {
            const bool gone = attackers[i]->endpoint.failure() == tcp::Failure::Reset;
            reset += gone ? 1 : 0;
            if (world.workers == 1) {
                EXPECT_EQ(gone, i < evicted) << i;
            }
        }
        EXPECT_EQ(reset, evicted);

        lab.run(seconds(11));
        EXPECT_EQ(held(lab), 0U);
        EXPECT_EQ(lab.usage().connections, kAttackers / 10);
        EXPECT_EQ(evicted + lab.count(Counter::ClientConnectTimeout), kAttackers);
        lab.command({.kind = worker::Command::Kind::Stop});
        lab.settle();
        expect_nothing_left(lab);
    }
}

// A large CONNECT comes in smaller steps while memory is short, but it comes.
TEST(Waiting, ALargeConnectGetsThroughWhileMemoryIsShort) {
    for (const bool ipv6 : {false, true}) {
        const test::Setup setup{.ipv6 = ipv6};
        Lab lab(setup);
        lab.reload(with_memory(setup, 1));
        for (int i = 0; i < 30; ++i) {
            lab.client().write(std::string_view(unfinished(64'000)));
            lab.run(milliseconds(20));
        }
        ASSERT_EQ(lab.count(Counter::ConnectMemoryShort), 1U);
        const std::string id(60'000, 'i');
        const std::string connect = connect_packet(id);
        Socket& client = lab.client();
        client.write(std::string_view(connect));
        std::uint32_t furthest = 0;
        for (int i = 0; i < 40; ++i) {
            lab.client().write(std::string_view(unfinished(2'000)));
            lab.run(milliseconds(20));
            if (client.received.empty()) furthest = std::max(furthest, window_of(client));
        }
        EXPECT_LE(furthest, session::WaitingRoom::kShortReach);
        EXPECT_EQ(client.received, kConnackAccepted);
        ASSERT_NE(lab.broker_of(id), nullptr);
        EXPECT_EQ(lab.broker_of(id)->socket_of(id)->received, connect);
    }
}

TEST(Waiting, WhatArrivedEarlyIsHeldToo) {
    const test::Setup setup{};
    Lab lab(setup);
    Socket& client = lab.client();
    lab.settle();
    const auto at = client.endpoint.position();
    lab.inject(0, make_segment({.from = client.tuple.local,
                                .to = lab.listener(),
                                .sequence = at.send_next.value() + 1500,
                                .acknowledgement = at.receive_next.value(),
                                .flags = {.ack = true},
                                .payload = "early"}));
    lab.settle();
    EXPECT_GE(held(lab), 1505U);
    client.abort();
    lab.settle();
    EXPECT_EQ(held(lab), 0U);
}

// Brokers that take CONNECTs and stay silent, or do not even take connections: clients send on behind theirs.
TEST(Waiting, ClientsOfSilentBrokersStayWithinTheBoundAndGoLast) {
    struct Case {
        World world;
        bool deaf;
    };
    for (const auto& [world, deaf] :
         {Case{{false, 1}, false}, Case{{true, 1}, true}, Case{{false, 3}, false}}) {
        SCOPED_TRACE(std::to_string(world.workers) + (world.ipv6 ? " workers, IPv6" : " workers, IPv4"));
        const test::Setup setup{
            .workers = world.workers, .brokers = 1, .pool = "attempt_timeout = \"30s\"", .ipv6 = world.ipv6};
        Lab lab(setup);
        const std::uint64_t bound = world.workers == 1 ? 1 : 2;
        lab.reload(with_memory(setup, bound));
        lab.brokers[0]->answers = false;
        lab.brokers[0]->host.deaf_tcp = deaf;
        const Edges edges(lab);
        lab.client().write(std::string_view(unfinished(20'000)));
        lab.run(milliseconds(100));
        for (std::uint32_t i = 0; i < 400; ++i) {
            lab.client().write(connect_packet("client " + std::to_string(i)) + std::string(20'000, '\xc0'));
            for (int turn = 0; turn < 4; ++turn) {
                lab.settle();
                ASSERT_LE(held(lab), bound * kMiB);
                lab.run(milliseconds(5));
            }
        }
        EXPECT_EQ(edges.faults, std::vector<std::string>{});
        EXPECT_GT(lab.count(Counter::ClientWaitingEvicted), 0U);
        if (world.workers == 1) {
            EXPECT_EQ(lab.count(Counter::ClientConnectEvicted), 1U);
        }
        EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered) != 0, deaf);
        lab.run(seconds(40));
        EXPECT_EQ(held(lab), 0U);
        lab.command({.kind = worker::Command::Kind::Stop});
        lab.settle();
        expect_nothing_left(lab);
    }
}

// Once memory is there again, a client whose window was closed has it opened, and nothing is lost.
TEST(Waiting, AClientThatWasPromisedNothingGoesOnAfterwards) {
    const test::Setup setup{.brokers = 1, .pool = "attempt_timeout = \"30s\""};
    Lab lab(setup);
    lab.reload(with_memory(setup, 1));
    lab.brokers[0]->host.deaf_tcp = true;
    for (int i = 0; i < 12; ++i) {
        lab.client().write(std::string_view(unfinished(64'000)));
        lab.run(milliseconds(50));
    }
    ASSERT_EQ(lab.count(Counter::ConnectMemoryShort), 1U);
    const std::string behind(100'000, '\xc0');
    Socket& client = lab.client();
    client.write(connect_packet("patient") + behind);
    lab.run(seconds(2));
    EXPECT_LT(client.endpoint.position().send_next.since(client.endpoint.position().send_unacked) + held(lab),
              kMiB);
    lab.brokers[0]->host.deaf_tcp = false;
    lab.run(seconds(15));
    EXPECT_EQ(client.received, kConnackAccepted);
    EXPECT_EQ(lab.brokers[0]->after_connect("patient"), behind);
}

TEST(Waiting, AReloadChangesTheBoundAndEndsNobody) {
    const test::Setup setup{};
    Lab lab(setup);
    for (int i = 0; i < 40; ++i) {
        lab.client().write(std::string_view(unfinished(40'000)));
        lab.run(milliseconds(50));
    }
    const std::uint64_t before = held(lab);
    ASSERT_GT(before, 2 * kMiB);
    lab.reload(with_memory(setup, 1));
    lab.run(milliseconds(100));
    EXPECT_EQ(lab.count(Counter::ClientConnectEvicted), 0U);
    EXPECT_EQ(held(lab), before);
    EXPECT_EQ(lab.connect("client").received, kConnackAccepted);
    Socket& late = lab.client();
    late.write(std::string_view(unfinished(60'000)));
    lab.run(milliseconds(500));
    EXPECT_GT(lab.count(Counter::ClientConnectEvicted), 0U);
    EXPECT_LE(held(lab), before);
    lab.run(seconds(11));
    EXPECT_EQ(held(lab), 0U);
    for (int i = 0; i < 40; ++i) {
        lab.client().write(std::string_view(unfinished(40'000)));
        lab.run(milliseconds(20));
        ASSERT_LE(held(lab), kMiB);
    }
}

}  // namespace
}  // namespace sluice::test
