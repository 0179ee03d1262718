// A router that cannot pass a spliced connection's packet on complains to Sluice; the end that sent the
// packet is told, in its own numbers, because only it can give up.
#include "sluice/wire/icmp.h"
#include "sluice/wire/icmpv6.h"
#include "worker/splice/router.h"

namespace sluice::test {
namespace {

// Those that an end is told. "Too big" is not among them: Sluice itself sends smaller packets.
std::vector<Complaint> kinds(bool ipv6) {
    return {{ipv6 ? wire::kIcmpv6Unreachable : wire::kIcmpUnreachable,
             ipv6 ? std::uint8_t{0} : std::uint8_t{1}, 0},
            time_exceeded(ipv6)};
}

TEST(SpliceIcmp, IsPassedToTheEndWhosePacketItIsAboutInItsOwnNumbers) {
    for (const unsigned workers : {1U, 3U})
        for (const bool ipv6 : {false, true}) {
            for (const Side side : {Side::Client, Side::Broker}) {
                Plot plot = over(ipv6);
                plot.setup.workers = workers;
                Spliced story(plot);
                int begin = 0;
                for (const Complaint& kind : kinds(ipv6)) {
                    for (const std::size_t size :
                         {std::size_t{ipv6 ? 48U : 28U}, std::size_t{80}, std::size_t{548}}) {
                        const std::string line = "P. " + std::to_string(begin) + ":" +
                                                 std::to_string(begin + 1000) + " ack 0 ts 7/0";
                        begin += 1000;
                        const Frame quoted = packet_sent_for(story, side, line, size);
                        story.tap.frames.clear();
                        story.lab.inject(static_cast<std::uint16_t>(other(side)),
                                         complaint(story, other(side), kind, quoted));
                        story.lab.settle();
                        expect_told(story, side, kind, as_sent(story, side, line, size));
                    }
                }
                EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_errors_translated", 6}}));
                EXPECT_EQ(story.moved("drop_"), Moved{});
                story.expect_alive();
            }
        }
}

TEST(SpliceIcmp, AboutWhatIsNotInFlightIsDropped) {
    for (const bool ipv6 : {false, true}) {
        for (const Side side : {Side::Client, Side::Broker}) {
            Spliced story(over(ipv6));
            const Frame quoted = packet_sent_for(story, side, "P. 0:1000", 548);
            story.says(other(side), ". 0:0 ack 1000");
            story.expect({std::string(side == Side::Client ? "client" : "broker") + " . 0:0 ack 1000"});
            std::vector<Complaint> all = kinds(ipv6);
            all.push_back(too_big(ipv6, 1300));
            for (const Complaint& kind : all) {
                story.lab.inject(static_cast<std::uint16_t>(other(side)),
                                 complaint(story, other(side), kind, quoted));
            }
            story.lab.settle();
            EXPECT_TRUE(story.tap.frames.empty());
            EXPECT_EQ(story.moved("icmp_"), Moved{});
            EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_icmp_unhandled", 3}}));
            story.expect_alive();
        }
    }
}

TEST(SpliceIcmp, OfTheWrongChecksumOrAboutNobodysConnectionIsDropped) {
    Spliced story;
    Frame quoted = packet_sent_for(story, Side::Client, "P. 0:1000", 548);
    story.tap.frames.clear();
    const Complaint kind = kinds(false)[0];
    Frame damaged = complaint(story, Side::Broker, kind, quoted);
    damaged.back() ^= std::byte{1};
    story.lab.inject(1, damaged);
    quoted[20] ^= std::byte{0x20};  // another source port
    story.lab.inject(1, complaint(story, Side::Broker, kind, quoted));
    story.lab.settle();
    EXPECT_TRUE(story.tap.frames.empty());
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_icmp_malformed", 1}, {"drop_icmp_unhandled", 1}}));
    story.expect_alive();
}

TEST(SpliceIcmp, IsPassedOnAtABoundedRate) {
    Spliced story;
    const Frame quoted = packet_sent_for(story, Side::Client, "P. 0:1000", 548);
    story.tap.frames.clear();
    const Frame frame = complaint(story, Side::Broker, kinds(false)[0], quoted);
    for (int i = 0; i < 1500; ++i) story.lab.inject(1, frame);
    story.lab.settle();
    // To one end: half of the rate, and two shares of the rest.
    EXPECT_EQ(story.tap.frames.size(), 502U);
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_icmp_rate", 998}}));
    EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_errors_translated", 502}}));
    story.expect_alive();
}

}  // namespace
}  // namespace sluice::test
