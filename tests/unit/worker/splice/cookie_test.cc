// Connections whose SYN nobody kept, because too many handshakes were half open: what their ACK brings back
// makes them connections like all others.
#include <algorithm>
#include <string>

#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Frame forged_syn(const Lab& lab, std::uint32_t n) {
    const bool v4 = lab.listener().address.is_v4();
    const IpAddress from = v4 ? IpAddress::v4(10, 1, 200, 7) : *IpAddress::parse("fd00:1::200:7");
    return make_segment({.from = {from, static_cast<std::uint16_t>(2000 + n)},
                         .to = lab.listener(),
                         .sequence = 77,
                         .flags = {.syn = true},
                         .options = {.mss = 1460}});
}

void fill(Lab& lab, std::uint32_t handshakes) {
    for (std::uint32_t n = 0; n < handshakes; ++n) lab.inject(0, forged_syn(lab, n));
    lab.settle();
}

// Its client finds that as many handshakes as may be are half open.
Plot pressed(Plot plot = {}) {
    plot.setup.listener += "half_open = 1\n";
    plot.prepare = [](Lab& lab) { fill(lab, 1); };
    return plot;
}

TEST(SpliceCookie, OfAClientIsEnoughForASplice) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(pressed(over(ipv6)));
        EXPECT_EQ(story.lab.count(Counter::SynCookiesSent), 1U);
        EXPECT_EQ(story.lab.count(Counter::SynCookiesAccepted), 1U);
        story.lab.run(milliseconds(1100));  // the forged ones are let go
        story.client_passes("P. 0:4 win 9 ts 3/0");
        story.broker_passes("P. 0:12 ack 4 win 700 ts 9/3");
        story.client_passes(". 4:4 ack 2 ts 4/9 sack 5:12");
        story.broker_passes("P. 2:5 ack 4 ts 9/4");
        story.expect_alive();
    }
}

TEST(SpliceCookie, OfAClientWithoutTimestampsIsEnoughToo) {
    for (const bool ipv6 : {false, true}) {
        Plot plot;
        plot.client.timestamps = false;
        Spliced story(pressed(over(ipv6, plot)));
        EXPECT_EQ(story.lab.count(Counter::SynCookiesAccepted), 1U);
        story.lab.run(milliseconds(1100));  // the forged ones are let go
        story.client_passes("P. 0:4 win 9");
        story.broker_passes("P. 0:12 ack 4 win 700");
        story.expect_alive();
    }
}

struct Asked {
    bool timestamps;
    bool sack;
    std::optional<std::uint8_t> scale;
};

// Hosts at both ends, whatever the client asks for: as much in either direction as windows ever take, and the
// same was agreed on by both.
TEST(SpliceCookie, CarriesWhatTheClientAskedFor) {
    for (const bool ipv6 : {false, true}) {
        for (const Asked& asked : {Asked{true, true, 7}, Asked{true, false, 14}, Asked{true, true, 0},
                                   Asked{true, false, {}}, Asked{false, true, 7}, Asked{false, false, {}}}) {
            Lab lab({.brokers = 1, .listener = "half_open = 1\n", .ipv6 = ipv6});
            fill(lab, 1);
            const SocketAddress from = lab.next_client_address();
            lab.clients.addresses.push_back(from.address);
            lab.clients.now = lab.now;
            tcp::EndpointOptions options;
            options.timestamps = asked.timestamps;
            options.sack = asked.sack;
            options.window_scale = asked.scale;
            Socket& client = lab.clients.connect(from, lab.listener(), Lab::kFrontMac, options);
            client.write(connect_packet("device"));
            lab.settle();
            ASSERT_EQ(client.received, kConnackAccepted);
            EXPECT_EQ(lab.count(Counter::SynCookiesAccepted), 1U);
            lab.run(milliseconds(100));
            EXPECT_EQ(lab.count(Counter::Spliced), 1U);

            const tcp::Endpoint::Position own = client.endpoint.position();
            const tcp::Endpoint::Position broker = lab.brokers[0]->socket_of("device")->endpoint.position();
            EXPECT_EQ(own.timestamps, asked.timestamps);
            EXPECT_EQ(broker.timestamps, asked.timestamps);
            EXPECT_EQ(own.sack, asked.timestamps && asked.sack);
            EXPECT_EQ(broker.sack, own.sack);
            EXPECT_EQ(own.window_scale, asked.timestamps && asked.scale.has_value());
            EXPECT_EQ(broker.window_scale, own.window_scale);

            std::string much(200'000, 'u');
            for (std::size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>('a' + i * 7 % 26);
            client.received.clear();
            client.write(std::string_view(much));
            lab.brokers[0]->socket_of("device")->write(std::string_view(much));
            lab.run(seconds(5));
            EXPECT_EQ(client.received, much);
            EXPECT_EQ(lab.brokers[0]->after_connect("device"), much);
            EXPECT_EQ(lab.count(Counter::SpliceBeyondWindow), 0U);
            client.abort();
            lab.run(seconds(12));
            expect_nothing_left(lab);
        }
    }
}

// A client made by hand.
struct Hand {
    explicit Hand(Lab& lab, wire::TcpOptions options = {.mss = 1460})
        : lab(lab), tap(lab), options_(options) {
        lab.clients.deaf_tcp = true;
        raw_.from = lab.next_client_address();
        raw_.to = lab.listener();
    }

    void syn() {
        raw_.sequence = 5000;
        raw_.flags = {.syn = true};
        raw_.options = options_;
        lab.inject(0, make_segment(raw_));
        lab.settle();
        const auto answer = std::find_if(tap.tcp.rbegin(), tap.tcp.rend(), [&](const SeenSegment& s) {
            return s.is_syn_ack() && s.to == raw_.from;
        });
        ASSERT_NE(answer, tap.tcp.rend());
        answer_ = answer->tcp;
        tap.tcp.clear();
    }

    void ack(std::string payload, std::uint32_t off = 0) {
        raw_.sequence = 5001;
        raw_.acknowledgement = answer_.sequence + 1 + off;
        raw_.flags = {.psh = true, .ack = true};
        raw_.options = {};
        if (answer_.options.timestamps) {
            raw_.options.timestamps =
                wire::TcpTimestamps{.value = 9, .echo = answer_.options.timestamps->value};
        }
        raw_.payload = std::move(payload);
        lab.inject(0, make_segment(raw_));
        lab.settle();
    }

    bool was_reset() const {
        return std::ranges::any_of(tap.tcp, [&](const SeenSegment& s) {
            return s.port == 0 && s.tcp.flags.rst && s.to == raw_.from;
        });
    }
    std::size_t answers() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            tap.tcp, [&](const SeenSegment& s) { return s.port == 0 && s.to == raw_.from; }));
    }

    Lab& lab;
    Tap tap;

  private:
    wire::TcpOptions options_;
    RawSegment raw_;
    wire::TcpHeader answer_{};
};

const wire::TcpOptions kFull{
    .mss = 1460, .window_scale = 7, .sack_permitted = true, .timestamps = wire::TcpTimestamps{.value = 5}};

// Linux reserves half of its queue for the young as well; a client behind seconds of radio is not lost by it.
TEST(SynCookies, AHalfOpenClientThatWasLetGoComesInLate) {
    Lab lab({.listener = "half_open = 8\n"});
    fill(lab, 4);
    Hand hand(lab, kFull);
    hand.syn();
    EXPECT_EQ(lab.count(Counter::SynCookiesSent), 0U) << "it was held";
    lab.inject(0, forged_syn(lab, 5));
    lab.settle();
    lab.run(milliseconds(1100));
    EXPECT_EQ(lab.count(Counter::HalfOpenLetGo), 2U);
    EXPECT_EQ(lab.usage().half_open, 4U) << "those of before keep their place";
    lab.run(seconds(6));
    hand.ack(connect_packet("late"));
    EXPECT_FALSE(hand.was_reset());
    EXPECT_EQ(lab.count(Counter::ConnectAccepted), 1U);
}

// What a cookie would not hold is held: a client without timestamps that has agreed on a scale.
TEST(SynCookies, AHalfOpenClientThatACookieWouldLoseIsHeldToItsEnd) {
    Lab lab({.listener = "half_open = 4\n"});
    fill(lab, 3);
    wire::TcpOptions offer = kFull;
    offer.timestamps.reset();
    Hand hand(lab, offer);
    hand.syn();
    lab.run(milliseconds(1100));
    EXPECT_EQ(lab.usage().half_open, 3U);
    lab.run(seconds(6));
    hand.ack(connect_packet("late"));
    EXPECT_EQ(lab.count(Counter::ConnectAccepted), 1U);
    EXPECT_EQ(lab.count(Counter::SynCookiesAccepted), 0U);
}

TEST(SynCookies, OfAnotherNumberAreResetAndCounted) {
    Lab lab({.listener = "half_open = 1\n"});
    fill(lab, 1);
    Hand hand(lab);
    hand.syn();
    hand.ack(connect_packet("guess"), 4);
    EXPECT_TRUE(hand.was_reset());
    EXPECT_EQ(lab.count(Counter::SynCookiesFailed), 1U);
    EXPECT_EQ(lab.usage().connections, 1U);
    hand.ack(connect_packet("right"));
    EXPECT_EQ(lab.count(Counter::SynCookiesAccepted), 1U);
    EXPECT_EQ(lab.count(Counter::ConnectAccepted), 1U);
}

TEST(SynCookies, CountForNothingWhereNoneWasSentLately) {
    Lab lab({.listener = "half_open = 1\n"});
    fill(lab, 1);
    Hand hand(lab);
    hand.syn();
    lab.run(minutes(2));
    hand.ack(connect_packet("too late"));
    EXPECT_TRUE(hand.was_reset());
    EXPECT_EQ(lab.count(Counter::SynCookiesFailed), 0U);
    EXPECT_EQ(lab.count(Counter::SynCookiesAccepted), 0U);
}

// A client that is connected as far as it knows is not told no: it repeats its CONNECT until there is room.
TEST(SynCookies, AreHeldToTheLimitsWhenTheyComplete) {
    Lab lab({.listener = "half_open = 1\nmax_connections = 2\n"});
    fill(lab, 1);
    Hand hand(lab);
    hand.syn();
    lab.clients.deaf_tcp = false;
    lab.run(milliseconds(1100));  // the forged one is let go
    Socket& first = lab.connect("first");
    lab.connect("second");
    ASSERT_EQ(lab.usage().connections, 2U);
    const std::uint64_t full = lab.count(Counter::DropSynListenerFull);
    hand.tap.tcp.clear();
    hand.ack(connect_packet("third"));
    EXPECT_EQ(lab.count(Counter::DropSynListenerFull), full + 1);
    EXPECT_EQ(hand.answers(), 0U);
    first.abort();
    lab.settle();
    hand.ack(connect_packet("third"));
    EXPECT_NE(lab.broker_of("third"), nullptr);
}

// The SYN-ACK promised 2 KiB, and meanwhile the operator allows one: what was promised is taken.
TEST(SynCookies, KeepTheWindowThatWasAnnounced) {
    const test::Setup setup{.listener = "half_open = 1\n"};
    Lab lab(setup);
    fill(lab, 1);
    Hand hand(lab);
    hand.syn();
    test::Setup smaller = setup;
    smaller.listener += "connect_window = \"1KiB\"\nmax_connect_size = \"1KiB\"\n";
    lab.reload(configuration(smaller));
    const std::string connect = connect_packet("big");
    hand.ack(connect + std::string(1400 - connect.size(), 'x'));
    const auto taken = std::ranges::any_of(hand.tap.tcp, [](const SeenSegment& s) {
        return s.port == 0 && s.tcp.acknowledgement == 5001 + 1400;
    });
    EXPECT_TRUE(taken);
}

// Its hash is over them, so a listener that has learned more of its brokers still knows what it said before.
TEST(SynCookies, AreGoodBeforeAndAfterAReload) {
    const test::Setup setup{.workers = 3, .listener = "half_open = 3\n"};
    Lab lab(setup);
    fill(lab, 200);
    Hand hand(lab, kFull);
    hand.syn();
    test::Setup other = setup;
    other.listener += "connect_timeout = \"7s\"\n";
    lab.reload(configuration(other));
    hand.ack(connect_packet("device"));
    EXPECT_EQ(lab.count(Counter::SynCookiesAccepted), 1U);
    EXPECT_EQ(lab.count(Counter::ConnectAccepted), 1U);
}

}  // namespace
}  // namespace sluice::test
