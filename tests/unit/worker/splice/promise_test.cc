// Before the splice Sluice's own endpoints say how much either end may send. A record holds no bytes, so they
// promise no more than the end beyond takes: what was promised too much would be lost there and sent again.
#include "worker/splice/promises.h"
#include "worker/splice/story.h"

namespace sluice::test::promise_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kTcp = "type = \"tcp\"\ninterval = \"1s\"\ntimeout = \"500ms\"";
const std::string kSubscribe("\x82\x08\x00\x01\x00\x03\x61\x2f\x62\x01", 10);
const std::string kSuback("\x90\x03\x00\x01\x01", 5);

enum class How : std::uint8_t { WithTheSubscribe, AckFirst, BehindTheConnect };

struct Device {
    std::uint32_t window;
    std::uint16_t mss;
    bool options;  // scale, SACK and timestamps
};

Socket& open(Lab& lab, const Device& device) {
    const SocketAddress from = lab.next_client_address();
    lab.clients.now = lab.now;
    lab.clients.addresses.push_back(from.address);
    tcp::EndpointOptions options{.receive_mss = device.mss, .receive_buffer = device.window};
    if (device.options) {
        options.window_scale = 2;
    } else {
        options.window_scale.reset();
        options.sack = options.timestamps = false;
    }
    return lab.clients.connect(from, lab.listener(), Lab::kFrontMac, options);
}

// The device's program reads nothing until the first burst has come as far as it may.
void expect_kept(const Setup& setup, const Device& device, How how) {
    SCOPED_TRACE(std::to_string(device.window) + "/" + std::to_string(device.mss) + ", way " +
                 std::to_string(static_cast<int>(how)) + (device.options ? ", options" : "") +
                 (setup.ipv6 ? ", IPv6" : ""));
    Lab lab(setup);
    Promises promises(lab, backend::kUnlearnedWindow);
    Socket& client = open(lab, device);
    lab.settle();
    const std::string connect = connect_packet("device");
    client.write(std::string_view(how == How::BehindTheConnect ? connect + kSubscribe : connect));
    lab.settle();
    if (how == How::AckFirst) lab.run(milliseconds(60));
    if (how != How::BehindTheConnect) client.write(std::string_view(kSubscribe));
    lab.settle();
    client.hold = true;
    Socket& broker = *lab.brokers[0]->socket_of("device");
    const std::string burst = kSuback + std::string(16'000, 'r');
    broker.write(std::string_view(burst));
    lab.run(milliseconds(400));
    EXPECT_LE(client.endpoint.readable(), device.window);
    client.hold = false;
    client.collect();
    lab.run(seconds(30));
    EXPECT_TRUE(client.received.ends_with(burst));
    EXPECT_EQ(promises.fault, "");
    if (setup.workers == 1) {  // several reorder, which looks like a loss
        EXPECT_EQ(broker.endpoint.statistics().retransmits, 0U);
        EXPECT_EQ(lab.count(Counter::TcpRetransmits), 0U);
    }
    EXPECT_EQ(lab.count(Counter::Spliced), 1U);
    client.abort();
    lab.settle();
    expect_nothing_left(lab);
}

TEST(SplicePromise, ToTheBrokerIsTheDevicesWindow) {
    for (const std::uint32_t window : {536U, 1072U, 2144U, 5840U}) {
        for (const std::uint16_t mss : {std::uint16_t{536}, std::uint16_t{1460}}) {
            for (const How how : {How::WithTheSubscribe, How::AckFirst, How::BehindTheConnect}) {
                for (const bool options : {false, true}) {
                    expect_kept({.brokers = 1}, {window, mss, options}, how);
                }
                expect_kept({.brokers = 1, .ipv6 = true}, {window, mss, true}, how);
                expect_kept({.workers = 3, .brokers = 1}, {window, mss, false}, how);
            }
        }
    }
}

// Publishes that come all at once into a broker with little room.
void expect_publishes(Setup setup, std::uint32_t buffer, bool pauses) {
    SCOPED_TRACE(std::to_string(buffer) + (pauses ? ", pauses" : "") + (setup.ipv6 ? ", IPv6" : ""));
    Lab lab(setup);
    lab.brokers[0]->host.accept_options.receive_buffer = buffer;
    lab.run(seconds(3));  // probes learn it
    Promises promises(lab, buffer);
    Socket& client = open(lab, {65'535, 1460, true});
    lab.settle();
    client.write(std::string_view(connect_packet("device")));
    lab.run(milliseconds(60));
    ASSERT_EQ(lab.usage().spliced, 1U);
    Socket& broker = *lab.brokers[0]->socket_of("device");
    broker.hold = pauses;
    std::string publishes;
    for (int i = 0; i < 20; ++i) publishes += "\x32\xac\x02" + std::string(300, static_cast<char>('a' + i));
    client.write(std::string_view(publishes));
    lab.run(milliseconds(100));
    const bool in_order = setup.workers == 1;  // several reorder, which looks like a loss
    if (in_order) {
        EXPECT_EQ(client.endpoint.statistics().retransmits, 0U);
    }
    broker.hold = false;
    broker.collect();
    lab.run(seconds(30));
    EXPECT_TRUE(broker.received.ends_with(publishes));
    if (in_order) {
        EXPECT_EQ(client.endpoint.statistics().retransmits, 0U);
    }
    EXPECT_EQ(promises.fault, "");
    client.abort();
    lab.settle();
    expect_nothing_left(lab);
}

TEST(SplicePromise, ToTheClientIsTheBrokersWindow) {
    for (const std::uint32_t buffer : {2048U, 2144U, 3000U, 4096U, 20'000U}) {
        for (const bool pauses : {false, true}) {
            expect_publishes({.brokers = 1, .health = kTcp}, buffer, pauses);
            expect_publishes({.workers = 3, .brokers = 1, .health = kTcp, .ipv6 = true}, buffer, pauses);
        }
    }
}

// Nothing was learned: what may be sent before the broker is known is little enough for most.
TEST(SplicePromise, ToTheClientOfABrokerThatNobodyKnowsIsSmall) {
    expect_publishes({.brokers = 1}, backend::kUnlearnedWindow, false);
    Lab lab({.brokers = 1});
    Tap tap(lab);
    lab.client();
    lab.settle();
    ASSERT_TRUE(tap.tcp.at(0).is_syn_ack());
    EXPECT_EQ(tap.tcp[0].tcp.window, backend::kUnlearnedWindow);
}

// The smallest window among the brokers that a client may be led to; but one that says 0 in its SYN-ACK, as
// proxies do, must not keep the CONNECT away of which all else hangs.
TEST(SplicePromise, BeginsAtTheSmallestWindowOfThePool) {
    for (const std::uint32_t smallest : {0U, 100U, 3000U, 30'000U}) {
        Lab lab({.brokers = 3, .health = kTcp});
        lab.brokers[1]->host.accept_options.receive_window = smallest;
        lab.run(seconds(3));
        Tap tap(lab);
        lab.client();
        lab.settle();
        const auto syn_ack = std::ranges::find_if(tap.tcp, &SeenSegment::is_syn_ack);
        ASSERT_NE(syn_ack, tap.tcp.end());
        EXPECT_EQ(syn_ack->tcp.window, std::max<std::uint32_t>(smallest, backend::kSmallestWindow));
    }
}

// A CONNECT that is larger than the first window opens it as far as it needs, whatever comes behind it.
TEST(SplicePromise, OpensForALargeConnect) {
    for (const unsigned workers : {1U, 3U}) {
        for (const std::uint32_t buffer : {536U, 2048U, 65'536U}) {
            for (const std::size_t size : {500U, 537U, 2049U, 5000U, 65'400U, 70'000U, 130'000U}) {
                for (const std::size_t behind : {0U, 10'000U}) {
                    SCOPED_TRACE(std::to_string(buffer) + ", " + std::to_string(size) + "+" +
                                 std::to_string(behind));
                    Lab lab({.workers = workers,
                             .brokers = 1,
                             .listener = "max_connect_size = \"256KiB\"",
                             .health = kTcp});
                    lab.brokers[0]->host.accept_options.receive_buffer = buffer;
                    lab.run(seconds(3));
                    Socket& client = open(lab, {65'535, 1460, true});
                    lab.settle();
                    const std::string connect = large_connect(size);
                    const std::string more(behind, 'm');
                    client.write(std::string_view(connect + more));
                    lab.run(seconds(20));
                    EXPECT_EQ(client.received, kConnackAccepted);
                    EXPECT_EQ(lab.brokers[0]->after_connect("device"), more);
                    EXPECT_TRUE(workers != 1 || client.endpoint.statistics().retransmits == 0);
                    EXPECT_EQ(lab.count(Counter::Spliced), 1U);
                    client.abort();
                    lab.settle();
                    expect_nothing_left(lab);
                }
            }
        }
    }
}

// The first broker would take more than the second one, and refuses: what was promised holds for both.
TEST(SplicePromise, OutlivesABrokerThatRefuses) {
    Lab lab({.brokers = 2, .pool = "retries = 1", .health = kTcp});
    lab.brokers[0]->connack_code = 3;
    lab.brokers[1]->host.accept_options.receive_buffer = 3000;
    lab.run(seconds(3));
    for (int i = 0; i < 8; ++i) {
        Promises promises(lab, 3000);
        Socket& client = open(lab, {65'535, 1460, true});
        lab.settle();
        client.write(std::string_view(connect_packet("device" + std::to_string(i))));
        lab.run(milliseconds(60));
        EXPECT_EQ(client.received, kConnackAccepted);
        EXPECT_EQ(promises.fault, "");
        const std::string text(20'000, 'x');
        client.write(std::string_view(text));
        lab.run(seconds(20));
        EXPECT_EQ(lab.brokers[1]->after_connect("device" + std::to_string(i)), text);
        EXPECT_EQ(client.endpoint.statistics().retransmits, 0U);
    }
}

// A window that is closed in the SYN, or by the handshake's last ACK, and opened later.
TEST(SplicePromise, OfAClosedWindowIsNothingUntilItOpens) {
    for (const bool ipv6 : {false, true}) {
        Lab lab({.brokers = 1, .ipv6 = ipv6});
        Promises promises(lab, backend::kUnlearnedWindow);
        const SocketAddress from = lab.next_client_address();
        lab.clients.now = lab.now;
        lab.clients.addresses.push_back(from.address);
        Socket& client =
            lab.clients.connect(from, lab.listener(), Lab::kFrontMac, {.receive_window = std::uint32_t{0}});
        lab.settle();
        client.write(std::string_view(connect_packet("device")));
        lab.run(seconds(1));
        EXPECT_EQ(client.received, "");
        EXPECT_EQ(promises.promised(Side::Broker), 0);
        EXPECT_EQ(promises.fault, "");
        client.endpoint.allow(1000);
        client.endpoint.update_window(lab.now, client);
        lab.run(seconds(1));
        EXPECT_EQ(client.received, kConnackAccepted);
        client.endpoint.allow(std::nullopt);
        client.endpoint.update_window(lab.now, client);
        lab.run(seconds(1));
        const std::string text(50'000, 'x');
        lab.brokers[0]->socket_of("device")->write(std::string_view(text));
        client.write("up");
        lab.run(seconds(5));
        EXPECT_TRUE(client.received.ends_with(text));
        EXPECT_EQ(lab.brokers[0]->after_connect("device"), "up");
        EXPECT_EQ(lab.count(Counter::Spliced), 1U);
        EXPECT_EQ(promises.fault, "");
        client.abort();
        lab.settle();
        expect_nothing_left(lab);
    }
}

// The client opens its window in the segment that Sluice's endpoint takes as the last one before the splice:
// the broker must hear of it, as nothing else may come for long.
TEST(SplicePromise, ThatGrewBeforeTheSpliceIsPassedOn) {
    for (const bool ipv6 : {false, true}) {
        Plot plot;
        plot.client.timestamps = plot.broker.timestamps = false;
        plot.client.scale = plot.broker.scale = std::nullopt;
        Story story(over(ipv6, plot));
        story.client(". 0:0 ack -4 win 0");
        story.lab.run(milliseconds(50));  // what the broker is owed is said: nothing more than was promised
        story.tap.tcp.clear();
        story.broker("P. 0:496");  // that much was
        story.client(". 0:0 ack 0 win 496");
        story.client(". 0:0 ack 496 win 0");
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        story.tap.tcp.clear();
        story.client_passes(". 0:0 ack 496 win 5000");
        story.broker_passes("P. 496:1000");
    }
}

// A client that takes back what it granted: its broker may send too much for once, which stops no splice.
TEST(SplicePromise, ThatIsTakenBackIsCounted) {
    for (const bool ipv6 : {false, true}) {
        Story usual(over(ipv6));
        usual.client(". 0:0");
        EXPECT_EQ(usual.moved("splice_beyond"), Moved{});
        Story story(over(ipv6));
        story.client(". 0:0 win 3");
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        EXPECT_EQ(story.moved("splice_beyond"), (Moved{{"splice_beyond_window", 1}}));
    }
}

// Back-pressure of a connection that stays relayed is its buffers' matter.
TEST(SplicePromise, OfAConnectionThatStaysRelayedIsTheBuffers) {
    Lab lab({.brokers = 1, .ipv6_clients = true});
    Promises promises(lab, backend::kUnlearnedWindow);
    Socket& client = open(lab, {2144, 536, true});
    lab.settle();
    client.write(std::string_view(connect_packet("device")));
    lab.run(milliseconds(60));
    EXPECT_NE(promises.fault, "");  // either end was promised more than the other one takes
    EXPECT_EQ(lab.count(Counter::RelayedMixedFamilies), 1U);
    EXPECT_GT(promises.promised(Side::Broker), 200'000);
    const std::string text(100'000, 'x');
    lab.brokers[0]->socket_of("device")->write(std::string_view(text));
    lab.run(seconds(20));
    EXPECT_TRUE(client.received.ends_with(text));
    client.abort();
    lab.settle();
    expect_nothing_left(lab);
}

}  // namespace
}  // namespace sluice::test::promise_test
