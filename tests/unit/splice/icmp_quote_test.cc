// A quoted packet becomes again what its sender had sent, as far as the quote reaches.
#include <gtest/gtest.h>

#include <algorithm>

#include "kit.h"
#include "sluice/splice/icmp_quote.h"
#include "sluice/splice/translate.h"

namespace sluice::splice {
namespace {

template <typename Tag>
class IcmpQuote : public testing::Test {
  protected:
    static constexpr IpFamily kFamily = Tag::kValue;

    // A data packet that went through the record: `sent` as it came in, `left` as it went out.
    void roll() {
        joint = random_joint(dice, kFamily);
        record = make_record<kFamily>(joint);
        for (DirectionState& way : record.core.ways) way.our_scale = way.their_scale = 7;
        direction = dice.one_in(2) ? Direction::ToBroker : Direction::ToClient;
        const bool up = direction == Direction::ToBroker;
        Shape shape = random_shape(dice, kFamily);
        shape.flags = {.psh = true, .ack = true};
        shape.payload = 1 + dice.below(40);
        shape.padding = 0;
        sent = random_frame(dice, (up ? joint.client : joint.broker).tuple, shape);
        const tcp::Endpoint::Position& in = (up ? joint.client : joint.broker).position;
        store32(sent.tcp() + 4, in.receive_next.value());
        store32(sent.tcp() + 8, in.send_next.value());
        sent.fill_checksums();
        left = sent;
        const auto packet = Packet<kFamily>::parse(left.bytes);
        ASSERT_TRUE(packet.has_value());
        ASSERT_FALSE(is_drop(translate(record, direction, *packet, kOwnMac, 0)));
    }
    // What `frame` looks like in an error: its packet, or the front of it, with the TTL that `left` has.
    Bytes quote_of(const TestFrame& frame, std::size_t size) const {
        TestFrame aged = frame;
        const std::size_t limit = kFamily == IpFamily::V4 ? 8 : 7;
        store8(aged.ip() + limit, load8(left.ip() + limit));
        if (kFamily == IpFamily::V4) aged.fill_checksums();
        Bytes quote(aged.bytes.begin() + 14, aged.bytes.end());
        quote.resize(std::min(size, quote.size()));
        return quote;
    }
    QuoteVerdict run(Bytes& quote) { return translate_icmp_quote(record, direction, quote); }

    Dice dice{11};
    Joint joint;
    Record<kFamily> record;
    Direction direction = Direction::ToBroker;
    TestFrame sent;
    TestFrame left;
};

using Families = testing::Types<FamilyTag<IpFamily::V4>, FamilyTag<IpFamily::V6>>;
TYPED_TEST_SUITE(IcmpQuote, Families);

TYPED_TEST(IcmpQuote, TranslatesAWholePacketBack) {
    for (int i = 0; i < 5000; ++i) {
        this->roll();
        Bytes quote = this->quote_of(this->left, 2000);
        ASSERT_EQ(this->run(quote), QuoteVerdict::Translated);
        ASSERT_EQ(quote, this->quote_of(this->sent, 2000)) << "round " << i;
    }
}

// RFC 792 promises eight bytes behind the IP header, and routers may stop anywhere after.
TYPED_TEST(IcmpQuote, TranslatesTheFrontOfAPacket) {
    for (int i = 0; i < 2000; ++i) {
        this->roll();
        const std::size_t size = this->left.ip_size + 8 + this->dice.below(12);
        Bytes quote = this->quote_of(this->left, size);
        ASSERT_EQ(this->run(quote), QuoteVerdict::Translated);
        const Bytes wanted = this->quote_of(this->sent, size);
        // Without the whole fixed header only addresses, ports and sequence are certain.
        const auto certain = static_cast<std::ptrdiff_t>(this->left.ip_size + 8);
        ASSERT_TRUE(std::equal(quote.begin(), quote.begin() + certain, wanted.begin())) << "round " << i;
    }
}

TYPED_TEST(IcmpQuote, LeavesWhatItDoesNotTranslateAsItWas) {
    const auto refused = [this](Bytes quote) {
        const Bytes before = quote;
        const QuoteVerdict verdict = this->run(quote);
        EXPECT_EQ(quote, before);
        return verdict;
    };
    for (int i = 0; i < 500; ++i) {
        this->roll();
        const Bytes good = this->quote_of(this->left, 2000);
        const std::size_t tcp = this->left.ip_size;
        Bytes other_port = good;
        store16(other_port.data() + tcp, static_cast<std::uint16_t>(load16(good.data() + tcp) + 1));
        EXPECT_EQ(refused(other_port), QuoteVerdict::Foreign);
        Bytes other_protocol = good;
        store8(other_protocol.data() + (TestFixture::kFamily == IpFamily::V4 ? 9 : 6), 17);
        EXPECT_EQ(refused(other_protocol), QuoteVerdict::Foreign);
        EXPECT_EQ(refused(this->quote_of(this->left, tcp + 7)), QuoteVerdict::Foreign);

        Bytes later = good;
        const DirectionState& way = this->record.core.way(this->direction);
        store32(later.data() + tcp + 4, way.next.value());
        EXPECT_EQ(refused(later), QuoteVerdict::NotInFlight);
        Bytes earlier = good;
        store32(earlier.data() + tcp + 4, way.acked.retreat(1).value());
        EXPECT_EQ(refused(earlier), QuoteVerdict::NotInFlight);
    }
}

}  // namespace
}  // namespace sluice::splice
