// A narrow path of a relayed connection: Sluice's own packets are too big, and become smaller for it alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "sluice/wire/checksum.h"
#include "worker/packets.h"

namespace sluice::test {
namespace {

// Its broker agrees to no SACK, so that it stays relayed.
struct Relayed {
    explicit Relayed(bool ipv6) : lab({.brokers = 1, .ipv6 = ipv6}) {
        lab.brokers[0]->host.accept_options.sack = false;
    }

    // The first full segment that leaves by that port of what the other side writes, and is lost.
    SeenSegment lose_large(std::uint16_t port, Socket& writer, const std::string& what) {
        Host& deaf = port == 0 ? lab.clients : lab.brokers[0]->host;
        tap.tcp.clear();
        deaf.deaf_tcp = true;
        writer.write(what);
        lab.settle();
        deaf.deaf_tcp = false;
        const auto large = std::ranges::find_if(
            tap.tcp, [&](const SeenSegment& s) { return s.port == port && s.payload.size() > 1300; });
        if (large == tap.tcp.end()) throw std::runtime_error("nothing large was sent");
        return *large;
    }
    void complain(const SeenSegment& about, std::uint32_t mtu) {
        Frame frame = make_too_big(about, about.tcp.sequence, mtu);
        if (about.port == 0) wire::store_mac(frame.data(), Lab::kFrontMac);
        lab.inject(about.port, frame);
    }
    std::size_t largest(std::uint16_t port, const SocketAddress& to) const {
        std::size_t n = 0;
        for (const SeenSegment& s : tap.tcp) {
            if (s.port == port && s.to == to) n = std::max(n, s.payload.size());
        }
        return n;
    }

    Lab lab;
    Tap tap{lab};
};

TEST(RelayedPath, ToOneClientIsNarrowForThatOneOnly) {
    for (const bool ipv6 : {false, true}) {
        Relayed relayed(ipv6);
        Lab& lab = relayed.lab;
        Socket& narrow = lab.connect("narrow");
        Socket& wide = lab.connect("wide");
        Socket* const to_narrow = lab.brokers[0]->socket_of("narrow");
        Socket* const to_wide = lab.brokers[0]->socket_of("wide");
        relayed.complain(relayed.lose_large(0, *to_narrow, std::string(20000, 'x')), 1300);
        relayed.tap.tcp.clear();
        to_wide->write(std::string(20000, 'y'));
        lab.run(std::chrono::seconds(5));
        const std::size_t headers = ipv6 ? 72 : 52;
        EXPECT_EQ(relayed.largest(0, narrow.tuple.local), 1300 - headers);
        EXPECT_EQ(relayed.largest(0, wide.tuple.local), 1500 - headers);
        EXPECT_EQ(narrow.received, kConnackAccepted + std::string(20000, 'x'));
        EXPECT_EQ(wide.received, kConnackAccepted + std::string(20000, 'y'));
        EXPECT_EQ(lab.count(Counter::Spliced), 0U);
    }
}

TEST(RelayedPath, IsNotBelievedToBeWhatItCannotBe) {
    for (const bool ipv6 : {false, true}) {
        Relayed relayed(ipv6);
        Socket& client = relayed.lab.connect("device");
        const SeenSegment large = relayed.lose_large(1, client, std::string(20000, 'x'));
        const std::vector<std::uint32_t> mtus =
            ipv6 ? std::vector<std::uint32_t>{0, 68, 1279, 70000} : std::vector<std::uint32_t>{1, 67};
        for (const std::uint32_t mtu : mtus) relayed.complain(large, mtu);
        relayed.tap.tcp.clear();
        relayed.lab.run(std::chrono::seconds(5));
        EXPECT_EQ(relayed.largest(1, large.to), 1500U - (ipv6 ? 72U : 52U));
        EXPECT_EQ(relayed.lab.count(Counter::IcmpTooBigApplied), 0U);
        EXPECT_EQ(relayed.lab.count(Counter::DropIcmpUnhandled), mtus.size());
    }
}

// RFC 1191 section 7.1.
TEST(RelayedPath, OfAnOldRouterIsTheNextUsualSize) {
    Relayed relayed(false);
    Socket& client = relayed.lab.connect("device");
    SeenSegment large = relayed.lose_large(1, client, std::string(20000, 'x'));
    Frame frame = make_too_big(large, large.tcp.sequence, 0);
    store16(frame.data() + wire::kEthernetHeaderSize + 28 + 2, 1500);  // of the packet that it quotes
    const std::size_t icmp = wire::kEthernetHeaderSize + 20;
    store16(frame.data() + icmp + 2, 0);
    store16(frame.data() + icmp + 2,
            wire::checksum_finish(wire::checksum_sum(ByteView(frame).subspan(icmp))));
    relayed.lab.inject(1, frame);
    relayed.tap.tcp.clear();
    relayed.lab.run(std::chrono::seconds(5));
    EXPECT_EQ(relayed.largest(1, large.to), 1492U - 52U);
    EXPECT_EQ(relayed.lab.brokers[0]->after_connect("device"), std::string(20000, 'x'));
}

}  // namespace
}  // namespace sluice::test
