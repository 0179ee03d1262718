// The two legs may have agreed on different window scales: a window keeps its size in bytes as far as the
// other leg's numbers can say it, never grows, and what was open is not closed (RFC 7323 section 2.3).
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using Windows = std::vector<std::pair<int, int>>;  // as said, as heard

void expect_windows(std::optional<std::uint8_t> client_scale, std::optional<std::uint8_t> broker_scale,
                    const Windows& from_client, const Windows& from_broker) {
    for (const bool ipv6 : {false, true}) {
        Plot plot;
        plot.client.scale = client_scale;
        plot.broker.scale = broker_scale;
        Spliced story(over(ipv6, plot));
        const auto line = [](int window) { return " . 0:0 win " + std::to_string(window); };
        for (const auto& [said, heard] : from_client) {
            story.client(line(said).substr(1));
            story.expect({"broker" + line(heard)});
        }
        for (const auto& [said, heard] : from_broker) {
            story.broker(line(said).substr(1));
            story.expect({"client" + line(heard)});
        }
        story.expect_alive();
    }
}

// Sluice told the client 7, the usual scale of a server whose own is not known yet, and the broker what the
// client had told.
TEST(SpliceWindow, IsTheSameNumberWhereTheScalesAre) {
    const Windows all{{0, 0}, {1, 1}, {500, 500}, {65535, 65535}};
    expect_windows(7, 7, all, all);
    expect_windows(0, 7, all, all);
    expect_windows(14, 7, all, all);
}

TEST(SpliceWindow, OfABrokerWithASmallerScaleShrinksInNumberButNotToZero) {
    expect_windows(7, 2, {{0, 0}, {1, 1}, {65535, 65535}},
                   {{0, 0}, {1, 1}, {31, 1}, {32, 1}, {500, 15}, {65535, 2047}});
}

TEST(SpliceWindow, OfABrokerWithALargerScaleGrowsInNumberUpToWhatTheFieldHolds) {
    expect_windows(7, 10, {{0, 0}, {1, 1}, {65535, 65535}},
                   {{0, 0}, {1, 8}, {8191, 65528}, {8192, 65535}, {65535, 65535}});
}

TEST(SpliceWindow, WithoutScalingOnOneLegIsConvertedToBytes) {
    expect_windows(7, std::nullopt, {{0, 0}, {1, 128}, {511, 65408}, {512, 65535}, {65535, 65535}},
                   {{0, 0}, {1, 1}, {127, 1}, {128, 1}, {500, 3}, {65535, 511}});
}

// A client that does not scale is not told a scale, and neither is its broker.
TEST(SpliceWindow, WithoutScalingByTheClientHasNoScaleOnEitherLeg) {
    const Windows all{{0, 0}, {1, 1}, {500, 500}, {65535, 65535}};
    expect_windows(std::nullopt, 7, all, all);
    expect_windows(std::nullopt, std::nullopt, all, all);
}

// A receiver that pauses closes its window and opens it again; no byte of its sender's is lost in between.
TEST(SpliceWindow, UpdateAfterZeroReachesTheSenderAcrossScales) {
    Plot plot;
    plot.broker.scale = 2;
    Spliced story(plot);
    story.client_passes("P. 0:1000");
    story.broker(". 0:0 ack 1000 win 0");
    story.expect({"client . 0:0 ack 1000 win 0"});
    story.broker(". 0:0 ack 1000 win 16384");  // 65536 bytes
    story.expect({"client . 0:0 ack 1000 win 512"});
    story.client_passes("P. 1000:2400");
    story.expect_alive();
}

// Until the splice the broker was granted Sluice's window; from then on the client's, which may be far
// smaller, is all there is. What was sent too much is sent again, and no more than that.
TEST(SpliceWindow, OfASmallReaderHoldsBackAWriterThatWasPromisedMore) {
    for (const bool client_reads : {true, false}) {
        Lab lab({.brokers = 1});
        constexpr std::uint32_t kSmall = 6000;
        if (!client_reads) lab.brokers[0]->host.accept_options.receive_buffer = kSmall;
        const SocketAddress from = lab.next_client_address();
        lab.clients.now = lab.now;
        lab.clients.addresses.push_back(from.address);
        Socket& client = lab.clients.connect(from, lab.listener(), Lab::kFrontMac,
                                             {.receive_buffer = client_reads ? kSmall : 65536U});
        lab.settle();
        client.write(std::string_view(connect_packet("device")));
        lab.run(std::chrono::milliseconds(50));
        ASSERT_EQ(lab.usage().spliced, 1U);
        Socket& broker = *lab.brokers[0]->socket_of("device");
        Socket& reader = client_reads ? client : broker;
        Socket& writer = client_reads ? broker : client;
        const std::string text(300'000, 'x');
        writer.write(std::string_view(text));
        lab.run(std::chrono::seconds(3));
        EXPECT_TRUE(reader.received.ends_with(text));
        EXPECT_LT(writer.endpoint.statistics().retransmits, 20U);
        client.abort();
        lab.settle();
        expect_nothing_left(lab);
    }
}

}  // namespace
}  // namespace sluice::test
