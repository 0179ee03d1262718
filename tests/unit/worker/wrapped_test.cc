// What every host takes, though it is not a plain packet: fragments, priority tags, IPv6 extension headers.
// For a connection all of its life, and frame by frame.
#include <algorithm>

#include "sluice/wire/frame.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ip_packet.h"
#include "wire/fragments_kit.h"
#include "worker/splice/router.h"

namespace sluice::test {
namespace {

using std::chrono::seconds;
using wire::hex;

constexpr std::size_t kIp = wire::kEthernetHeaderSize;

bool is_ipv6(ByteView frame) { return load16(frame.data() + 12) == wire::kEtherTypeIpv6; }
IpFamily family(bool ipv6) { return ipv6 ? IpFamily::V6 : IpFamily::V4; }

Frame inserted(ByteView frame, std::size_t at, ByteView bytes) {
    Frame out(frame.begin(), frame.end());
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin(), bytes.end());
    return out;
}
Frame tagged(ByteView frame, std::string_view tags) { return inserted(frame, 12, hex(tags)); }
// The headers' last must name TCP as what follows; `first` is the type of the first.
Frame extended(ByteView frame, unsigned first, std::string_view headers) {
    Frame out = inserted(frame, kIp + 40, hex(headers));
    out[kIp + 6] = static_cast<std::byte>(first);
    store16(out.data() + kIp + 4, static_cast<std::uint16_t>(out.size() - kIp - 40));
    return out;
}

std::vector<Frame> fragments(ByteView frame, std::size_t size, std::uint32_t identification = 7) {
    std::vector<Frame> all;
    const Frame packet(frame.begin() + kIp, frame.end());
    for (const Frame& part : wire::parts_of(family(is_ipv6(frame)), packet, size, identification)) {
        all.push_back(inserted(part, 0, frame.first(kIp)));
    }
    return all;
}

bool is_tcp(ByteView frame) {
    if (load16(frame.data() + 12) == wire::kEtherTypeArp) return false;
    return load8(frame.data() + kIp + (is_ipv6(frame) ? 6 : 9)) == wire::kProtocolTcp;
}

// All that is said to Sluice comes as `disguise` makes it.
void arrive_as(Lab& lab, std::function<std::vector<Frame>(ByteView)> disguise) {
    lab.lose_received = [&lab, disguise = std::move(disguise)](std::uint16_t port, ByteView frame) {
        for (const Frame& f : disguise(frame)) lab.inject(port, f);
        return true;
    };
}

// Comes, is spliced, says and hears much, and goes, with nothing lost on the way.
void expect_a_life(Lab& lab, const std::string& id) {
    Counts counts(lab);
    Socket& client = connect_spliced(lab, id);
    Broker* const broker = lab.broker_of(id);
    ASSERT_NE(broker, nullptr);
    client.write(std::string(30000, 'c'));
    broker->socket_of(id)->write(std::string(30000, 'b'));
    lab.run(seconds(5));
    EXPECT_EQ(broker->after_connect(id), std::string(30000, 'c'));
    EXPECT_EQ(client.received, kConnackAccepted + std::string(30000, 'b'));
    client.shutdown();
    broker->socket_of(id)->shutdown();
    lab.run(seconds(5));
    EXPECT_EQ(lab.count(Counter::ClosedOrderly), 1U);
    EXPECT_EQ(counts.moved("drop_"), Moved{});
    EXPECT_EQ(counts.moved("tcp_retransmits"), Moved{});
}

class Wrapped : public testing::TestWithParam<std::tuple<bool, unsigned>> {
  protected:
    bool ipv6() const { return std::get<0>(GetParam()); }
    unsigned workers() const { return std::get<1>(GetParam()); }
    test::Setup lab_setup() const { return {.workers = workers(), .brokers = 2, .ipv6 = ipv6()}; }
    Plot plot() const {
        Plot plot = over(ipv6());
        plot.setup.workers = workers();
        return plot;
    }
};

TEST_P(Wrapped, ALifeInFragments) {
    Lab lab(lab_setup());
    std::uint32_t identification = 0;
    arrive_as(lab, [&](ByteView frame) -> std::vector<Frame> {
        if (!is_tcp(frame)) return {Frame(frame.begin(), frame.end())};
        std::vector<Frame> all = fragments(frame, frame.size() > 900 ? 800 : 24, ++identification);
        std::ranges::reverse(all);
        return all;
    });
    expect_a_life(lab, "fragmented");
    EXPECT_GT(lab.count(Counter::IpFragmentsReassembled), 50U);
}

TEST_P(Wrapped, ALifeWithPriorityTags) {
    for (const std::string_view tags : {"8100e000", "81000000", "88a80000", "8100600081002000"}) {
        Lab lab(lab_setup());
        arrive_as(lab,
                  [&](ByteView frame) { return std::vector<Frame>{tagged(frame, tags)}; });  // ARP as well
        expect_a_life(lab, "tagged");
        EXPECT_GT(lab.count(Counter::VlanPriorityTags), 50U);
    }
}

TEST_P(Wrapped, ALifeBehindExtensionHeaders) {
    if (!ipv6()) return;
    for (const auto& [first, headers] :
         {std::pair{0U, "0600050200000100"}, std::pair{60U, "0600010400000000"},
          std::pair{43U, "0600c80000000000"}, std::pair{44U, "0600000000000007"},
          std::pair{0U,
                    "3c000104000000002b00010400000000"
                    "2c00000000000000"
                    "0600000000000007"}}) {
        Lab lab(lab_setup());
        arrive_as(lab, [&](ByteView frame) {
            return std::vector<Frame>{is_tcp(frame) && frame.size() < 1400
                                          ? extended(frame, first, headers)
                                          : Frame(frame.begin(), frame.end())};
        });
        expect_a_life(lab, "extended");
    }
}

// Tags around fragments around options, as they nest.
TEST_P(Wrapped, TheyMayBeNested) {
    Spliced story(plot());
    const Frame whole = ipv6() ? extended(story.frame(Side::Client, "P. 0:900"), 60, "0600010400000000")
                               : story.frame(Side::Client, "P. 0:900");
    for (const Frame& part : fragments(whole, 400)) {
        story.arrives(Side::Client,
                      tagged(ipv6() ? extended(part, 0, "2c00010400000000") : part, "81000000"));
    }
    story.expect({"broker P. 0:900"});
    EXPECT_EQ(story.moved("ip_"), (Moved{{"ip_fragments_reassembled", 1}}));
    EXPECT_EQ(story.moved("drop_"), Moved{});
    story.expect_alive();
}

// From a spliced end, larger than any frame on either side: what was put together is cut again.
TEST_P(Wrapped, AWholeThatIsTooLargeForTheWayOutIsCut) {
    for (const Side side : {Side::Client, Side::Broker}) {
        Spliced story(plot());
        for (const Frame& part : fragments(story.frame(side, "P. 0:1900"), 1000)) story.arrives(side, part);
        const int room = ipv6() ? 1428 : 1448;
        const std::string to = side == Side::Client ? "broker " : "client ";
        story.expect({to + ". 0:" + std::to_string(room), to + "P. " + std::to_string(room) + ":1900"});
        EXPECT_EQ(story.moved("drop_"), Moved{});
        story.expect_alive();
    }
}

TEST_P(Wrapped, AWholeThatIsLargerThanABufferIsDroppedAndCounted) {
    Spliced story(plot());
    for (const Frame& part : fragments(story.frame(Side::Client, "P. 0:2300"), 1200))
        story.arrives(Side::Client, part);
    story.expect({});
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_multi_segment", 2}}));
    story.client_passes("P. 0:10");
    story.expect_alive();
}

TEST_P(Wrapped, APartThatNeverComesIsWaitedForSoLong) {
    Spliced story(plot());
    const auto parts = fragments(story.frame(Side::Client, "P. 0:900"), 400);
    story.arrives(Side::Client, parts[1]);
    story.arrives(Side::Client, parts[0]);
    story.lab.run(seconds(ipv6() ? 59 : 29));
    story.expect({});
    EXPECT_EQ(story.moved("drop_"), Moved{});
    story.lab.run(seconds(1));
    Complaint kind = time_exceeded(ipv6());
    kind.code = 1;
    expect_told(story, Side::Client, kind, Frame(parts[0].begin() + kIp, parts[0].end()));
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_fragment_timeout", 2}}));
    story.arrives(Side::Client, parts[1]);  // begins anew; no first part, so no answer
    story.lab.run(seconds(60));
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_fragment_timeout", 3}}));
    EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_time_exceeded_sent", 1}}));
}

TEST_P(Wrapped, PartsThatContradictEachOtherAreDropped) {
    Spliced story(plot());
    const auto parts = fragments(story.frame(Side::Client, "P. 0:900"), 400);
    const auto others = fragments(story.frame(Side::Client, "P. 0:900 garbled"), 240);
    story.arrives(Side::Client, parts[0]);
    for (const Frame& f : others) story.arrives(Side::Client, f);
    for (const Frame& f : parts) story.arrives(Side::Client, f);
    story.expect({});
    EXPECT_EQ(
        story.moved("drop_"),
        (Moved{{ipv6() ? "drop_ipv6_extension" : "drop_ipv4_fragment", 1 + others.size() + parts.size()}}));
    story.expect_alive();
}

TEST_P(Wrapped, AFloodOfPartsCostsOnlyItsSource) {
    Spliced story(plot());
    const auto parts = fragments(story.frame(Side::Client, "P. 0:900"), 600);
    story.arrives(Side::Client, parts[0]);
    RawSegment stranger{.from = {*IpAddress::parse(ipv6() ? "fd00:1::77" : "10.1.7.77"), 1},
                        .to = story.lab.listener(),
                        .payload = std::string(900, 'x')};
    for (std::uint32_t id = 0; id < 5000; ++id) {
        story.lab.inject(0, fragments(make_segment(stranger), 600, 100 + id)[0]);
        if (id % 100 == 0) story.lab.settle();
    }
    story.lab.settle();
    EXPECT_GE(story.lab.count(Counter::DropFragmentTable), 5000U - 64U * workers());
    story.arrives(Side::Client, parts[1]);
    story.expect({"broker P. 0:900"});
}

TEST_P(Wrapped, PartsForOthersAndOfWhatNobodySpeaksAreNotHeld) {
    Spliced story(plot());
    const std::size_t last = ipv6() ? 23U : 15U;
    Frame frame = story.frame(Side::Client, "P. 0:900");
    const auto drops = [&](Frame changed, Counter reason) {
        const std::uint64_t before = story.lab.count(reason);
        story.arrives(Side::Client, fragments(changed, 400)[1]);
        EXPECT_EQ(story.lab.count(reason), before + 1);
    };
    Frame other = frame;
    other[kIp + last + (ipv6() ? 16U : 4U)] ^= std::byte{0x40};
    drops(other, Counter::DropIpNotOurs);
    Frame udp = frame;
    udp[kIp + (ipv6() ? 6U : 9U)] = std::byte{17};
    drops(udp, Counter::DropIpProtocol);
    Frame many = frame;
    wire::store_mac(many.data(), kBroadcastMac);
    drops(many, Counter::DropEthernetDestination);
    Frame group = frame;
    group[kIp + (ipv6() ? 8U : 12U)] = ipv6() ? std::byte{0xff} : std::byte{0xe0};
    drops(group, Counter::DropIpSource);
    story.lab.run(seconds(61));
    EXPECT_EQ(story.lab.count(Counter::DropFragmentTimeout), 0U);
}

INSTANTIATE_TEST_SUITE_P(All, Wrapped, testing::Combine(testing::Bool(), testing::Values(1U, 3U)),
                         [](const auto& p) {
                             return std::string(std::get<0>(p.param) ? "IPv6" : "IPv4") + "With" +
                                    std::to_string(std::get<1>(p.param));
                         });

TEST(WrappedFrame, OfAVlanIsNotOurs) {
    for (const std::string_view tags : {"81000001", "8100e064", "810000008100000081000000", "91000000"}) {
        Spliced story;
        story.arrives(Side::Client, tagged(story.frame(Side::Client, "P. 0:10"), tags));
        story.expect({});
        EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_ethernet_type", 1}}));
        story.expect_alive();
    }
}

TEST(WrappedFrame, WithWhatNoHostTakesIsAnsweredWhereItsSenderAsks) {
    struct Case {
        unsigned first;
        std::string_view headers;
        std::optional<std::pair<int, std::uint32_t>> told;  // code, pointer
    };
    for (const Case& c : {Case{60, "0600c10400000000", {{2, 42}}}, Case{60, "0600410400000000", {}},
                          Case{43, "0600000100000000", {{0, 42}}}, Case{51, "0604000000000000", {{1, 6}}}}) {
        Spliced story(over(true));
        const Frame frame = extended(story.frame(Side::Client, "P. 0:10"), c.first, c.headers);
        story.arrives(Side::Client, frame);
        EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_ipv6_extension", 1}}));
        if (c.told) {
            expect_told(
                story, Side::Client,
                {wire::kIcmpv6ParameterProblem, static_cast<std::uint8_t>(c.told->first), c.told->second},
                Frame(frame.begin() + kIp, frame.end()));
            EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_parameter_problem_sent", 1}}));
        }
        EXPECT_TRUE(story.tap.frames.empty());
        story.expect_alive();
    }
}

// RFC 6980: who may answer for an address must not be hidden in pieces.
TEST(WrappedFrame, OfNeighborDiscoveryIsIgnoredInFragments) {
    Lab lab({.ipv6 = true});
    Tap tap(lab);
    const IpAddress target = *IpAddress::parse("fd00:1::1");
    Frame frame(200);
    frame.resize(wire::write_neighbor_solicitation_frame({.source_mac = MacAddress{{2, 0, 0, 0, 9, 9}},
                                                          .destination_mac = Lab::kFrontMac,
                                                          .source = *IpAddress::parse("fd00:1::7"),
                                                          .destination = target},
                                                         {.target = target, .source_mac = {}}, frame));
    lab.inject(0, frame);
    lab.settle();
    EXPECT_EQ(tap.frames.size(), 1U);
    lab.inject(0, extended(frame, 44, "3a00000000000007"));
    for (const Frame& part : fragments(frame, 16)) lab.inject(0, part);
    lab.settle();
    EXPECT_EQ(tap.frames.size(), 1U);
    EXPECT_EQ(lab.count(Counter::DropIcmpMalformed), 2U);
}

// RFC 1122 section 3.2.1.3.
TEST(WrappedFrame, FromABroadcastAddressIsDropped) {
    for (const char* const source : {"255.255.255.255", "10.1.255.255"}) {
        Lab lab;
        Counts counts(lab);
        lab.inject(0, make_segment({.from = {*IpAddress::parse(source), 40000},
                                    .to = lab.listener(),
                                    .flags = {.syn = true}}));
        lab.settle();
        EXPECT_EQ(counts.moved("drop_"), (Moved{{"drop_ip_source", 1}}));
    }
}

}  // namespace
}  // namespace sluice::test
