// Properties of cutting that hold for any packet and any limit.
#include "sluice/splice/cut.h"

#include <gtest/gtest.h>

#include "kit.h"
#include "sluice/wire/checksum.h"

namespace sluice::splice {
namespace {

template <typename Tag>
class CutProperty : public testing::Test {
  protected:
    static constexpr IpFamily kFamily = Tag::kValue;

    TestFrame roll() {
        const Joint joint = random_joint(dice, kFamily);
        TestFrame frame = random_frame(dice, joint.client.tuple, random_shape(dice, kFamily));
        frame.fill_checksums();
        return frame;
    }
    // All pieces' frames, in their order.
    static std::vector<Bytes> cut(Bytes frame, std::size_t limit) {
        const auto packet = Packet<kFamily>::parse(frame);
        Cut<kFamily> pieces(*packet, limit);
        std::vector<Bytes> all(pieces.pieces());
        for (std::size_t i = all.size(); i > 1; --i) {
            all[i - 1].resize(wire::kEthernetHeaderSize + limit);
            all[i - 1].resize(pieces.write(i - 1, all[i - 1]));
        }
        if (!all.empty()) {
            frame.resize(pieces.keep_first());
            all[0] = frame;
        }
        return all;
    }

    Dice dice{20261129};
};

using Families = testing::Types<FamilyTag<IpFamily::V4>, FamilyTag<IpFamily::V6>>;
TYPED_TEST_SUITE(CutProperty, Families);

TYPED_TEST(CutProperty, PiecesAreWholePacketsAndTogetherTheOne) {
    constexpr IpFamily kFamily = TestFixture::kFamily;
    for (int round = 0; round < 5000; ++round) {
        const TestFrame frame = this->roll();
        Bytes bytes = frame.bytes;
        const auto whole = Packet<kFamily>::parse(bytes);
        ASSERT_TRUE(whole);
        const std::size_t headers = whole->size() - whole->payload_size();
        const std::size_t limit = headers + this->dice.below(whole->payload_size() + 2U);
        const auto pieces = TestFixture::cut(frame.bytes, limit);
        const wire::TcpFlags flags = whole->flags();
        if (flags.syn || flags.rst || limit == headers || whole->payload_size() == 0) {
            ASSERT_TRUE(pieces.empty());
            continue;
        }
        Bytes payload;
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            Bytes copy = pieces[i];
            const auto piece = Packet<kFamily>::parse(copy);
            ASSERT_TRUE(piece);
            ASSERT_EQ(piece->size() + wire::kEthernetHeaderSize, copy.size());
            ASSERT_LE(piece->size(), limit);
            ASSERT_TRUE(piece->tuple() == whole->tuple());
            const FourTuple tuple = piece->tuple();
            ASSERT_TRUE(
                wire::tcp_checksum_valid(tuple.remote.address, tuple.local.address, piece->segment()));
            if constexpr (kFamily == IpFamily::V4) {
                ASSERT_EQ(wire::checksum_sum({piece->ip(), headers - whole->tcp_header_size()}), 0xffff);
            }
            ASSERT_EQ(piece->sequence().since(whole->sequence()), payload.size());
            ASSERT_EQ(piece->tcp_header_size(), whole->tcp_header_size());
            ASSERT_EQ(std::memcmp(piece->tcp() + 20, whole->tcp() + 20, whole->tcp_header_size() - 20), 0);
            const wire::TcpFlags own = piece->flags();
            const bool last = i + 1 == pieces.size();
            ASSERT_EQ(own.fin, flags.fin && last);
            ASSERT_EQ(own.psh, flags.psh && last);
            ASSERT_EQ(own.ack, flags.ack);
            ASSERT_EQ(own.ece, flags.ece);
            ASSERT_EQ(own.cwr, flags.cwr && i == 0);
            const std::size_t urgent = load16(whole->tcp() + 18);
            ASSERT_EQ(own.urg, flags.urg && urgent > payload.size());
            ASSERT_EQ(load16(piece->tcp() + 18), own.urg ? urgent - payload.size() : flags.urg ? 0 : urgent);
            const ByteView part = piece->segment().subspan(piece->tcp_header_size());
            payload.insert(payload.end(), part.begin(), part.end());
        }
        const ByteView wanted = whole->segment().subspan(whole->tcp_header_size());
        ASSERT_TRUE(std::ranges::equal(payload, wanted));
    }
}

TEST(Cut, MayBecomeFragmentableUnderARightChecksum) {
    Dice dice{7};
    const Joint joint = random_joint(dice, IpFamily::V4);
    TestFrame frame = random_frame(dice, joint.client.tuple, random_shape(dice, IpFamily::V4));
    store16(frame.ip() + 6, 0x4000);
    frame.fill_checksums();
    const auto packet = Packet<IpFamily::V4>::parse(frame.bytes);
    ASSERT_TRUE(packet);
    allow_fragments(*packet);
    EXPECT_EQ(load16(frame.ip() + 6), 0);
    EXPECT_EQ(wire::checksum_sum({frame.ip(), frame.ip_size}), 0xffff);
}

}  // namespace
}  // namespace sluice::splice
