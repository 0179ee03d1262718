// SYN cookies: what they carry, for how long, and who can make one.
#include "sluice/tcp/syn_cookie.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sluice::tcp::syn_cookie_test {
namespace {

constexpr SipKey kKey{1, 2};
constexpr Instant kNow{100h};

FourTuple tuple(std::uint16_t port = 40000) {
    return {.local = {IpAddress::v4(10, 0, 0, 1), 1883}, .remote = {IpAddress::v4(10, 0, 0, 2), port}};
}

FourTuple tuple6() {
    return {.local = {*IpAddress::parse("fd00::1"), 1883}, .remote = {*IpAddress::parse("fd00::2"), 40000}};
}

struct Sent final : Output {
    void send(const Segment& segment) override { segments.push_back(segment); }
    std::vector<Segment> segments;
};

// A listener that keeps nothing but its cookies.
struct Listener {
    Segment answer(Instant now, const FourTuple& at, const Segment& syn) {
        EndpointOptions restricted = options;
        restrict_to_cookie(restricted, syn);
        Sent sent;
        Endpoint endpoint(restricted);
        endpoint.listen(cookies.sequence_for(now, at, syn, options));
        endpoint.on_segment(now, syn, sent);
        return with_cookie_note(sent.segments.at(0), cookie_note(restricted, syn));
    }

    EndpointOptions options;
    SynCookies cookies{kKey};
};

Segment syn_with(wire::TcpOptions options, std::uint32_t sequence = 1000) {
    Segment syn;
    syn.seq = Seq(sequence);
    syn.flags.syn = true;
    syn.window = 0xffff;
    syn.options = options;
    return syn;
}

Segment ack_of(const Segment& syn_ack, const Segment& syn) {
    Segment ack;
    ack.seq = syn.seq.advance(1);
    ack.ack = syn_ack.seq.advance(1);
    ack.flags.ack = true;
    ack.window = 500;
    if (syn_ack.options.timestamps) {
        ack.options.timestamps = wire::TcpTimestamps{.value = syn.options.timestamps->value + 7,
                                                     .echo = syn_ack.options.timestamps->value};
    }
    return ack;
}

const wire::TcpOptions kFull{
    .mss = 1460, .window_scale = 7, .sack_permitted = true, .timestamps = wire::TcpTimestamps{.value = 5}};

TEST(SynCookie, BringsBackWhatTheSynSaid) {
    std::mt19937 random(1);
    for (int i = 0; i < 2000; ++i) {
        Listener l;
        l.options.timestamp_offset = static_cast<std::uint32_t>(random());
        const auto scale = static_cast<std::uint8_t>(random() % 16);
        wire::TcpOptions offer = kFull;
        offer.window_scale = scale == 15 ? std::nullopt : std::optional(scale);
        offer.sack_permitted = random() % 2 == 0;
        const Segment syn = syn_with(offer, static_cast<std::uint32_t>(random()));
        const Instant now = kNow + std::chrono::milliseconds(random() % 1'000'000);
        const Segment syn_ack = l.answer(now, tuple(), syn);
        const auto opening = l.cookies.open(now + 50ms, tuple(), ack_of(syn_ack, syn));
        ASSERT_TRUE(opening);
        EXPECT_EQ(opening->initial_sequence, syn_ack.seq);
        EXPECT_EQ(opening->syn.seq, syn.seq);
        EXPECT_EQ(opening->syn.options.mss, 1460);
        EXPECT_EQ(opening->syn.options.window_scale, offer.window_scale);
        EXPECT_EQ(opening->syn.options.sack_permitted, offer.sack_permitted);
        ASSERT_TRUE(opening->syn.options.timestamps);
        const std::uint32_t clock = milliseconds32(now) + l.options.timestamp_offset;
        EXPECT_LT(clock - syn_ack.options.timestamps->value, 32U) << "never ahead of the clock";
    }
}

TEST(SynCookie, WithoutTimestampsAgreesOnNeitherScaleNorSack) {
    Listener l;
    wire::TcpOptions offer = kFull;
    offer.timestamps.reset();
    const Segment syn = syn_with(offer);
    EXPECT_FALSE(cookie_holds(l.options, syn));
    const Segment syn_ack = l.answer(kNow, tuple(), syn);
    EXPECT_FALSE(syn_ack.options.window_scale);
    EXPECT_FALSE(syn_ack.options.sack_permitted);
    const auto opening = l.cookies.open(kNow, tuple(), ack_of(syn_ack, syn));
    ASSERT_TRUE(opening);
    EXPECT_FALSE(opening->syn.options.window_scale);
    EXPECT_FALSE(opening->syn.options.sack_permitted);
    EXPECT_FALSE(opening->syn.options.timestamps);
    EXPECT_TRUE(cookie_holds(l.options, syn_with({.mss = 536}))) << "nothing to lose";
}

TEST(SynCookie, RoundsTheMssDown) {
    struct Case {
        FourTuple at;
        std::optional<std::uint16_t> said;
        std::uint16_t kept;
    };
    for (const Case& c : {Case{tuple(), 1460, 1460}, Case{tuple(), 8960, 1460}, Case{tuple(), 1459, 1300},
                          Case{tuple(), std::nullopt, 536}, Case{tuple(), 0, 536}, Case{tuple(), 535, 48},
                          Case{tuple(), 7, 48}, Case{tuple6(), 1440, 1440}, Case{tuple6(), 1300, 1220},
                          Case{tuple6(), std::nullopt, 1220}}) {
        Listener l;
        l.options.default_send_mss = default_mss(c.at.remote.address.family());
        const Segment syn = syn_with({.mss = c.said});
        const auto opening = l.cookies.open(kNow, c.at, ack_of(l.answer(kNow, c.at, syn), syn));
        ASSERT_TRUE(opening);
        EXPECT_EQ(opening->syn.options.mss, c.kept);
    }
}

TEST(SynCookie, LastsForOneToTwoMinutes) {
    for (const Duration into : {Duration(0s), Duration(30s), Duration(59999ms)}) {
        Listener l;
        const Segment syn = syn_with(kFull);
        const Segment ack = ack_of(l.answer(kNow + into, tuple(), syn), syn);
        EXPECT_TRUE(l.cookies.open(kNow + into + 60s, tuple(), ack));
        EXPECT_TRUE(l.cookies.open(kNow + 119999ms, tuple(), ack));
        l.answer(kNow + 119s, tuple(1), syn);  // so that it is not for want of others
        EXPECT_FALSE(l.cookies.open(kNow + 120s, tuple(), ack));
    }
}

TEST(SynCookie, IsWorthNothingWhileNoneWasSentLately) {
    Listener l;
    const Segment syn = syn_with(kFull);
    const Segment ack = ack_of(l.answer(kNow, tuple(), syn), syn);
    EXPECT_FALSE(SynCookies(kKey).open(kNow, tuple(), ack));
    EXPECT_FALSE(SynCookies(kKey).sent_lately(kNow));
    EXPECT_TRUE(l.cookies.sent_lately(kNow + 119s));
    EXPECT_FALSE(l.cookies.sent_lately(kNow + 120s));
}

TEST(SynCookie, EveryPartOfItMatters) {
    Listener l;
    const Segment syn = syn_with(kFull);
    const Segment good = ack_of(l.answer(kNow, tuple(), syn), syn);
    const auto opens = [&](const FourTuple& at, const Segment& ack) {
        return l.cookies.open(kNow, at, ack).has_value();
    };
    EXPECT_TRUE(opens(tuple(), good));
    EXPECT_FALSE(opens(tuple(40001), good));
    EXPECT_FALSE(opens({.local = tuple().remote, .remote = tuple().local}, good));
    Segment bad = good;
    bad.seq = good.seq.advance(1);
    EXPECT_FALSE(opens(tuple(), bad)) << "another number of the client's";
    bad = good;
    bad.options.timestamps->echo ^= 1;
    EXPECT_FALSE(opens(tuple(), bad)) << "another scale than was asked for";
    bad.options.timestamps.reset();
    EXPECT_FALSE(opens(tuple(), bad)) << "nobody knows the scale";
    bad = good;
    bad.flags.rst = true;
    EXPECT_FALSE(opens(tuple(), bad));
    bad = good;
    bad.flags = {.syn = true, .ack = true};
    EXPECT_FALSE(opens(tuple(), bad));
    SynCookies other({1, 3});
    other.sequence_for(kNow, tuple(), syn, l.options);
    EXPECT_FALSE(other.open(kNow, tuple(), good));
}

// What a client was told holds, also when brokers have come or gone in between.
TEST(SynCookie, HoldsWhatItsSynAckAnnounced) {
    Listener l;
    std::vector<std::pair<Announcement, Segment>> answered;
    const Segment syn = syn_with(kFull);
    for (const std::uint32_t window : {2048U, 65535U, 14480U, 536U}) {
        l.options.receive_window = window;
        l.options.window_scale = static_cast<std::uint8_t>(window % 8);
        answered.emplace_back(announcement_of(l.options), ack_of(l.answer(kNow, tuple(), syn), syn));
    }
    for (const auto& [announced, ack] : answered) {
        const auto opening = l.cookies.open(kNow, tuple(), ack);
        ASSERT_TRUE(opening);
        EXPECT_EQ(opening->announced, announced);
    }
    l.options.receive_window = 9999;
    l.answer(kNow, tuple(), syn);
    EXPECT_FALSE(l.cookies.open(kNow, tuple(), answered[0].second)) << "the oldest is forgotten";
    EXPECT_TRUE(l.cookies.open(kNow, tuple(), answered[1].second));
}

// Of all numbers there are eight that open: four sizes, two minutes.
TEST(SynCookie, AGuessSucceedsOnceInTwoToThe29) {
    Listener l;
    const Segment syn = syn_with({});
    const Segment now = ack_of(l.answer(kNow + 61s, tuple(), syn), syn);
    const Segment before = ack_of(l.answer(kNow, tuple(), syn), syn);
    unsigned opened = 0;
    for (const Segment& near : {now, before}) {
        for (std::uint32_t off = 0; off < 200; ++off) {
            Segment guess = near;
            guess.ack = near.ack.retreat(100).advance(off);
            opened += l.cookies.open(kNow + 61s, tuple(), guess) ? 1 : 0;
        }
    }
    EXPECT_EQ(opened, 8U);
    std::mt19937 random(2);
    for (int i = 0; i < 100'000; ++i) {
        Segment guess = now;
        guess.seq = Seq(static_cast<std::uint32_t>(random()));
        guess.ack = Seq(static_cast<std::uint32_t>(random()));
        ASSERT_FALSE(l.cookies.open(kNow + 61s, tuple(), guess)) << i;
    }
}

// Nobody can tell an endpoint that was made from a cookie from one that had kept the SYN.
TEST(SynCookie, TheEndpointGoesOnAsIfItHadKeptTheSyn) {
    for (const bool timestamps : {true, false}) {
        Listener l;
        l.options.receive_window = 3000;
        wire::TcpOptions offer = timestamps ? kFull : wire::TcpOptions{.mss = 1460};
        const Segment syn = syn_with(offer);
        const Segment syn_ack = l.answer(kNow, tuple(), syn);
        Segment first = ack_of(syn_ack, syn);
        const std::string_view text = "CONNECT";
        first.payload = as_bytes(text);

        Sent out;
        Endpoint kept(l.options);
        kept.listen(syn_ack.seq);
        kept.on_segment(kNow, syn, out);
        kept.on_segment(kNow + 600ms, first, out);

        const auto opening = l.cookies.open(kNow + 600ms, tuple(), first);
        ASSERT_TRUE(opening);
        Endpoint made(l.options);
        made.resume_handshake(kNow + 600ms, opening->initial_sequence, opening->syn);
        EXPECT_EQ(made.state(), State::SynReceived);
        made.on_segment(kNow + 600ms, first, out);

        EXPECT_EQ(made.state(), State::Established);
        EXPECT_EQ(as_text(made.peek()), text);
        const Endpoint::Position a = kept.position();
        const Endpoint::Position b = made.position();
        EXPECT_EQ(a.send_next, b.send_next);
        EXPECT_EQ(a.send_unacked, b.send_unacked);
        EXPECT_EQ(a.receive_next, b.receive_next);
        EXPECT_EQ(a.receive_edge, b.receive_edge);
        EXPECT_EQ(a.send_window, b.send_window);
        EXPECT_EQ(a.peer_mss, b.peer_mss);
        EXPECT_EQ(a.send_scale, b.send_scale);
        EXPECT_EQ(a.receive_scale, b.receive_scale);
        EXPECT_EQ(a.window_scale, b.window_scale);
        EXPECT_EQ(a.timestamps, b.timestamps);
        EXPECT_EQ(a.sack, b.sack);
        EXPECT_EQ(a.last_timestamp_received, b.last_timestamp_received);
        EXPECT_EQ(b.smoothed_rtt, Duration(0)) << "nobody has measured it";
        EXPECT_EQ(made.statistics().retransmits, 0U);
        EXPECT_NE(made.next_deadline(), kNever) << "the ACK of the text";
    }
}

}  // namespace
}  // namespace sluice::tcp::syn_cookie_test
