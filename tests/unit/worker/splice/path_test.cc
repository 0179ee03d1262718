// A path that does not take a packet as it is: too narrow, or too long for its hop limit. What can be cut is
// cut, for this connection alone and without a word to either end; of everything else its sender is told why.
#include "sluice/wire/ipv4.h"
#include "worker/splice/router.h"

namespace sluice::test::path_test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kIp = wire::kEthernetHeaderSize;
constexpr Side kSides[] = {Side::Client, Side::Broker};

std::string name(Side side) { return side == Side::Client ? "client " : "broker "; }
// Payload of a full packet of that MTU, with timestamps.
int payload(bool ipv6, int mtu) { return mtu - (ipv6 ? 72 : 52); }
std::string range(int begin, int end) { return std::to_string(begin) + ":" + std::to_string(end); }
// Bytes that an error quotes at most.
std::size_t quoted(bool ipv6) { return ipv6 ? 1232 : 548; }

// The side says `line`, and a router behind the other one answers what comes of it by "too big".
void complain(Story& story, Side side, std::string_view line, std::uint32_t mtu) {
    const bool ipv6 = !story.leg(side).remote.address.is_v4();
    const Frame packet = packet_sent_for(story, side, line, quoted(ipv6));
    story.lab.inject(static_cast<std::uint16_t>(other(side)),
                     complaint(story, other(side), too_big(ipv6, mtu), packet));
    story.lab.settle();
    EXPECT_TRUE(story.tap.frames.empty());  // neither end hears of it
}

// A full packet of 1500 passes in two pieces of `mtu` at most.
void expect_cut(Story& story, Side side, int begin, int mtu) {
    const bool ipv6 = !story.leg(side).remote.address.is_v4();
    const int end = begin + payload(ipv6, 1500);
    const int middle = begin + payload(ipv6, mtu);
    story.says(side, "P. " + range(begin, end));
    for (const auto& [port, frame] : story.tap.frames)
        EXPECT_LE(frame.size(), kIp + static_cast<unsigned>(mtu));
    story.expect(
        {name(other(side)) + ". " + range(begin, middle), name(other(side)) + "P. " + range(middle, end)});
}
void expect_whole(Story& story, Side side, int begin) {
    const bool ipv6 = !story.leg(side).remote.address.is_v4();
    const std::string line = "P. " + range(begin, begin + payload(ipv6, 1500));
    story.says(side, line);
    story.expect({name(other(side)) + line});
}

// Clients on a network of large frames, brokers on one of usual ones.
Plot wide_clients(bool ipv6) {
    Plot plot = over(ipv6);
    plot.setup.front = "mtu = 9000";
    plot.prepare = [](Lab& lab) {
        lab.health->on_probe(0, backend::ProbeFailure::None,
                             {.mss = 1400, .window_scale = 7, .sack = true, .timestamps = true}, {}, lab.now);
        lab.set_down({});
    };
    plot.broker.mss = 1400;
    return plot;
}

TEST(SplicePath, WhatAClientSendsAgainstItsMssIsCutForThePortItLeavesBy) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(wide_clients(ipv6));
        const int full = payload(ipv6, 1500);
        story.client_passes("P. 0:1400");
        story.client("FP. 1400:3200 ack 0 sack 10:20");
        const int room = full - 12;  // a block, and two bytes beside it
        story.expect({"broker . " + range(1400, 1400 + room) + " sack 10:20",
                      "broker FP. " + range(1400 + room, 3200) + " sack 10:20"});
        EXPECT_EQ(story.moved("drop_"), Moved{});
        EXPECT_EQ(story.moved("splice_"), (Moved{{"splice_bytes_to_broker", 3200},
                                                 {"splice_packets_to_broker", 2},
                                                 {"splice_split_segments", 1}}));
        story.broker_passes("P. 0:1400");
        story.expect_alive();
    }
}

TEST(SplicePath, PiecesGoOnFromOneAnotherInEveryHeader) {
    Spliced story(wide_clients(false));
    Frame frame = story.frame(Side::Client, "PW. 0:1900");
    story.arrives(Side::Client, frame);
    ASSERT_EQ(story.tap.frames.size(), 2U);
    const std::uint16_t identification = load16(frame.data() + kIp + 4);
    for (std::size_t i = 0; i < 2; ++i) {
        wire::IpError error{};
        const auto ip = wire::Ipv4View::parse(ByteView(story.tap.frames[i].second).subspan(kIp), error);
        ASSERT_TRUE(ip);
        EXPECT_TRUE(ip->checksum_valid() && ip->dont_fragment());
        EXPECT_EQ(ip->identification(), identification + i);
        EXPECT_EQ(ip->ttl(), 63);
    }
    story.expect({"broker W. 0:1448", "broker P. 1448:1900"});  // CWR once (RFC 3168)
    story.expect_alive();
}

// What a full port gives up is gone at once, while its packet is still being counted.
TEST(SplicePath, AFullPortLosesPacketsAndPiecesAlike) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(wide_clients(ipv6));
        const std::size_t held = story.lab.frames->outstanding();
        story.lab.ports[1]->limit_transmit(0);
        for (int i = 0; i < 1000; ++i) {
            story.lab.inject(0, story.frame(Side::Client, "P. 0:1900"));
            story.lab.inject(0, story.frame(Side::Client, "F. 1900:1900 badsum"));  // judged in full
            story.lab.workers[0]->step(story.lab.now);
        }
        story.lab.inject(0, story.frame(Side::Client, "R 0:0"));
        story.lab.workers[0]->step(story.lab.now);
        EXPECT_EQ(story.moved("drop_tx_full"), (Moved{{"drop_tx_full", 2 * 1000U + 1 - 1024}}));
        story.lab.ports[1]->limit_transmit(port::MemoryPort::kNoLimit);
        story.lab.settle();
        EXPECT_EQ(story.tap.tcp_on(1), 1024U);
        EXPECT_EQ(story.lab.count(Counter::ClosedClientReset), 1U);
        EXPECT_LE(story.lab.frames->outstanding(), held + 64);  // spare ones
    }
}

// A piece gets a checksum of its own, so that damage would become truth.
TEST(SplicePath, WhatIsDamagedIsNotCut) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(wide_clients(ipv6));
        story.client("P. 0:1900 badsum");
        story.expect({});
        EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_tcp_checksum", 1}}));
        EXPECT_EQ(story.moved("splice_"), Moved{});
        story.expect_alive();
    }
}

TEST(SplicePath, TheSenderOfWhatCannotBeCutIsToldHowMuchPasses) {
    for (const unsigned workers : {1U, 3U})
        for (const bool ipv6 : {false, true}) {
            Plot plot = wide_clients(ipv6);
            plot.setup.workers = workers;
            Spliced story(plot);
            const char* const reset = "R. 0:1900 ts 0/0";
            story.client(reset);
            expect_told(story, Side::Client, too_big(ipv6, 1500),
                        as_sent(story, Side::Client, reset, quoted(ipv6)));
            EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_splice_over_mtu", 1}}));
            EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_too_big_sent", 1}}));
            story.expect_alive();
        }
}

TEST(SplicePath, TheSenderOfWhatHasUsedUpItsHopsIsTold) {
    for (const unsigned workers : {1U, 3U})
        for (const bool ipv6 : {false, true}) {
            for (const Side side : kSides) {
                Plot plot = over(ipv6);
                plot.setup.workers = workers;
                Spliced story(plot);
                for (const std::string line : {"P. 0:10", ". 0:0", "P. 0:1400", "FP. 0:10", "R. 0:0"}) {
                    Frame frame = story.frame(side, line);
                    if (ipv6) {
                        frame[kIp + 7] = std::byte{1};
                    } else {
                        frame[kIp + 8] = std::byte{1};
                        store16(frame.data() + kIp + 10,
                                static_cast<std::uint16_t>(load16(frame.data() + kIp + 10) + 0x3f00));
                    }
                    story.tap.frames.clear();
                    story.arrives(side, frame);
                    expect_told(story, side, time_exceeded(ipv6), as_sent(story, side, line, quoted(ipv6)));
                }
                EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_ttl_exceeded", 5}}));
                EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_time_exceeded_sent", 5}}));
                story.expect_alive();
            }
        }
}

TEST(SplicePath, ErrorsLeaveAtABoundedRate) {
    Spliced story;
    Frame frame = story.frame(Side::Client, "P. 0:10");
    frame[kIp + 8] = std::byte{1};
    for (int i = 0; i < 1500; ++i) story.lab.inject(0, frame);
    story.lab.settle();
    EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_time_exceeded_sent", 502}}));
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_icmp_rate", 998}, {"drop_ttl_exceeded", 1500}}));
    story.expect_alive();
}

// RFC 1191 section 6.3 and RFC 8201 section 4 for the ten minutes.
TEST(SplicePath, ANarrowOneIsCutForUntilItHasBecomeOld) {
    for (const unsigned workers : {1U, 3U})
        for (const bool ipv6 : {false, true}) {
            for (const Side side : kSides) {
                Plot plot = over(ipv6);
                plot.setup.workers = workers;
                plot.keep_alive = 0;
                plot.setup.listener = "idle_timeout = \"1h\"";
                Spliced story(plot);
                const int full = payload(ipv6, 1500);
                complain(story, side, "P. " + range(0, full), 1400);
                expect_cut(story, side, 0, 1400);  // the repetition of what was lost
                expect_cut(story, side, full, 1400);
                story.says(side, "P. " + range(2 * full, 2 * full + 1300));
                story.expect({name(other(side)) + "P. " + range(2 * full, 2 * full + 1300)});
                expect_whole(story, other(side), 0);  // that way is as wide as before
                complain(story, side, "P. " + range(2 * full, 2 * full + 1348 - 20), 1300);
                expect_cut(story, side, 2 * full, 1300);
                EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_too_big_applied", 2}}));
                EXPECT_EQ(story.moved("drop_"), Moved{});
                EXPECT_EQ(story.lab.count(Counter::SpliceSplitSegments), 3U);
                story.lab.run(minutes(10));
                story.tap.tcp.clear();
                expect_whole(story, side, 3 * full);
                story.expect_alive();
            }
        }
}

// What a router threw away is no copy that comes too early, however slow the client is.
TEST(SplicePath, ToASlowClientIsCutForAtOnce) {
    for (const bool ipv6 : {false, true}) {
        Plot plot = over(ipv6);
        plot.round_trip = seconds(2);
        Spliced story(plot);
        complain(story, Side::Broker, "P. " + range(0, payload(ipv6, 1500)), 1300);
        story.lab.run(std::chrono::milliseconds(200));
        expect_cut(story, Side::Broker, 0, 1300);
        story.expect_alive();
    }
}

// Its endpoints know the way by then, and go on by it.
TEST(SplicePath, LearnedBeforeTheSpliceKeepsTheConnectionRelayed) {
    for (const bool ipv6 : {false, true}) {
        Story story(over(ipv6));
        const Story::Leg& leg = story.leg(Side::Client);
        const std::uint32_t connack =
            leg.local_zero - static_cast<std::uint32_t>(story.leg(Side::Broker).preface.size());
        Frame frame = make_too_big({.port = 0, .from = leg.local, .to = leg.remote}, connack, 1300);
        wire::store_mac(frame.data(), Lab::kFrontMac);
        story.lab.inject(0, frame);
        story.client(". 0:0");
        EXPECT_EQ(story.phase(), session::Phase::Relayed);
        EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_too_big_applied", 1}}));
        EXPECT_EQ(story.moved("relayed_"), (Moved{{"relayed_segment_size", 1}}));
        story.tap.tcp.clear();
        story.broker("P. 0:1400");
        EXPECT_EQ(story.tap.tcp_on(0), 2U);
        for (const SeenSegment& s : story.tap.tcp) {
            EXPECT_TRUE(s.port == 1 || static_cast<int>(s.payload.size()) <= payload(ipv6, 1300));
        }
    }
}

// A broker sees many clients behind one of Sluice's addresses.
TEST(SplicePath, IsOneConnectionsAlone) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        const int full = payload(ipv6, 1500);
        complain(story, Side::Broker, "P. " + range(0, full), 1300);
        expect_cut(story, Side::Broker, 0, 1300);
        story.lab.clients.deaf_tcp = story.lab.brokers[0]->host.deaf_tcp = false;
        Socket& wide = connect_spliced(story.lab, "wide");
        story.tap.tcp.clear();
        Socket* const broker = story.lab.brokers[0]->socket_of("wide");
        ASSERT_NE(broker, nullptr);
        broker->write(std::string(10000, 'x'));
        story.lab.run();
        EXPECT_EQ(wide.received.size(), 10000U + kConnackAccepted.size());
        EXPECT_TRUE(std::ranges::any_of(story.tap.tcp, [&](const SeenSegment& s) {
            return s.port == 0 && s.payload.size() == static_cast<std::size_t>(full);
        }));
        EXPECT_EQ(story.lab.count(Counter::SpliceSplitSegments), 1U);
    }
}

TEST(SplicePath, EndsWithItsConnection) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        complain(story, Side::Broker, "P. 0:1400", 1300);
        EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_too_big_applied", 1}}));
        story.client("R 0:0");
        story.expect({"broker R 0:0"});
        story.lab.clients.deaf_tcp = story.lab.brokers[0]->host.deaf_tcp = false;
        connect_spliced(story.lab, "next");  // in the same place
        story.lab.brokers[0]->socket_of("next")->write(std::string(10000, 'x'));
        story.lab.run();
        EXPECT_EQ(story.lab.count(Counter::SpliceSplitSegments), 0U);
    }
}

TEST(SplicePath, IsNotBelievedToBeWhatItCannotBe) {
    for (const bool ipv6 : {false, true}) {
        for (const Side side : kSides) {
            Spliced story(over(ipv6));
            const std::vector<std::uint32_t> mtus =
                ipv6 ? std::vector<std::uint32_t>{0, 68, 1279, 1500, 9000, 70000}
                     : std::vector<std::uint32_t>{1, 67, 1500, 9000, 65535};
            for (const std::uint32_t mtu : mtus) complain(story, side, "P. 0:1400", mtu);
            EXPECT_EQ(story.moved("icmp_"), Moved{});
            EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_icmp_unhandled", mtus.size()}}));
            expect_whole(story, side, 0);
            story.expect_alive();
        }
    }
}

// Routers older than RFC 1191 do not say how much passes; its section 7.1 has what links usually take.
TEST(SplicePath, OfAnOldRouterIsTheNextUsualSize) {
    for (const Side side : kSides) {
        Spliced story;
        complain(story, side, "P. 0:1448", 0);
        expect_cut(story, side, 0, 1492);
        complain(story, side, "P. 0:1400", 0);
        expect_cut(story, side, 1448, 1006);
        story.expect_alive();
    }
}

// Nobody can have one packet made into dozens; routers that really take less may fragment.
TEST(SplicePath, ThatTakesNextToNothingGetsPacketsThatMayBeFragmented) {
    Spliced story;
    complain(story, Side::Broker, "P. 0:1000", 68);
    for (const char* const line : {"P. 0:400", "P. 400:410", ". 410:410"}) {
        story.broker(line);
        for (const auto& [port, frame] : story.tap.frames) {
            EXPECT_LE(frame.size(), kIp + 296);
            wire::IpError error{};
            const auto ip = wire::Ipv4View::parse(ByteView(frame).subspan(kIp), error);
            ASSERT_TRUE(ip);
            EXPECT_TRUE(ip->checksum_valid());
            EXPECT_FALSE(ip->dont_fragment());
        }
        story.tap.frames.clear();
    }
    story.expect({"client . 0:244", "client P. 244:400", "client P. 400:410", "client . 410:410"});
    story.client("P. 0:10");
    wire::IpError error{};
    const auto ip = wire::Ipv4View::parse(ByteView(story.tap.frames.at(0).second).subspan(kIp), error);
    EXPECT_TRUE(ip->dont_fragment());  // the other way
    story.expect({"broker P. 0:10"});
    story.expect_alive();
}

}  // namespace
}  // namespace sluice::test::path_test
