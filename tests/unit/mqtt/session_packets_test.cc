// What follows the CONNACK: read back as it was written, and nothing read that is not there.
#include "sluice/mqtt/session_packets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>

namespace sluice::mqtt {
namespace {

constexpr Version kVersions[] = {Version::V31, Version::V311, Version::V5};

PacketBytes bytes(std::initializer_list<unsigned> values) {
    PacketBytes out;
    for (const unsigned value : values) out.push_back(static_cast<std::byte>(value));
    return out;
}

PacketHeader header_of(const PacketBytes& packet) {
    const auto read = read_packet_header(packet);
    EXPECT_TRUE(std::holds_alternative<PacketHeader>(read));
    const auto header = std::get<PacketHeader>(read);
    EXPECT_EQ(header.size + header.remaining, packet.size());
    return header;
}

// read(header, packet) must refuse the packet when its end is missing, with a header that fits what is left.
template <typename Read>
void expect_no_prefix(const PacketBytes& packet, std::size_t shortest, Read&& read) {
    const PacketHeader whole = header_of(packet);
    for (std::size_t size = whole.size; size < shortest; ++size) {
        const PacketBytes cut(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size));
        PacketHeader header = whole;
        header.remaining = size - whole.size;
        EXPECT_FALSE(read(header, cut)) << size << " bytes of " << packet.size();
    }
}

TEST(Publish, IsReadBackAsWritten) {
    for (const Version version : kVersions) {
        for (const std::uint8_t qos : std::initializer_list<std::uint8_t>{0, 1, 2}) {
            for (const std::size_t size : {0U, 1U, 100U, 20'000U, 2'200'000U}) {
                const PacketBytes payload(size, std::byte{7});
                const Publish written{.topic = "a/ü",
                                      .packet_id = static_cast<std::uint16_t>(qos == 0 ? 0 : 0xfffe),
                                      .qos = qos,
                                      .retain = qos == 1,
                                      .duplicate = qos == 2,
                                      .payload = payload};
                PacketBytes packet;
                write_publish(written, version, packet);
                const auto read = read_publish(header_of(packet), packet, version);
                ASSERT_TRUE(read);
                EXPECT_EQ(read->topic, written.topic);
                EXPECT_EQ(read->packet_id, written.packet_id);
                EXPECT_EQ(read->qos, qos);
                EXPECT_EQ(read->retain, written.retain);
                EXPECT_EQ(read->duplicate, written.duplicate);
                EXPECT_TRUE(std::ranges::equal(read->payload, payload));
            }
        }
    }
}

TEST(Publish, EndsWhereItsFieldsEnd) {
    for (const Version version : kVersions) {
        PacketBytes packet;
        write_publish({.topic = "topic", .packet_id = 9, .qos = 1, .payload = {}}, version, packet);
        expect_no_prefix(packet, packet.size(), [&](const auto& header, const auto& cut) {
            return read_publish(header, cut, version);
        });
    }
}

TEST(Publish, RefusesWhatTheStandardForbids) {
    const auto refused = [](const PacketBytes& packet, Version version) {
        return !read_publish(header_of(packet), packet, version);
    };
    EXPECT_TRUE(refused(bytes({0x36, 5, 0, 1, 'a', 0, 1}), Version::V311)) << "QoS 3";
    EXPECT_TRUE(refused(bytes({0x32, 5, 0, 1, 'a', 0, 0}), Version::V311)) << "packet identifier 0";
    EXPECT_TRUE(refused(bytes({0x30, 2, 0, 0}), Version::V311)) << "no topic";
    EXPECT_TRUE(refused(bytes({0x30, 3, 0, 1, '+'}), Version::V311)) << "a wildcard";
    EXPECT_TRUE(refused(bytes({0x30, 3, 0, 1, 0xff}), Version::V311)) << "no UTF-8";
    EXPECT_TRUE(refused(bytes({0x30, 4, 0, 1, 'a', 5}), Version::V5)) << "properties past the end";
    EXPECT_TRUE(refused(bytes({0x30, 4, 0, 1, 'a', 0x80}), Version::V5)) << "half a property length";
}

TEST(Publish, StepsOverProperties) {
    const auto packet = bytes({0x30, 7, 0, 1, 'a', 2, 0x01, 1, 'x'});
    const auto read = read_publish(header_of(packet), packet, Version::V5);
    ASSERT_TRUE(read);
    EXPECT_EQ(as_text(read->payload), "x");
}

TEST(Acknowledgement, IsReadBackAsWritten) {
    for (const PacketType type :
         {PacketType::Puback, PacketType::Pubrec, PacketType::Pubrel, PacketType::Pubcomp}) {
        for (const Version version : kVersions) {
            PacketBytes packet;
            write_acknowledgement(type, 0x1234, packet);
            const PacketHeader header = header_of(packet);
            EXPECT_EQ(header.type, type);
            const auto read = read_acknowledgement(header, packet, version);
            ASSERT_TRUE(read);
            EXPECT_EQ(read->packet_id, 0x1234);
            EXPECT_EQ(read->reason, 0);
            expect_no_prefix(packet, packet.size(), [&](const auto& h, const auto& cut) {
                return read_acknowledgement(h, cut, version);
            });
        }
    }
}

TEST(Acknowledgement, HasAReasonInVersion5Only) {
    const auto with_reason = bytes({0x40, 3, 0, 1, 0x97});
    const auto read = read_acknowledgement(header_of(with_reason), with_reason, Version::V5);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->reason, 0x97);
    EXPECT_FALSE(read_acknowledgement(header_of(with_reason), with_reason, Version::V311));
    const auto with_properties = bytes({0x40, 4, 0, 1, 0, 0});
    EXPECT_TRUE(read_acknowledgement(header_of(with_properties), with_properties, Version::V5));
    const auto overlong = bytes({0x40, 5, 0, 1, 0, 0, 0});
    EXPECT_FALSE(read_acknowledgement(header_of(overlong), overlong, Version::V5));
    const auto wrong_flags = bytes({0x60, 2, 0, 1});
    EXPECT_FALSE(read_acknowledgement(header_of(wrong_flags), wrong_flags, Version::V311))
        << "PUBREL without 0x02";
    const auto zero = bytes({0x40, 2, 0, 0});
    EXPECT_FALSE(read_acknowledgement(header_of(zero), zero, Version::V311));
}

TEST(Subscribe, IsReadBackAsWritten) {
    for (const Version version : kVersions) {
        PacketBytes packet;
        write_subscribe(77, "a/+/#", 2, version, packet);
        auto read = read_subscribe(header_of(packet), packet, version);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->packet_id, 77);
        const auto filter = read->filters.next();
        ASSERT_TRUE(filter);
        EXPECT_EQ(filter->text, "a/+/#");
        EXPECT_EQ(filter->qos, 2);
        EXPECT_FALSE(read->filters.next());
        expect_no_prefix(packet, packet.size(), [&](const auto& header, const auto& cut) {
            return read_subscribe(header, cut, version);
        });
    }
}

TEST(Subscribe, HoldsSeveralFilters) {
    const auto packet = bytes({0x82, 10, 0, 1, 0, 1, 'a', 1, 0, 1, 'b', 0});
    auto read = read_subscribe(header_of(packet), packet, Version::V311);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->filters.next()->text, "a");
    const auto second = read->filters.next();
    EXPECT_EQ(second->text, "b");
    EXPECT_EQ(second->qos, 0);
    const auto unsubscribe = bytes({0xa2, 8, 0, 1, 0, 1, 'a', 0, 1, 'b'});
    auto others = read_unsubscribe(header_of(unsubscribe), unsubscribe, Version::V311);
    ASSERT_TRUE(others);
    EXPECT_EQ(others->filters.next()->text, "a");
    EXPECT_EQ(others->filters.next()->text, "b");
    EXPECT_FALSE(others->filters.next());
}

TEST(Subscribe, RefusesWhatTheStandardForbids) {
    for (const PacketBytes& packet :
         {bytes({0x80, 6, 0, 1, 0, 1, 'a', 0}), bytes({0x82, 2, 0, 1}), bytes({0x82, 6, 0, 0, 0, 1, 'a', 0}),
          bytes({0x82, 6, 0, 1, 0, 1, 'a', 3}), bytes({0x82, 5, 0, 1, 0, 0, 0})}) {
        EXPECT_FALSE(read_subscribe(header_of(packet), packet, Version::V311));
    }
}

TEST(Suback, IsReadBackAsWritten) {
    for (const Version version : kVersions) {
        PacketBytes packet;
        const std::uint8_t codes[] = {1, 0x80};
        write_suback(5, codes, version, packet);
        const auto read = read_suback(header_of(packet), packet, version);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->packet_id, 5);
        ASSERT_EQ(read->codes.size(), 2U);
        EXPECT_EQ(read->codes[1], std::byte{0x80});
    }
}

TEST(Unsuback, HasCodesInVersion5Only) {
    PacketBytes packet;
    write_unsuback(5, 2, Version::V311, packet);
    EXPECT_EQ(packet, bytes({0xb0, 2, 0, 5}));
    packet.clear();
    write_unsuback(5, 2, Version::V5, packet);
    EXPECT_EQ(packet, bytes({0xb0, 5, 0, 5, 0, 0, 0}));
}

TEST(SmallPackets, AreAsTheStandardShowsThem) {
    PacketBytes packet;
    write_accepted(true, "", Version::V311, packet);
    EXPECT_EQ(packet, bytes({0x20, 2, 1, 0}));
    packet.clear();
    write_accepted(false, "ab", Version::V5, packet);
    EXPECT_EQ(packet, bytes({0x20, 8, 0, 0, 5, 0x12, 0, 2, 'a', 'b'}));
    packet.clear();
    write_pingresp(packet);
    EXPECT_EQ(packet, bytes({0xd0, 0}));
    packet.clear();
    write_server_disconnect(0x95, packet);
    EXPECT_EQ(packet, bytes({0xe0, 1, 0x95}));
}

}  // namespace
}  // namespace sluice::mqtt
