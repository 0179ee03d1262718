// The clocks that either end sees go on without a step at the splice, so that PAWS (RFC 7323 section 5)
// refuses nothing; a segment that is old is its receiver's to refuse, and its duplicate ACK comes back.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;

TEST(SpliceClock, OfAnOldSegmentIsJudgedByItsReceiver) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("P. 0:10 ts 100/0");
        story.broker_passes(". 0:0 ack 10 ts 100/100");
        story.client_passes("P. 10:20 ts -5000/0");      // a copy from long ago
        story.broker_passes(". 0:0 ack 10 ts 101/100");  // is refused
        story.broker_passes("P. 0:10 ack 10 ts -5000/100");
        story.client_passes(". 10:10 ack 0 ts 110/101");
        story.client_passes("P. 10:20 ts 120/101");
        EXPECT_EQ(story.moved("tcp_"), Moved{});
        story.expect_alive();
    }
}

// A segment without the agreed option is its receiver's to refuse too (RFC 7323 section 3.2).
TEST(SpliceClock, ThatIsMissingStaysMissing) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("P. 0:10 nots");
        story.broker_passes("P. 0:10 nots");
        story.client_passes("P. 0:10 ts 5/0");
        story.expect_alive();
    }
}

// A story that says itself when the splice has come.
struct Freezing : Story {
    using Story::freeze;
    using Story::Story;
};

// Before the splice Sluice's endpoints do as those receivers do that take it, and count it. The last
// timestamp that was seen is then the one that clocks go on from.
TEST(SpliceClock, ThatIsMissingBeforeTheSpliceEndsNothing) {
    for (const bool ipv6 : {false, true}) {
        for (const auto& [client_forgets, broker_forgets] :
             {std::pair{true, false}, std::pair{false, true}, std::pair{true, true}}) {
            Plot plot;
            plot.client.forgets_them = client_forgets;
            plot.broker.forgets_them = broker_forgets;
            Freezing story(over(ipv6, plot));
            EXPECT_EQ(story.phase(), session::Phase::Relayed);
            story.client(client_forgets ? ". 0:0 nots" : ". 0:0");
            EXPECT_EQ(story.phase(), session::Phase::Spliced);
            story.expect({"broker . 0:0 ack 0"});
            story.freeze();
            const std::uint64_t missing = (client_forgets ? 2U : 0U) + (broker_forgets ? 1U : 0U);
            EXPECT_EQ(story.lab.count(Counter::TcpMissingTimestamps), missing);
            story.client_passes("P. 0:10 nots");  // they stay away
            story.broker_passes("P. 0:10 ack 10 nots");
            story.client_passes("P. 10:20 ack 10 ts 100/0");  // and come back
            story.broker_passes("P. 10:20 ack 20 ts 100/100");
            story.client_passes(". 20:20 ack 20 ts 101/100");
            EXPECT_EQ(story.lab.count(Counter::TcpPawsRejected), 0U);
            story.expect_alive();
        }
    }
}

// In front of the text of a segment that has none, at a FIN, and while bytes are relayed.
TEST(SpliceClock, ThatIsMissingAtTheSplicePasses) {
    for (const bool ipv6 : {false, true}) {
        for (const char* const line : {"P. 0:14 nots", "F. 0:0 nots", "FP. 0:14 nots"}) {
            Story story(over(ipv6));
            story.client(line);
            story.expect({"broker . 0:0", std::string("broker ") + line});
            EXPECT_EQ(story.phase(), session::Phase::Spliced);
        }
        Story story(over(ipv6));
        story.broker("P. 0:100 nots");
        story.expect({"client P. 0:100"});
        story.client("P. 0:10 ack -4 nots");  // the CONNACK is on its way
        story.expect({"broker P. 0:10 ack 100 win 499"});
        story.broker(". 100:100 ack 10 nots");
        story.client(". 10:10 ack 100 nots");
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        EXPECT_EQ(story.moved("tcp_missing"), (Moved{{"tcp_missing_timestamps", 4}}));
    }
}

// Hosts whose clocks have nothing to do with each other and that wait before they speak.
void expect_steady_clocks(std::uint32_t client_offset, std::uint32_t broker_offset) {
    Lab lab({.brokers = 1});
    lab.brokers[0]->host.accept_options.timestamp_offset = broker_offset;
    Tap tap(lab);
    const SocketAddress from = lab.next_client_address();
    lab.clients.now = lab.now;
    lab.clients.addresses.push_back(from.address);
    Socket& client =
        lab.clients.connect(from, lab.listener(), Lab::kFrontMac, {.timestamp_offset = client_offset});
    lab.run(milliseconds(700));
    client.write(std::string_view(connect_packet("device")));
    lab.run(milliseconds(300));
    ASSERT_EQ(lab.usage().spliced, 1U);
    Socket& broker = *lab.brokers[0]->socket_of("device");
    for (int i = 0; i < 20; ++i) {
        client.write("ping");
        lab.run(milliseconds(70));
        broker.write("pong");
        lab.run(milliseconds(90));
    }
    EXPECT_EQ(client.endpoint.statistics().paws_rejected, 0U);
    EXPECT_EQ(broker.endpoint.statistics().paws_rejected, 0U);
    EXPECT_EQ(client.endpoint.statistics().retransmits + broker.endpoint.statistics().retransmits, 0U);
    // A round trip takes no time in the lab; a wrong echo would look like one that takes long.
    EXPECT_LT(client.endpoint.statistics().smoothed_rtt, milliseconds(60));
    EXPECT_LT(broker.endpoint.statistics().smoothed_rtt, milliseconds(60));
    for (const std::uint16_t port : {std::uint16_t{0}, std::uint16_t{1}}) {
        std::optional<std::uint32_t> last;
        for (const SeenSegment& s : tap.tcp) {
            if (s.port != port) continue;
            ASSERT_TRUE(s.tcp.options.timestamps);
            const std::uint32_t value = s.tcp.options.timestamps->value;
            EXPECT_TRUE(!last || tcp::Seq(value).at_or_after(tcp::Seq(*last)));
            last = value;
        }
    }
    client.abort();
    lab.settle();
    expect_nothing_left(lab);
}

TEST(SpliceClock, NeverGoesBackAtTheSplice) {
    expect_steady_clocks(0, 0);
    expect_steady_clocks(0x7fffffff, 0x80000000);
    expect_steady_clocks(0U - 3'600'800U, 12345);  // wraps between handshake and CONNECT's answer
    expect_steady_clocks(54321, 0U - 3'601'500U);  // wraps after the splice
}

}  // namespace
}  // namespace sluice::test
