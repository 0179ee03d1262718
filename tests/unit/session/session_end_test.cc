// How a relayed connection's text and its end come through: whole, in order, and told to the other end as
// what they are; with codecs on either leg and without.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "session/session_rig.h"
#include "sluice/mqtt/writer.h"

namespace sluice::test {
namespace {

using session::Phase;

const std::vector<FramingOptions> kNone;
const std::vector<FramingOptions> kFramed{FramingOptions{}};
const std::vector<FramingOptions> kTwo{FramingOptions{.limit = 700}, FramingOptions{.limit = 3000}};

struct Codecs {
    std::vector<FramingOptions> client;
    std::vector<FramingOptions> broker;
};
const std::vector<Codecs> kWays{{kFramed, kNone}, {kNone, kFramed}, {kFramed, kFramed}, {kTwo, kFramed}};

void carry(const SessionPlan& plan, std::size_t size) {
    SessionRig rig(plan);
    rig.connect();
    const std::string there = noise(size, 11);
    const std::string back = noise(size + 99, 12);
    rig.client.write(rig.now, there);
    rig.broker().write(rig.now, back);
    EXPECT_TRUE(rig.run_until([&] {
        return rig.client.text().size() == back.size() + 4 && rig.at_broker().size() == there.size();
    }));
    EXPECT_TRUE(rig.at_client() == back);
    EXPECT_TRUE(rig.at_broker() == there);
    EXPECT_EQ(rig.phase(), Phase::Relayed);
    // Either end may close first, and the other one still says what it wants.
    Peer& first = plan.seed % 2 == 0 ? rig.client : rig.broker();
    Peer& second = plan.seed % 2 == 0 ? rig.broker() : rig.client;
    const std::size_t had = first.text().size();
    first.finish(rig.now);
    EXPECT_TRUE(rig.run_until([&] { return second.ended(); }));
    second.write(rig.now, "afterwards");
    second.finish(rig.now);
    EXPECT_TRUE(rig.run_until([&] { return rig.phase() == Phase::Ended; }));
    rig.run(1s);
    EXPECT_EQ(first.text().substr(had), "afterwards");
    EXPECT_TRUE(first.ended());
    EXPECT_FALSE(first.failed() || second.failed());
    EXPECT_EQ(first.endpoint.failure(), tcp::Failure::None);
    EXPECT_EQ(second.endpoint.failure(), tcp::Failure::None);
    EXPECT_EQ(rig.count(Counter::ClosedOrderly), 1U);
    EXPECT_EQ(rig.count(Counter::RelayBytesUndelivered), 0U);
}

TEST(SessionEnd, IsToldBothWaysBehindEveryByte) {
    for (const Codecs& codecs : kWays) {
        for (std::uint64_t seed = 1; seed <= 4; ++seed) {
            SCOPED_TRACE(seed);
            carry({.client = codecs.client, .broker = codecs.broker, .link = kBadLink, .seed = seed}, 50'000);
        }
    }
}

TEST(SessionEnd, ComesBehindMoreThanAllBuffersTogether) {
    for (const Codecs& codecs : kWays) {
        carry({.client = codecs.client, .broker = codecs.broker}, 3'000'000);
    }
}

// Whoever does not read makes the other end wait, and not fail; what is held is bounded.
TEST(SessionEnd, IsNoneForAnEndThatTheOtherOneKeepsWaiting) {
    for (const Codecs& codecs : kWays) {
        for (const bool client_reads : {false, true}) {
            SessionRig rig({.client = codecs.client, .broker = codecs.broker});
            rig.connect();
            (client_reads ? rig.broker() : rig.client).reads = false;
            const std::string text = noise(3'000'000, 13);
            (client_reads ? rig.client : rig.broker()).write(rig.now, text);
            rig.run(60s);
            EXPECT_LT(rig.most_held, 2'000'000U);
            rig.client.reads = rig.broker().reads = true;
            Peer& reader = client_reads ? rig.broker() : rig.client;
            const std::string& got = reader.text();
            EXPECT_TRUE(rig.run_until(
                [&] { return got.size() > text.size() && got.ends_with(text.substr(text.size() - 99)); }));
            EXPECT_TRUE(got.ends_with(text));
            EXPECT_EQ(rig.phase(), Phase::Relayed);
        }
    }
}

// A client that sends on behind its CONNECT does not pay for a broker who is slow to answer.
TEST(SessionEnd, IsNoneForAClientWhoseBrokerIsSlowToAnswer) {
    for (const auto& codecs : {kFramed, kTwo}) {
        SessionRig rig({.client = codecs});
        rig.answers = false;
        const std::string connect(as_text(mqtt::write_connect({.client_id = "device"})));
        const std::string text = noise(600'000, 14);
        rig.client.write(rig.now, connect + text);
        rig.run(8s);
        ASSERT_EQ(rig.phase(), Phase::Replaying);
        rig.answers = true;
        EXPECT_TRUE(
            rig.run_until([&] { return rig.broker().text().size() == connect.size() + text.size(); }));
        EXPECT_TRUE(rig.at_broker() == text);
    }
}

TEST(SessionEnd, ByAResetDeliversWhatWasAcknowledged) {
    for (const Codecs& codecs : kWays) {
        SessionRig rig({.client = codecs.client, .broker = codecs.broker});
        rig.connect();
        rig.broker().reads = false;
        const std::string text = noise(300'000, 15);
        rig.client.write(rig.now, text);
        EXPECT_TRUE(rig.run_until([&] { return rig.client.all_taken(); }, 60s));
        rig.client.reset(rig.now);
        rig.run(1s);
        EXPECT_EQ(rig.phase(), Phase::Delivering);
        rig.broker().reads = true;
        EXPECT_TRUE(rig.run_until([&] { return rig.phase() == Phase::Ended; }));
        rig.run(1s);
        EXPECT_TRUE(rig.at_broker() == text);
        EXPECT_FALSE(rig.broker().ended());
        EXPECT_EQ(rig.broker().endpoint.failure(), tcp::Failure::Reset);
        EXPECT_EQ(rig.count(Counter::ClosedClientReset), 1U);
        EXPECT_EQ(rig.count(Counter::RelayBytesUndelivered), 0U);
    }
}

// The end that is not understood is told so, and the other one is reset when it has what was good.
TEST(SessionEnd, ByACodecIsToldToItsPeerAndResetsTheOther) {
    for (const auto& other : {kNone, kFramed}) {
        for (const bool at_client : {false, true}) {
            SCOPED_TRACE(at_client);
            SessionRig rig({.client = at_client ? kFramed : other, .broker = at_client ? other : kFramed});
            rig.connect();
            Peer& bad = at_client ? rig.client : rig.broker();
            Peer& good = at_client ? rig.broker() : rig.client;
            bad.reads = false;
            good.write(rig.now, noise(2'000'000, 16));  // much of it is on its way, and will not arrive
            rig.run(2s);
            bad.write(rig.now, "good until here");
            bad.write_raw(rig.now, std::string(100, '\x3f'));
            rig.run(1s);
            bad.reads = true;
            EXPECT_TRUE(rig.run_until([&] { return rig.phase() == Phase::Ended; }, 10s));
            rig.run(1s);
            EXPECT_TRUE(good.text().ends_with("good until here"));
            EXPECT_FALSE(good.ended());
            EXPECT_EQ(good.endpoint.failure(), tcp::Failure::Reset);
            EXPECT_TRUE(bad.end().codec().complained_of());
            EXPECT_FALSE(bad.end().ended());
            EXPECT_EQ(rig.count(at_client ? Counter::ClosedClientReset : Counter::ClosedBrokerReset), 1U);
        }
    }
}

// FIN within a frame, or without the codec's end: text is missing, and the broker must not take it for all.
TEST(SessionEnd, OfAStreamIsNotTheEndOfItsText) {
    for (const bool within : {false, true}) {
        SessionRig rig({.client = kFramed});
        rig.connect();
        rig.client.write(rig.now, "good until here");
        if (within) rig.client.write_raw(rig.now, std::string("\0\7\0", 3));
        rig.client.close_raw(rig.now);
        EXPECT_TRUE(rig.run_until([&] { return rig.phase() == Phase::Ended; }, 10s));
        rig.run(1s);
        EXPECT_EQ(rig.at_broker(), "good until here");
        EXPECT_EQ(rig.broker().endpoint.failure(), tcp::Failure::Reset);
        EXPECT_FALSE(rig.broker().ended());
    }
}

// What could not be decoded before the other end had room is looked at then, though nothing else happens.
TEST(SessionEnd, ByACodecComesWhenItIsFoundLate) {
    SessionRig rig({.client = kFramed});
    rig.connect();
    rig.broker().finish(rig.now);
    rig.run(1s);
    rig.broker().reads = false;
    const std::string text = noise(500'000, 17);
    rig.client.write(rig.now, text);
    rig.client.write_raw(rig.now, std::string(100, '\x3f'));
    rig.run(60s);
    EXPECT_EQ(rig.phase(), Phase::Relayed);
    rig.broker().reads = true;
    EXPECT_TRUE(rig.run_until([&] { return rig.phase() == Phase::Ended; }, 30s));
    rig.run(1s);
    EXPECT_TRUE(rig.at_broker() == text);
    EXPECT_EQ(rig.broker().endpoint.failure(), tcp::Failure::Reset);
}

TEST(SessionEnd, ComesAtTheIdleLimit) {
    for (const Codecs& codecs : kWays) {
        SessionRig rig({.client = codecs.client, .broker = codecs.broker});
        rig.connect(10);
        rig.run(5s);
        rig.client.write(rig.now, "ping");
        const Instant last = rig.now + 1ms;
        rig.run(1s);
        const Instant limit = last + 15s + session::kBrokersTurn;
        // A quiet connection also looks from time to time whether it can rest.
        EXPECT_EQ(rig.deadline(), std::min(limit, rig.connection->rests_at));
        rig.broker().write(rig.now, "what a broker says is no sign of the client");
        rig.run(limit - rig.now - 1ms);
        EXPECT_EQ(rig.deadline(), std::min(limit, rig.connection->rests_at));
        EXPECT_EQ(rig.phase(), Phase::Relayed);
        rig.run(1s);
        EXPECT_EQ(rig.phase(), Phase::Ended);
        EXPECT_EQ(rig.count(Counter::ClosedIdle), 1U);
        EXPECT_EQ(rig.client.endpoint.failure(), tcp::Failure::Reset);
        EXPECT_EQ(rig.broker().endpoint.failure(), tcp::Failure::Reset);
    }
}

// The nearest of both endpoints', both legs' codecs' and the phase's own.
TEST(SessionEnd, IsAwaitedAtTheNearestDeadline) {
    SessionRig rig({.client = kFramed, .broker = kFramed});
    rig.connect();
    rig.run(2s);
    EXPECT_EQ(rig.deadline(), std::min(rig.connection->rests_at, rig.connection->last_traffic + 1h));
    rig.client.write_raw(rig.now, std::string(1, '\0'));
    rig.run(100ms);
    EXPECT_EQ(rig.deadline(), rig.connection->client_leg.next_deadline());
    rig.run(1s);
    rig.broker().write_raw(rig.now, std::string(1, '\0'));
    rig.run(100ms);
    const Instant clients = rig.connection->client_leg.next_deadline();
    EXPECT_EQ(rig.connection->broker_leg->next_deadline(), clients + 1100ms);
    EXPECT_EQ(rig.deadline(), clients);
    rig.run(5s);
    EXPECT_EQ(rig.phase(), Phase::Ended);
    EXPECT_TRUE(rig.client.end().codec().complained_of());
}

}  // namespace
}  // namespace sluice::test
