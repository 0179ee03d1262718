// A leg: text in both directions, its end, and what it holds, over a wire that loses; the same with and
// without codecs.
#include "sluice/session/leg.h"

#include <gtest/gtest.h>

#include "session/leg_rig.h"

namespace sluice::test {
namespace {

const std::vector<FramingOptions> kNone;
const std::vector<FramingOptions> kOne{FramingOptions{}};
// The upper one's frames lie across those of the lower one.
const std::vector<FramingOptions> kTwo{FramingOptions{.limit = 700}, FramingOptions{.limit = 3000}};
const std::vector<FramingOptions> kTransparent{FramingOptions{.transparent = true}};

void exchange(const LegPlan& plan, std::size_t size) {
    LegRig rig(plan);
    const std::string there = noise(size, 1);
    const std::string back = noise(size + 77, 2);
    rig.peer.write(rig.now, there);
    rig.write(back);
    EXPECT_TRUE(rig.run_until(
        [&] { return rig.text.size() >= there.size() && rig.peer.text().size() >= back.size(); }));
    EXPECT_TRUE(rig.text == there);
    EXPECT_TRUE(rig.peer.text() == back);
    rig.run(2s);
    EXPECT_TRUE(rig.leg.quiet());
    rig.peer.finish(rig.now);
    EXPECT_TRUE(rig.run_until([&] { return rig.leg.at_end(); }));
    rig.shutdown();
    EXPECT_TRUE(rig.run_until([&] { return rig.peer.ended() && rig.leg.closed(); }));
    EXPECT_FALSE(rig.leg.failed());
    EXPECT_FALSE(rig.peer.failed());
    EXPECT_EQ(rig.peer.endpoint.failure(), tcp::Failure::None);
    EXPECT_EQ(rig.leg.undelivered(), 0U);
    EXPECT_TRUE(rig.text == there);
    EXPECT_TRUE(rig.peer.text() == back);
}

TEST(Leg, CarriesEveryByteBothWaysOverABadWire) {
    for (const auto& codecs : {kNone, kOne, kTwo, kTransparent}) {
        for (std::uint64_t seed = 1; seed <= 8; ++seed) {
            SCOPED_TRACE(std::to_string(codecs.size()) + " codecs, seed " + std::to_string(seed));
            exchange({.codecs = codecs, .link = kBadLink, .seed = seed, .connects = seed % 2 == 0}, 40'000);
        }
    }
}

TEST(Leg, CarriesMoreThanAllBuffersTogether) {
    for (const auto& codecs : {kOne, kTwo}) exchange({.codecs = codecs}, 3'000'000);
}

// Small buffers: what encoding adds does not fit beside what is written.
TEST(Leg, CarriesEveryByteThroughSmallBuffers) {
    for (const auto& codecs : {kOne, kTwo}) {
        LegPlan plan{.codecs = codecs};
        plan.leg.receive_buffer = plan.peer.receive_buffer = 5000;
        plan.leg.send_buffer = plan.peer.send_buffer = 1000;
        exchange(plan, 50'000);
    }
}

TEST(Leg, TakesNoTextBeforeThePeersPreface) {
    LegRig rig;
    rig.write("early");
    EXPECT_EQ(rig.unsent, "early");
    EXPECT_TRUE(rig.run_until([&] { return rig.peer.text() == "early"; }, 1s));
}

TEST(Leg, EndsTheStreamBehindEverythingThatWasWritten) {
    for (const auto& codecs : {kNone, kOne, kTwo}) {
        LegRig rig({.codecs = codecs, .link = kBadLink});
        rig.run(1s);
        const std::string text = noise(60'000, 3);
        rig.write(text);
        rig.shutdown();
        EXPECT_EQ(rig.leg.write(rig.now, as_bytes("more"), rig), 0U);
        EXPECT_TRUE(rig.run_until([&] { return rig.peer.endpoint.peer_finished(); }));
        EXPECT_TRUE(rig.peer.text() == text);
        EXPECT_TRUE(rig.peer.ended());
        EXPECT_FALSE(rig.peer.failed());
    }
}

// A half-close in the codec's words alone: TCP's own end may come later, or never.
TEST(Leg, IsAtItsEndWhenTheCodecSaysSo) {
    LegRig rig;
    rig.reads = false;
    rig.peer.write(rig.now, "last words");
    rig.run(1s);
    rig.peer.end().finish(rig.now);
    rig.peer.write_raw(rig.now, {});
    rig.run(1s);
    EXPECT_TRUE(rig.leg.peer_finished());
    EXPECT_FALSE(rig.leg.at_end());
    rig.reads = true;
    rig.run(1s);
    EXPECT_EQ(rig.text, "last words");
    EXPECT_TRUE(rig.leg.at_end());
    rig.write("and mine");
    rig.run(1s);
    EXPECT_EQ(rig.peer.text(), "and mine");
}

TEST(Leg, WhosePeerDoesNotReadTakesNoMoreText) {
    for (const auto& codecs : {kNone, kOne, kTwo}) {
        LegRig rig({.codecs = codecs});
        rig.run(1s);
        rig.peer.reads = false;
        const std::string text = noise(2'000'000, 5);
        rig.write(text);
        rig.run(20s);
        EXPECT_GT(rig.unsent.size(), 1'000'000U);
        EXPECT_LT(rig.most_held, 400'000U);
        EXPECT_EQ(rig.leg.writable(), 0U);
        rig.peer.reads = true;
        EXPECT_TRUE(rig.run_until([&] { return rig.peer.text().size() == text.size(); }));
        EXPECT_TRUE(rig.peer.text() == text);
    }
}

TEST(Leg, RestsAndGoesOnWhereItWas) {
    for (const auto& codecs : {kNone, kOne, kTwo, kTransparent}) {
        LegRig rig({.codecs = codecs});
        std::string there;
        std::string back;
        for (unsigned i = 0; i < 20; ++i) {
            const std::string question = noise(100 + i * 1000, i);
            const std::string answer = noise(50 + i * 1500, 100 + i);
            there += question;
            back += answer;
            rig.peer.write(rig.now, question);
            rig.write(answer);
            rig.run(3s);
            ASSERT_TRUE(rig.leg.may_rest());
            const session::RestingLeg resting = rig.leg.rest();
            auto codecs_left = rig.leg.take_codecs();
            rig.run_wire();
            rig.now += 100s;
            rig.leg =
                session::Leg(resting, std::move(codecs_left), tcp::EndpointOptions{}.send_buffer, rig.now);
            ASSERT_TRUE(rig.text == there);
            ASSERT_TRUE(rig.peer.text() == back);
        }
        rig.peer.finish(rig.now);
        rig.run(1s);
        EXPECT_TRUE(rig.leg.at_end());
    }
}

TEST(Leg, IsNotQuietWhileACodecWaits) {
    LegRig rig;
    rig.run(1s);
    EXPECT_TRUE(rig.leg.quiet());
    FramedEnd words{FramingOptions{}};
    words.start(rig.now);
    words.arrive(rig.now, FramingCodec::kPreface);
    words.to_send.clear();
    words.write(rig.now, "in two pieces");
    rig.peer.write_raw(rig.now, words.to_send.substr(0, 9));
    rig.run(1s);
    EXPECT_FALSE(rig.leg.quiet());
    rig.peer.write_raw(rig.now, words.to_send.substr(9));
    rig.run(1s);
    EXPECT_TRUE(rig.leg.quiet());
    EXPECT_EQ(rig.text, "in two pieces");
}

TEST(Leg, KnowsTheIdentityThatItsCodecHasRead) {
    const SocketAddress device{IpAddress::v4(203, 0, 113, 7), 40000};
    LegRig rig({.codecs = {FramingOptions{.transparent = true, .names = device}}});
    EXPECT_FALSE(rig.leg.identity());
    EXPECT_FALSE(rig.leg.transparent());
    rig.run(1s);
    EXPECT_EQ(rig.leg.identity(), device);
    EXPECT_TRUE(rig.leg.transparent());
}

}  // namespace
}  // namespace sluice::test
