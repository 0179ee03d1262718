// What ends may say in their SYNs that Sluice's endpoints must not agree to on one leg only, or must not take
// at its word.
#include <algorithm>

#include "worker/splice/promises.h"

namespace sluice::test {
namespace {

// ECN is agreed on by both ends of a connection or by none (RFC 3168 section 6.1.1): endpoints decline, so
// neither end marks its packets capable, and none of the bits is ever answered by half.
TEST(SpliceNegotiation, OfEcnIsDeclinedOnBothLegs) {
    for (const bool ipv6 : {false, true}) {
        Lab lab({.brokers = 1, .ipv6 = ipv6});
        Tap tap(lab);
        const SocketAddress from = lab.next_client_address();
        lab.clients.deaf_tcp = true;
        RawSegment raw{.from = from,
                       .to = lab.listener(),
                       .sequence = 1000,
                       .flags = {.syn = true, .ece = true, .cwr = true},
                       .options = {.mss = 1460}};
        lab.inject(0, make_segment(raw));
        lab.settle();
        const auto syn_ack = std::ranges::find_if(tap.tcp, &SeenSegment::is_syn_ack);
        ASSERT_NE(syn_ack, tap.tcp.end());
        EXPECT_FALSE(syn_ack->tcp.flags.ece || syn_ack->tcp.flags.cwr);
        raw.sequence = 1001;
        raw.acknowledgement = syn_ack->tcp.sequence + 1;
        raw.flags = {.psh = true, .ack = true};
        raw.options = {};
        raw.payload = connect_packet("device");
        lab.inject(0, make_segment(raw));
        lab.settle();
        ASSERT_EQ(tap.upstream_syns().size(), 1U);
        for (const SeenSegment& s : tap.tcp) EXPECT_FALSE(s.tcp.flags.ece || s.tcp.flags.cwr);
    }
}

struct Said {
    std::optional<std::uint16_t> mss;
    std::uint16_t meant;  // as Linux takes it
};

// No MSS and one of 0 mean the protocol's default, one that is too small to work with the smallest that
// works.
TEST(SpliceNegotiation, OfTheSegmentSizeTakesNonsenseForWhatItMeans) {
    for (const bool ipv6 : {false, true}) {
        const auto standard = static_cast<std::uint16_t>(ipv6 ? 1220 : 536);
        for (const Said& said : {Said{std::nullopt, standard}, Said{0, standard}, Said{1, 48}, Said{48, 48},
                                 Said{64, 64}, Said{65535, static_cast<std::uint16_t>(ipv6 ? 1440 : 1460)}}) {
            SCOPED_TRACE(said.mss ? std::to_string(*said.mss) : "none");
            Plot plot;
            plot.client.mss = said.mss;
            plot.client.timestamps = plot.broker.timestamps = false;
            Spliced story(over(ipv6, plot));
            story.client_passes("P. 0:1000");
            const std::string size = std::to_string(said.meant);
            story.broker_passes("P. 0:" + size + " ack 1000");
            story.expect_alive();
        }
    }
}

// The SYN to the broker asks it for segments that the client takes.
TEST(SpliceNegotiation, OfTheSegmentSizeReachesTheBroker) {
    for (const bool ipv6 : {false, true}) {
        const auto standard = static_cast<std::uint16_t>(ipv6 ? 1220 : 536);
        for (const Said& said :
             {Said{std::nullopt, standard}, Said{0, standard}, Said{1, 48}, Said{48, 48}, Said{536, 536}}) {
            Lab lab({.brokers = 1, .ipv6 = ipv6});
            Tap tap(lab);
            lab.clients.deaf_tcp = true;
            RawSegment raw{.from = lab.next_client_address(),
                           .to = lab.listener(),
                           .sequence = 1000,
                           .flags = {.syn = true},
                           .options = {.mss = said.mss}};
            lab.inject(0, make_segment(raw));
            lab.settle();
            const auto syn_ack = std::ranges::find_if(tap.tcp, &SeenSegment::is_syn_ack);
            ASSERT_NE(syn_ack, tap.tcp.end());
            raw.sequence = 1001;
            raw.acknowledgement = syn_ack->tcp.sequence + 1;
            raw.flags = {.psh = true, .ack = true};
            raw.options = {};
            raw.payload = connect_packet("device");
            lab.inject(0, make_segment(raw));
            lab.settle();
            ASSERT_EQ(tap.upstream_syns().size(), 1U);
            EXPECT_EQ(tap.upstream_syns()[0].tcp.options.mss, said.meant);
            for (const SeenSegment& s : tap.tcp) {
                EXPECT_TRUE(s.port != 0 || s.payload.size() <= said.meant);
            }
        }
    }
}

// A keepalive probe is the segment that acknowledges the CONNACK: it is answered, and the record takes over.
TEST(SpliceNegotiation, AProbeMayBeWhatMakesTheConnectionQuiet) {
    for (const bool ipv6 : {false, true}) {
        for (const char* const probe : {". -1:-1", ". -1:0 garbled"}) {
            Story story(over(ipv6));
            story.client(probe);
            EXPECT_EQ(story.phase(), session::Phase::Spliced);
            story.expect({"client . 0:0", "broker . 0:0"});
            story.client_passes(probe);  // the next one is the broker's to answer
            story.broker_passes(". 0:0");
            story.client_passes("P. 0:10");
            story.expect_alive();
        }
    }
}

}  // namespace
}  // namespace sluice::test
