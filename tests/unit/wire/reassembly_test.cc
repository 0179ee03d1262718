// Fragments become packets again, whatever their order; what contradicts itself does not, and nobody can fill
// the table for others.
#include "sluice/wire/reassembly.h"

#include <gtest/gtest.h>

#include <random>

#include "fragments_kit.h"

namespace sluice::wire {
namespace {

using Status = Reassembly::Status;

constexpr Instant kStart = Instant{} + 1h;
constexpr std::size_t kLarge = 9000;

class ReassemblyTest : public testing::TestWithParam<IpFamily> {
  protected:
    Reassembly::Result add(const Bytes& part, Instant at = kStart, std::size_t largest = kLarge) {
        const ExactBytes exact(part);
        const auto fragment = parse_fragment(GetParam(), exact.view());
        EXPECT_TRUE(fragment);
        return table.add(at, *fragment, largest, 42);
    }
    Status fate(const Bytes& part, Instant at = kStart) { return add(part, at).fate; }
    Bytes part(std::size_t begin, std::size_t end, bool more, std::uint32_t id = 7) const {
        return part_of(GetParam(), packet, begin, end, more, id);
    }
    Bytes from(Bytes part, std::uint8_t host) const {
        part[GetParam() == IpFamily::V4 ? 15 : 23] = std::byte{host};
        return part;
    }
    // Another identification than the parts have is the whole's.
    Bytes expected() const { return packet; }

    Bytes packet = whole_packet(GetParam(), payload_of(3000));
    Reassembly table{
        {.timeout = 30s, .packets = 8, .bytes = 64000, .source_packets = 3, .source_bytes = 30000}};
};

TEST_P(ReassemblyTest, GivesThePacketInAnyOrderOfItsParts) {
    std::mt19937 dice(1);
    for (const std::size_t size : {24U, 56U, 536U, 1480U, 2976U}) {
        for (int round = 0; round < 20; ++round) {
            packet = whole_packet(GetParam(), payload_of(size * 3 + 5));
            auto parts = parts_of(GetParam(), packet, size);
            std::ranges::shuffle(parts, dice);
            for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
                ASSERT_EQ(fate(parts[i]), Status::Held);
                ASSERT_EQ(fate(parts[i]), Status::Held);  // once more changes nothing
            }
            const auto result = add(parts.back());
            ASSERT_EQ(result.fate, Status::Whole);
            ASSERT_EQ(result.packet, expected());
            ASSERT_EQ(table.size() + table.bytes(), 0U);
        }
    }
}

TEST_P(ReassemblyTest, KeepsPacketsApartByEverythingThatNamesThem) {
    EXPECT_EQ(fate(part(0, 1480, true, 7)), Status::Held);
    EXPECT_EQ(fate(part(1480, 3000, false, 8)), Status::Held);
    EXPECT_EQ(fate(from(part(1480, 3000, false, 7), 9)), Status::Held);
    EXPECT_EQ(table.size(), 3U);
    EXPECT_EQ(fate(part(1480, 3000, false, 7)), Status::Whole);
}

// RFC 5722: with all that is still to come.
TEST_P(ReassemblyTest, OverlappingPartsSpoilTheirPacket) {
    struct Pair {
        std::size_t begin, end;
    };
    for (const Pair p : {Pair{0, 1480}, Pair{1000, 1600}, Pair{1480, 1488}, Pair{1600, 2480},
                         Pair{1480, 2488}, Pair{1400, 2600}, Pair{1600, 1808}}) {
        Reassembly fresh{{.timeout = 30s}};
        std::swap(table, fresh);
        EXPECT_EQ(fate(part(1480, 2480, true)), Status::Held);
        const bool apart = p.end <= 1480;
        const auto result = add(part(p.begin, p.end, true));
        EXPECT_EQ(result.fate, apart ? Status::Held : Status::Spoiled) << p.begin << ' ' << p.end;
        EXPECT_EQ(result.spoiled, apart ? 0U : 2U);
        const auto late = add(part(2480, 3000, false));
        EXPECT_EQ(late.fate, apart ? Status::Whole : Status::Spoiled);
        EXPECT_EQ(late.spoiled, apart ? 0U : 1U);
    }
}

TEST_P(ReassemblyTest, PartsThatDisagreeAboutTheEndSpoilTheirPacket) {
    for (const auto& [first, second] : {std::pair{part(1000, 2000, false), part(2000, 3000, true)},
                                        std::pair{part(2000, 3000, true), part(1000, 2000, false)},
                                        std::pair{part(1000, 2000, false), part(2400, 3000, false)},
                                        std::pair{part(2400, 3000, false), part(1000, 2000, false)}}) {
        Reassembly fresh{{.timeout = 30s}};
        std::swap(table, fresh);
        EXPECT_EQ(fate(first), Status::Held);
        EXPECT_EQ(fate(second), Status::Spoiled);
        EXPECT_EQ(fate(part(0, 1000, true)), Status::Spoiled);
    }
}

TEST_P(ReassemblyTest, APacketLargerThanTheCallerTakesIsSpoiledAtOnce) {
    const std::size_t header = GetParam() == IpFamily::V4 ? 20 : 40;
    EXPECT_EQ(fate(part(0, 1480, true)), Status::Held);
    EXPECT_EQ(add(part(1480, 3000, false), kStart, header + 2999).fate, Status::TooLarge);
    EXPECT_EQ(fate(part(0, 1480, true)), Status::Spoiled);
    EXPECT_EQ(fate(part(0, 1480, true, 8)), Status::Held);
    EXPECT_EQ(add(part(1480, 3000, false, 8), kStart, header + 3000).fate, Status::Whole);
}

TEST_P(ReassemblyTest, ManyTinyPartsSpoilTheirPacket) {
    packet = whole_packet(GetParam(), payload_of(8 * (Reassembly::kMostParts + 4)), 17);
    for (std::size_t i = 0; i < Reassembly::kMostParts; ++i)
        EXPECT_EQ(fate(part(8 * i, 8 * i + 8, true)), Status::Held);
    EXPECT_EQ(fate(part(8 * Reassembly::kMostParts, 8 * Reassembly::kMostParts + 8, true)), Status::Spoiled);
}

TEST_P(ReassemblyTest, WaitsOnlySoLongAndTellsWhatItHad) {
    std::vector<Reassembly::Remains> told;
    const auto tell = [&](const Reassembly::Remains& r) { told.push_back(r); };
    EXPECT_EQ(table.next_deadline(), kNever);
    const Bytes first = part(0, 1480, true);
    fate(first);
    fate(part(1480, 2000, true), kStart + 20s);
    fate(part(1480, 3000, false, 8), kStart + 1s);
    fate(part(0, 1480, true, 9), kStart + 2s);
    fate(part(0, 800, true, 9), kStart + 2s);  // spoiled
    EXPECT_EQ(table.next_deadline(), kStart + 30s);
    table.expire(kStart + 30s - 1ns, tell);
    EXPECT_TRUE(told.empty());
    table.expire(kStart + 32s, tell);
    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told[0].fragments, 2U);
    EXPECT_EQ(told[0].origin, 42U);
    EXPECT_EQ(told[0].source.to_string(), GetParam() == IpFamily::V4 ? "10.1.7.7" : "fd00:1::7");
    EXPECT_EQ(told[0].destination.to_string(), GetParam() == IpFamily::V4 ? "10.1.0.1" : "fd00:1::1");
    EXPECT_EQ(told[0].first, first);
    EXPECT_EQ(told[1].fragments, 1U);
    EXPECT_TRUE(told[1].first.empty());
    EXPECT_EQ(told[2].fragments, 0U);
    EXPECT_EQ(table.size() + table.bytes(), 0U);
    EXPECT_EQ(table.next_deadline(), kNever);
}

TEST_P(ReassemblyTest, OneSourceLosesItsOwnOldestFirst) {
    EXPECT_EQ(fate(from(part(0, 1480, true, 1), 200)), Status::Held);
    for (std::uint32_t id = 1; id <= 3; ++id) EXPECT_EQ(add(part(0, 1480, true, id)).evicted, 0U);
    EXPECT_EQ(add(part(0, 1480, true, 4)).evicted, 1U);  // of three packets
    EXPECT_EQ(table.size(), 4U);
    EXPECT_EQ(fate(part(1480, 3000, false, 1)), Status::Held);  // begins anew, and number 2 is gone
    EXPECT_EQ(fate(part(1480, 3000, false, 4)), Status::Whole);
    EXPECT_EQ(fate(from(part(1480, 3000, false, 1), 200)), Status::Whole);
    // By bytes: a part far behind costs all that lies before it.
    packet = whole_packet(GetParam(), payload_of(9000));
    for (std::uint32_t id = 11; id <= 13; ++id) EXPECT_EQ(fate(part(8000, 8800, true, id)), Status::Held);
    EXPECT_EQ(add(part(8000, 8800, true, 14)).evicted, 1U);
    EXPECT_LE(table.bytes(), 30000U);
}

TEST_P(ReassemblyTest, AllTogetherLoseTheOldestOfAll) {
    std::size_t evicted = 0;
    for (std::uint8_t host = 1; host <= 8; ++host) evicted += add(from(part(0, 1480, true), host)).evicted;
    EXPECT_EQ(evicted, 0U);
    EXPECT_EQ(add(from(part(0, 1480, true), 9)).evicted, 1U);
    EXPECT_EQ(table.size(), 8U);
    EXPECT_EQ(fate(from(part(1480, 3000, false), 2)), Status::Whole);
    EXPECT_EQ(fate(from(part(1480, 3000, false), 1)), Status::Held);
}

TEST_P(ReassemblyTest, CongestionThatOnePartMetIsTheWholes) {
    const auto with_ecn = [&](Bytes part, unsigned ecn) {
        if (GetParam() == IpFamily::V4) {
            part[1] = static_cast<std::byte>(ecn);
        } else {
            part[1] = static_cast<std::byte>(ecn << 4U);
        }
        return part;
    };
    struct Case {
        unsigned first, second;
        std::optional<unsigned> whole;
    };
    for (const Case c : {Case{2, 2, 2}, Case{2, 3, 3}, Case{3, 1, 3}, Case{0, 0, 0}, Case{0, 3, {}}}) {
        EXPECT_EQ(fate(with_ecn(part(0, 1480, true), c.first)), Status::Held);
        const auto result = add(with_ecn(part(1480, 3000, false), c.second));
        EXPECT_EQ(result.fate, c.whole ? Status::Whole : Status::Spoiled);
        if (!c.whole) continue;
        IpError error{};
        const unsigned is = GetParam() == IpFamily::V4
                                ? Ipv4View::parse(result.packet, error)->traffic_class()
                                : Ipv6View::parse(result.packet, error)->traffic_class();
        EXPECT_EQ(is, *c.whole);
        EXPECT_TRUE(GetParam() == IpFamily::V6 || Ipv4View::parse(result.packet, error)->checksum_valid());
    }
}

INSTANTIATE_TEST_SUITE_P(Both, ReassemblyTest, testing::Values(IpFamily::V4, IpFamily::V6),
                         [](const auto& p) { return p.param == IpFamily::V4 ? "IPv4" : "IPv6"; });

TEST(Fragment, OfNoPacketIsNone) {
    for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
        const Bytes packet = whole_packet(family, payload_of(4000));
        const auto bad = [&](const Bytes& bytes) { return !parse_fragment(family, bytes).has_value(); };
        EXPECT_FALSE(bad(part_of(family, packet, 0, 24, true)));
        EXPECT_FALSE(bad(part_of(family, packet, 24, 31, false)));
        EXPECT_TRUE(bad(packet));                                  // no fragment
        EXPECT_TRUE(bad(part_of(family, packet, 24, 31, true)));   // more follow, but where?
        EXPECT_TRUE(bad(part_of(family, packet, 24, 24, false)));  // empty
        EXPECT_TRUE(bad(part_of(family, packet, 0, 16, true)));    // half a TCP header (RFC 1858)
        EXPECT_TRUE(bad(part_of(family, packet, 8, 32, true)));    // that overwrites half of it
        Bytes far = part_of(family, packet, 0, 1000, false);
        store16(far.data() + (family == IpFamily::V4 ? 6 : 42), family == IpFamily::V4 ? 0x1fff : 0xfff8);
        EXPECT_TRUE(bad(far));  // ends beyond 65535
        for (std::size_t size = 0; size < 60; ++size) {
            const ExactBytes cut(ByteView(far).first(size));
            EXPECT_FALSE(parse_fragment(family, cut.view()));
        }
    }
}

TEST(Fragment, OfIpv4HasTheOptionsOfTheFirst) {
    Bytes packet = whole_packet(IpFamily::V4, payload_of(100));
    packet.insert(packet.begin() + 20, {std::byte{0x94}, std::byte{4}, std::byte{0}, std::byte{0}});
    packet[0] = std::byte{0x46};
    store16(packet.data() + 2, 124);
    store16(packet.data() + 10, 0);
    store16(packet.data() + 10, checksum_finish(checksum_sum(ByteView(packet).first(24))));
    Reassembly table{{.timeout = 30s}};
    const auto parts = parts_of(IpFamily::V4, packet, 48);
    for (std::size_t i = parts.size() - 1; i > 0; --i) {
        EXPECT_EQ(table.add(kStart, *parse_fragment(IpFamily::V4, parts[i]), kLarge).fate, Status::Held);
    }
    EXPECT_EQ(table.add(kStart, *parse_fragment(IpFamily::V4, parts[0]), kLarge).packet, packet);
}

}  // namespace
}  // namespace sluice::wire
