// Sluice as a neighbor on its two networks: what it answers, what it says by itself, and what it drops and
// counts.
#include <gtest/gtest.h>

#include <algorithm>

#include "sluice/wire/arp.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ip_packet.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/ndp.h"
#include "worker/packets.h"

namespace sluice::test::network_test {
namespace {

const MacAddress kMac{{0x02, 0, 0, 0, 9, 9}};

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
MacAddress own_mac(std::uint16_t port) { return port == 0 ? Lab::kFrontMac : Lab::kBackMac; }

template <typename Write>
Frame make(Write&& write) {
    Frame frame(4096);
    frame.resize(write(ByteSpan(frame)));
    return frame;
}

Frame arp_request(const IpAddress& sender, const IpAddress& target) {
    return make([&](ByteSpan out) {
        return wire::write_arp_frame(kBroadcastMac,
                                     {.operation = wire::ArpOperation::Request,
                                      .sender_mac = kMac,
                                      .sender_ip = sender,
                                      .target_mac = {},
                                      .target_ip = target},
                                     out);
    });
}

Frame solicitation(const IpAddress& sender, const IpAddress& target) {
    const IpAddress group = wire::solicited_node_multicast(target);
    const auto mac = sender.is_unspecified() ? std::nullopt : std::optional(kMac);
    return make([&](ByteSpan out) {
        return wire::write_neighbor_solicitation_frame({.source_mac = kMac,
                                                        .destination_mac = wire::multicast_mac(group),
                                                        .source = sender,
                                                        .destination = group},
                                                       {.target = target, .source_mac = mac}, out);
    });
}

Frame echo_request(std::uint16_t port, const IpAddress& sender, const IpAddress& target) {
    return make([&](ByteSpan out) {
        return wire::write_icmp_frame(
            {.source_mac = kMac, .destination_mac = own_mac(port), .source = sender, .destination = target},
            {.type = sender.is_v4() ? wire::kIcmpEchoRequest : wire::kIcmpv6EchoRequest,
             .code = 0,
             .parameter = 0x12345678,
             .body = as_bytes("abcdefgh")},
            out);
    });
}

std::optional<wire::ArpPacket> arp_of(ByteView frame) {
    const auto ethernet = wire::EthernetView::parse(frame);
    if (!ethernet || ethernet->ether_type() != wire::kEtherTypeArp) return std::nullopt;
    const auto view = wire::ArpView::parse(ethernet->payload());
    return view ? std::optional(view->packet()) : std::nullopt;
}

std::optional<wire::IpPacket> packet_of(ByteView frame) {
    const auto ethernet = wire::EthernetView::parse(frame);
    wire::IpError error{};
    return wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
}

std::optional<wire::NeighborAdvertisement> advertisement_of(ByteView frame) {
    const auto packet = packet_of(frame);
    return packet ? wire::parse_neighbor_advertisement(*packet) : std::nullopt;
}

TEST(Network, ArpIsAnsweredForOwnAddressesOfThatPortOnly) {
    struct Case {
        std::uint16_t port;
        const char* sender;
        const char* target;
        bool answered;
    };
    for (const Case c : {Case{0, "10.1.7.7", "10.1.0.1", true}, Case{1, "10.2.0.7", "10.2.0.1", true},
                         Case{1, "10.2.0.7", "10.2.0.10", true}, Case{1, "10.2.0.7", "10.2.0.13", true},
                         Case{0, "0.0.0.0", "10.1.0.1", true},  // a probe for duplicates (RFC 5227)
                         Case{0, "10.1.7.7", "10.1.0.2", false}, Case{1, "10.2.0.7", "10.2.0.14", false},
                         Case{0, "10.1.7.7", "10.2.0.1", false}, Case{1, "10.2.0.7", "10.1.0.1", false}}) {
        SCOPED_TRACE(std::string(c.target) + " on port " + std::to_string(c.port));
        Lab lab;
        Tap tap(lab);
        lab.inject(c.port, arp_request(ip(c.sender), ip(c.target)));
        lab.settle();
        ASSERT_EQ(tap.frames.size(), c.answered ? 1U : 0U);
        EXPECT_EQ(lab.count(Counter::ArpReplies), c.answered ? 1U : 0U);
        if (!c.answered) continue;
        EXPECT_EQ(tap.frames[0].first, c.port);
        EXPECT_EQ(wire::EthernetView::parse(tap.frames[0].second)->destination(), kMac);
        EXPECT_EQ(arp_of(tap.frames[0].second), (wire::ArpPacket{.operation = wire::ArpOperation::Reply,
                                                                 .sender_mac = own_mac(c.port),
                                                                 .sender_ip = ip(c.target),
                                                                 .target_mac = kMac,
                                                                 .target_ip = ip(c.sender)}));
    }
}

TEST(Network, NeighborSolicitationsAreAnsweredForOwnAddressesOnly) {
    struct Case {
        std::uint16_t port;
        const char* sender;
        const char* target;
        bool answered;
    };
    for (const Case c : {Case{0, "fd00:1::7", "fd00:1::1", true}, Case{1, "fd00:2::7", "fd00:2::1", true},
                         Case{1, "fd00:2::7", "fd00:2::13", true}, Case{0, "::", "fd00:1::1", true},
                         Case{0, "fd00:1::7", "fd00:1::2", false}, Case{0, "fd00:1::7", "fd00:2::1", false},
                         Case{0, "::", "fd00:1::2", false}}) {
        SCOPED_TRACE(std::string(c.target) + " asked by " + c.sender);
        Lab lab({.ipv6 = true});
        Tap tap(lab);
        lab.inject(c.port, solicitation(ip(c.sender), ip(c.target)));
        lab.settle();
        ASSERT_EQ(tap.frames.size(), c.answered ? 1U : 0U);
        if (!c.answered) continue;
        const bool duplicate_probe = ip(c.sender).is_unspecified();
        const IpAddress to = duplicate_probe ? wire::all_nodes_multicast() : ip(c.sender);
        EXPECT_EQ(wire::EthernetView::parse(tap.frames[0].second)->destination(),
                  duplicate_probe ? wire::multicast_mac(to) : kMac);
        EXPECT_EQ(packet_of(tap.frames[0].second)->destination, to);
        EXPECT_EQ(advertisement_of(tap.frames[0].second),
                  (wire::NeighborAdvertisement{.target = ip(c.target),
                                               .solicited = !duplicate_probe,
                                               .override_entry = true,
                                               .target_mac = own_mac(c.port)}));
    }
}

TEST(Network, EchoIsAnsweredAtABoundedRate) {
    Lab lab;
    lab.command(slow_port());
    for (int i = 0; i < 1500; ++i) {
        lab.inject(0, echo_request(0, ip("10.1.7.7"), ip("10.1.0.1")));
        if (i % 100 == 0) lab.settle();
    }
    lab.settle();
    EXPECT_EQ(lab.count(Counter::IcmpEchoReplies), 102U);
    EXPECT_EQ(lab.count(Counter::DropIcmpRate), 1398U);
    lab.inject(0, echo_request(0, ip("10.1.7.8"), ip("10.1.0.1")));
    lab.settle();
    EXPECT_EQ(lab.count(Counter::IcmpEchoReplies), 103U) << "another one has his own share";
}

TEST(Network, EveryOwnAddressIsAnnouncedOnceAtStart) {
    for (const unsigned workers : {1U, 3U}) {
        Tap tap;
        Lab lab({.workers = workers,
                 .pool = "source_addresses = [\"10.2.0.10-10.2.0.40\"]",
                 .on_sent = [&](std::uint16_t port, ByteView frame) { tap.see(port, frame); }});
        lab.run();
        std::map<IpAddress, int> announced;
        for (const auto& [port, frame] : tap.frames) {
            if (const auto arp = arp_of(frame)) {
                EXPECT_EQ(arp->sender_ip, arp->target_ip);
                EXPECT_EQ(arp->sender_mac, own_mac(port));
                EXPECT_EQ(arp->sender_ip.to_string().substr(0, 5), port == 0 ? "10.1." : "10.2.");
                EXPECT_EQ(wire::EthernetView::parse(frame)->destination(), kBroadcastMac);
                ++announced[arp->sender_ip];
            } else if (const auto advertisement = advertisement_of(frame)) {
                EXPECT_TRUE(advertisement->override_entry);
                EXPECT_FALSE(advertisement->solicited);
                EXPECT_EQ(advertisement->target_mac, own_mac(port));
                ++announced[advertisement->target];
            }
        }
        EXPECT_EQ(announced.size(), 4U + 31U);
        EXPECT_EQ(tap.frames.size(), announced.size());
    }
}

TEST(Network, ABrokerOnAnotherNetworkIsReachedThroughTheGateway) {
    Lab lab({.brokers = 1, .distant = true});
    Tap tap(lab);
    Socket& client = lab.connect("far away");
    EXPECT_EQ(client.received, kConnackAccepted);
    std::set<IpAddress> asked_for;
    for (const auto& [port, frame] : tap.frames) {
        const auto arp = arp_of(frame);
        if (port == 1 && arp && arp->operation == wire::ArpOperation::Request)
            asked_for.insert(arp->target_ip);
    }
    EXPECT_EQ(asked_for, std::set{ip("10.2.0.254")});
    ASSERT_EQ(tap.upstream_syns().size(), 1U);
    EXPECT_EQ(tap.upstream_syns()[0].to.address, ip("10.9.0.2"));
    EXPECT_EQ(tap.upstream_syns()[0].ethernet.destination, lab.brokers[0]->host.mac);
}

TEST(Network, AClientIsAnsweredTheWayItsPacketsCame) {
    Lab lab;  // without a gateway on the front
    Tap tap(lab);
    lab.inject(0, make_segment({.from = {ip("192.0.2.7"), 40000},
                                .to = lab.listener(),
                                .sequence = 9,
                                .flags = {.syn = true},
                                .source_mac = kMac}));
    lab.settle();
    ASSERT_EQ(tap.frames.size(), 1U);
    EXPECT_TRUE(tap.tcp[0].is_syn_ack());
    EXPECT_EQ(tap.tcp[0].ethernet.destination, kMac);
    EXPECT_EQ(tap.tcp[0].ethernet.source, Lab::kFrontMac);
    EXPECT_EQ(tap.tcp[0].to, (SocketAddress{ip("192.0.2.7"), 40000}));
}

TEST(Network, ABrokerThatMovesToAnotherMacIsFollowed) {
    Lab lab({.brokers = 1});
    lab.connect("one");
    // Its address turns up elsewhere, and says so.
    Broker moved({IpAddress::v4(10, 2, 0, 2)}, 77);
    std::swap(lab.brokers[0]->host.silent, moved.host.silent);
    lab.brokers[0]->host.silent = true;
    lab.inject(1, make([&](ByteSpan out) {
                   return wire::write_arp_frame(kBroadcastMac,
                                                {.operation = wire::ArpOperation::Request,
                                                 .sender_mac = moved.host.mac,
                                                 .sender_ip = ip("10.2.0.2"),
                                                 .target_mac = {},
                                                 .target_ip = ip("10.2.0.2")},
                                                out);
               }));
    lab.settle();
    Tap tap(lab);
    lab.connect("two");
    ASSERT_EQ(tap.upstream_syns().size(), 1U);
    EXPECT_EQ(tap.upstream_syns()[0].ethernet.destination, moved.host.mac);
}

TEST(Network, ANarrowWayToABrokerIsLearnedFromIcmpThatQuotesWhatIsInFlight) {
    for (const bool ipv6 : {false, true}) {
        Lab lab({.brokers = 1, .ipv6 = ipv6});
        lab.brokers[0]->host.accept_options.sack = false;  // stays relayed: Sluice's own packets are too big
        Socket& client = lab.connect("narrow");
        Tap tap(lab);
        lab.brokers[0]->host.deaf_tcp = true;
        client.write(std::string(20000, 'x'));
        lab.settle();
        const auto sent = std::ranges::find_if(
            tap.tcp, [](const SeenSegment& s) { return s.port == 1 && s.payload.size() > 1300; });
        ASSERT_NE(sent, tap.tcp.end());
        const SeenSegment large = *sent;
        lab.inject(1, make_too_big(large, large.tcp.sequence - 1, 1300));
        lab.settle();
        EXPECT_EQ(lab.count(Counter::IcmpTooBigApplied), 0U);
        lab.brokers[0]->host.deaf_tcp = false;
        tap.tcp.clear();
        lab.inject(1, make_too_big(large, large.tcp.sequence, 1300));
        lab.run(std::chrono::seconds(5));
        EXPECT_EQ(lab.count(Counter::IcmpTooBigApplied), 1U);
        const std::size_t room = 1300U - (ipv6 ? 60U : 40U) - 12U;
        EXPECT_TRUE(std::ranges::none_of(
            tap.tcp, [&](const SeenSegment& s) { return s.port == 1 && s.payload.size() > room; }));
        EXPECT_EQ(lab.brokers[0]->after_connect("narrow"), std::string(20000, 'x'));
    }
}

// --- what is dropped ---

struct Bad {
    std::string what;
    Frame frame;
    Counter counter;
    std::optional<worker::Event::Fault> hint = std::nullopt;
};

RawSegment good() {
    return {.from = {ip("10.1.7.7"), 40000},
            .to = {ip("10.1.0.1"), 1883},
            .sequence = 1,
            .flags = {.syn = true},
            .options = {.mss = 1460}};
}

Frame with(Frame frame, std::size_t at, std::initializer_list<unsigned> bytes) {
    for (const unsigned b : bytes) frame[at++] = static_cast<std::byte>(b);
    return frame;
}

constexpr std::size_t kIp = wire::kEthernetHeaderSize;
constexpr std::size_t kTcp = kIp + wire::kIpv4HeaderSize;

// Changes the IPv4 header and makes its checksum right again.
Frame with_ip(Frame frame, std::size_t at, std::initializer_list<unsigned> bytes) {
    frame = with(std::move(frame), kIp + at, bytes);
    store16(frame.data() + kIp + 10, 0);
    store16(frame.data() + kIp + 10,
            wire::checksum_finish(wire::checksum_sum(ByteView(frame).subspan(kIp, wire::kIpv4HeaderSize))));
    return frame;
}

Frame partial_checksum() {
    Frame frame = make_segment(good());
    store16(frame.data() + kTcp + 16,
            wire::pseudo_header_sum(ip("10.1.7.7"), ip("10.1.0.1"), wire::kProtocolTcp, frame.size() - kTcp));
    return frame;
}

Frame segment_to(const char* address) {
    RawSegment segment = good();
    segment.to.address = ip(address);
    return make_segment(segment);
}

Frame segment_from(const char* address) {
    RawSegment segment = good();
    segment.from.address = ip(address);
    return make_segment(segment);
}

Frame large_segment(std::size_t payload) {
    RawSegment segment = good();
    segment.payload.assign(payload, 'x');
    return make_segment(segment);
}

Frame segment6() {
    RawSegment segment = good();
    segment.from.address = ip("fd00:1::7");
    segment.to.address = ip("fd00:1::1");
    return make_segment(segment);
}

std::vector<Bad> bad_frames() {
    using worker::Event;
    const Frame tcp = make_segment(good());
    const Frame arp = arp_request(ip("10.1.7.7"), ip("10.1.0.1"));
    const Frame echo = echo_request(0, ip("10.1.7.7"), ip("10.1.0.1"));
    return {
        {"short frame", Frame(10), Counter::DropEthernetShort},
        {"unknown EtherType", with(tcp, 12, {0x88, 0xcc}), Counter::DropEthernetType},
        {"VLAN tag", with(tcp, 12, {0x81, 0x00}), Counter::DropEthernetType},
        {"another MAC", with(tcp, 5, {0x77}), Counter::DropEthernetDestination},
        {"larger than a buffer", large_segment(3000), Counter::DropMultiSegment, Event::Fault::OverMtu},
        {"over the MTU", large_segment(1600), Counter::DropIpOverMtu, Event::Fault::OverMtu},
        {"truncated", Frame(tcp.begin(), tcp.end() - 4), Counter::DropIpTruncated, Event::Fault::OverMtu},
        {"IPv4 version", with(tcp, kIp, {0x55}), Counter::DropIpv4Malformed},
        {"IPv4 header length", with_ip(tcp, 0, {0x44}), Counter::DropIpv4Malformed},
        {"IPv4 checksum", with(tcp, kIp + 10, {0xaa, 0xbb}), Counter::DropIpv4Checksum},
        {"half a TCP header in the first fragment",
         with_ip(with_ip(Frame(tcp.begin(), tcp.begin() + kTcp + 16), 2, {0, 36}), 6, {0x20, 0x00}),
         Counter::DropIpv4Fragment},
        {"fragment within the TCP header", with_ip(tcp, 6, {0x00, 0x01}), Counter::DropIpv4Fragment},
        {"IPv6 version", with(segment6(), kIp, {0x50}), Counter::DropIpv6Malformed},
        {"IPv6 extension", with(segment6(), kIp + 6, {0}), Counter::DropIpv6Extension},
        {"half a TCP header in the first IPv6 fragment",
         with(with(segment6(), kIp + 6, {44}), kIp + 40, {6, 0, 0, 1}), Counter::DropIpv6Extension},
        {"loopback source", segment_from("127.0.0.1"), Counter::DropIpSource},
        {"multicast source", segment_from("224.0.0.1"), Counter::DropIpSource},
        {"unspecified source", segment_from("0.0.0.0"), Counter::DropIpSource},
        {"not ours", segment_to("10.1.0.2"), Counter::DropIpNotOurs},
        {"ours, but on the other port", segment_to("10.2.0.1"), Counter::DropIpNotOurs},
        {"broadcast address", segment_to("10.1.255.255"), Counter::DropIpNotOurs},
        {"UDP", with_ip(tcp, 9, {17}), Counter::DropIpProtocol},
        {"GRE", with_ip(tcp, 9, {47}), Counter::DropIpProtocol},
        {"TCP checksum", with(tcp, kTcp + 16, {0xaa, 0xbb}), Counter::DropTcpChecksum},
        {"partial checksum", partial_checksum(), Counter::DropTcpPartialChecksum,
         Event::Fault::PartialChecksum},
        {"TCP header length", with(tcp, kTcp + 12, {0xf0}), Counter::DropTcpMalformed},
        {"no room for TCP", with_ip(Frame(tcp.begin(), tcp.begin() + kTcp + 8), 2, {0, 28}),
         Counter::DropTcpMalformed},
        {"ARP for another hardware", with(arp, kIp, {0, 6}), Counter::DropArpMalformed},
        {"short ARP", Frame(arp.begin(), arp.end() - 1), Counter::DropArpMalformed},
        {"ICMP checksum", with(echo, kTcp + 2, {0xaa, 0xbb}), Counter::DropIcmpMalformed},
        {"short ICMP", with_ip(Frame(echo.begin(), echo.begin() + kTcp + 4), 2, {0, 24}),
         Counter::DropIcmpMalformed},
        {"echo reply nobody asked for", make([](ByteSpan out) {
             return wire::write_icmp_frame({.source_mac = kMac,
                                            .destination_mac = Lab::kFrontMac,
                                            .source = ip("10.1.7.7"),
                                            .destination = ip("10.1.0.1")},
                                           {.type = wire::kIcmpEchoReply}, out);
         }),
         Counter::DropIcmpUnhandled},
        {"solicitation that was routed", with(solicitation(ip("fd00:1::7"), ip("fd00:1::1")), kIp + 7, {64}),
         Counter::DropIcmpMalformed},
        {"solicitation for a stranger", solicitation(ip("fd00:1::7"), ip("fd00:1::2")),
         Counter::DropIpNotOurs},
    };
}

TEST(Network, EveryBadFrameMovesExactlyOneDropCounterAndIsGivenBack) {
    for (const unsigned workers : {1U, 3U}) {
        Lab lab({.workers = workers});
        Tap tap(lab);
        for (const Bad& bad : bad_frames()) {
            SCOPED_TRACE(bad.what);
            for (unsigned queue = 0; queue < workers; ++queue) {
                lab.events.clear();
                lab.run(std::chrono::seconds(1));  // hints are few a second
                const Counts counts(lab);
                lab.inject(0, bad.frame);
                lab.settle();
                const std::string_view name = kCounterTable[static_cast<std::size_t>(bad.counter)].name;
                EXPECT_EQ(counts.moved("drop_"), (Moved{{name, 1}}));
                EXPECT_EQ(counts.moved("rx_frames"), (Moved{{"rx_frames", 1}}));
                EXPECT_EQ(counts.moved("hint_offload").size(), bad.hint ? 1U : 0U);
                ASSERT_EQ(lab.events.size(), bad.hint ? 1U : 0U);
                if (!bad.hint) continue;
                EXPECT_EQ(lab.events[0].kind, worker::Event::Kind::OffloadHint);
                EXPECT_EQ(lab.events[0].fault, *bad.hint);
                EXPECT_EQ(lab.events[0].port, 0);
                if (bad.counter == Counter::DropTcpPartialChecksum || bad.counter == Counter::DropIpOverMtu) {
                    EXPECT_EQ(lab.events[0].address, ip("10.1.7.7"));
                }
            }
        }
        EXPECT_EQ(tap.frames.size(), 0U);  // none of it was answered
        expect_nothing_left(lab);
    }
}

TEST(Network, ASegmentToAPortWhereNothingListensIsReset) {
    Lab lab;
    Tap tap(lab);
    RawSegment segment = good();
    segment.to.port = 8883;
    lab.inject(0, make_segment(segment));
    lab.settle();
    ASSERT_EQ(tap.tcp.size(), 1U);
    EXPECT_EQ(tap.tcp[0].tcp.flags, (wire::TcpFlags{.rst = true, .ack = true}));
    EXPECT_EQ(tap.tcp[0].tcp.acknowledgement, segment.sequence + 1);
    EXPECT_EQ(lab.count(Counter::TcpNoListener), 1U);
}

TEST(Network, HintsAreFewHoweverManyFramesAreBad) {
    Lab lab;
    for (int i = 0; i < 200; ++i) lab.inject(0, partial_checksum());
    lab.settle();
    EXPECT_EQ(lab.count(Counter::DropTcpPartialChecksum), 200U);
    EXPECT_LE(lab.count(Counter::HintOffload), 4U);
    EXPECT_GE(lab.count(Counter::HintOffload), 1U);
}

TEST(Network, AFullTransmitQueueIsOfferedTheFramesAgain) {
    Lab lab;
    lab.ports[0]->limit_transmit(0);
    Socket& client = lab.client();
    for (int i = 0; i < 100 && lab.workers[0]->step(lab.now); ++i) {
    }
    lab.inject(0, lab.clients.out.front());
    lab.clients.out.clear();
    for (int i = 0; i < 10; ++i) lab.workers[0]->step(lab.now);
    EXPECT_EQ(client.endpoint.state(), tcp::State::SynSent);
    lab.ports[0]->limit_transmit(port::MemoryPort::kNoLimit);
    lab.settle();
    EXPECT_EQ(client.endpoint.state(), tcp::State::Established);
    EXPECT_EQ(lab.count(Counter::DropTxFull), 0U);
}

}  // namespace
}  // namespace sluice::test::network_test
