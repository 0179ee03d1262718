// Connections that stay relayed, with pauses of any length in the middle of what they say, over wires that
// lose: every byte arrives, in order, however often they rested in between.
//
// SLUICE_REST_SEEDS says how many are tried.
#include <gtest/gtest.h>

#include "sluice/base/random.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/ip.h"
#include "worker/lab.h"
#include "worker/model/amount.h"

namespace sluice::test::resting_random_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::unique_ptr<Lab> make_lab(std::uint64_t seed) {
    const bool families_differ = seed % 3 == 0;
    auto lab = std::make_unique<Lab>(test::Setup{.workers = seed % 5 == 4 ? 3U : 1U,
                                                 .brokers = 1,
                                                 .ipv6 = !families_differ && seed % 2 == 1,
                                                 .ipv6_clients = families_differ});
    lab->brokers[0]->host.accept_options.sack = seed % 3 != 1;
    lab->brokers[0]->host.accept_options.timestamps = seed % 3 != 2;
    return lab;
}

bool is_tcp(ByteView frame) {
    const auto ethernet = wire::EthernetView::parse(frame);
    const ByteView ip = ethernet->payload();
    if (ethernet->ether_type() == wire::kEtherTypeIpv4) return load8(ip.data() + 9) == wire::kProtocolTcp;
    return ethernet->ether_type() == wire::kEtherTypeIpv6 && load8(ip.data() + 6) == wire::kProtocolTcp;
}

std::string noise(SplitMix64& random, std::size_t size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random.next() >> 56U);
    return bytes;
}

// What one of them says, and when; returns in how many pauses it rested.
unsigned converse(Lab& lab, Socket& client, Socket& broker, SplitMix64& random) {
    std::string from_client;
    std::string from_broker;
    unsigned rests = 0;
    for (int step = 0; step < 40; ++step) {
        const auto say = [&](Socket& speaker, std::string& said) {
            const std::string text = noise(random, 1 + random.below(random.below(8) == 0 ? 50'000 : 3000));
            speaker.write(std::string_view(text));
            said += text;
        };
        const std::uint64_t who = random.below(4);
        if (who != 1) say(client, from_client);
        if (who != 2) say(broker, from_broker);
        switch (random.below(3)) {
            case 0: lab.run(milliseconds(random.below(60))); break;
            case 1: lab.run(milliseconds(900 + random.below(400))); break;
            default: lab.run(seconds(2 + random.below(100))); break;
        }
        rests += lab.usage().resting;
    }
    lab.lose_sent = lab.lose_received = nullptr;
    lab.run(minutes(5));
    EXPECT_EQ(lab.usage().resting, 1U);
    EXPECT_EQ(client.received, kConnackAccepted + from_broker);
    EXPECT_EQ(lab.brokers[0]->after_connect("device"), from_client);
    return rests;
}

TEST(RestingRandom, EveryByteArrives) {
    const std::uint64_t seeds = amount("SLUICE_REST_SEEDS", 60);
    unsigned rests = 0;
    for (std::uint64_t seed = 0; seed < seeds && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        SplitMix64 random(seed);
        const auto lab = make_lab(seed);
        Socket& client = lab->client();
        lab->settle();
        client.write(connect_packet("device", mqtt::Version::V311, 0));
        lab->run(milliseconds(100));
        const std::uint64_t lost = random.below(80);  // of 1000
        const auto lose = [&](std::uint16_t, ByteView frame) {
            return is_tcp(frame) && random.below(1000) < lost;
        };
        lab->lose_sent = lab->lose_received = lose;
        Socket* const broker = lab->brokers[0]->socket_of("device");
        ASSERT_NE(broker, nullptr);
        rests += converse(*lab, client, *broker, random);
        if (random.below(2) == 0) {
            client.abort();
        } else {
            client.shutdown();
            lab->run(milliseconds(100));
            broker->shutdown();
        }
        lab->run(seconds(3));
        EXPECT_EQ(lab->count(Counter::ClosedClientReset) + lab->count(Counter::ClosedOrderly), 1U);
        EXPECT_EQ(lab->count(Counter::RelayBytesUndelivered), 0U);
        expect_nothing_left(*lab);
    }
    EXPECT_GT(rests, 5 * seeds);  // or this was about nothing
}

}  // namespace
}  // namespace sluice::test::resting_random_test
