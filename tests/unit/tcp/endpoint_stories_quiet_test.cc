// Stories of the quiet point: when an endpoint holds nothing that somebody else would have to go on with.
#include <gtest/gtest.h>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

TEST(QuietStory, AFreshConnectionIsQuietAndOwesNothing) {
    Kit k;
    EXPECT_FALSE(k.endpoint().quiet());
    k.open();
    EXPECT_TRUE(k.endpoint().quiet());
}

TEST(QuietStory, WhatWasWrittenMustBeAcknowledged) {
    Kit k;
    k.open();
    k.write("abc");
    k.expect({.seq = 1, .data = "abc"});
    EXPECT_FALSE(k.endpoint().quiet());
    k.recv({.seq = 1, .ack = 4});
    EXPECT_TRUE(k.endpoint().quiet());
}

TEST(QuietStory, WhatCameMustBeReadAndWithoutAGap) {
    Kit k;
    k.open();
    k.recv({.seq = 4, .data = "def"});
    (void)k.drain();
    EXPECT_FALSE(k.endpoint().quiet()) << "a gap";
    k.recv({.seq = 1, .data = "abc"});
    (void)k.drain();
    EXPECT_FALSE(k.endpoint().quiet()) << "not read";
    EXPECT_EQ(k.read(), "abcdef");
    EXPECT_TRUE(k.endpoint().quiet());
}

TEST(QuietStory, AFinOfEitherSideEndsTheQuiet) {
    Kit ours;
    ours.open();
    ours.shutdown();
    EXPECT_FALSE(ours.endpoint().quiet());
    Kit theirs;
    theirs.open();
    theirs.recv({.flags = "FA", .seq = 1});
    (void)theirs.drain();
    EXPECT_FALSE(theirs.endpoint().quiet());
    (void)ours.drain();
}

TEST(QuietStory, AFinBehindAGapEndsItToo) {
    Kit k;
    k.open();
    k.recv({.flags = "FA", .seq = 2});
    (void)k.drain();
    EXPECT_FALSE(k.endpoint().quiet());
}

TEST(QuietStory, ADelayedAckMayBeOwedAndIsSentOnDemandOnce) {
    EndpointOptions options = plain_options();
    options.delayed_ack = 40ms;
    Kit k(options);
    k.open();
    k.recv({.seq = 1, .data = "abc"});
    EXPECT_EQ(k.read(), "abc");
    k.expect_nothing();
    EXPECT_TRUE(k.endpoint().quiet());
    struct Counter final : Output {
        void send(const Segment& segment) override {
            ++sent;
            acknowledged = segment.ack;
        }
        int sent = 0;
        Seq acknowledged;
    } out;
    k.endpoint().acknowledge(k.now(), out);
    EXPECT_EQ(out.sent, 1);
    EXPECT_EQ(out.acknowledged, k.endpoint().position().receive_next);
    k.endpoint().acknowledge(k.now(), out);
    EXPECT_EQ(out.sent, 1);
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
}

TEST(QuietStory, ThePositionTellsBothSegmentSizes) {
    EndpointOptions options = plain_options();
    options.receive_mss = 1400;
    Kit k(options);
    k.open({.mss = 1300});
    EXPECT_EQ(k.endpoint().position().receive_mss, 1400);
    EXPECT_EQ(k.endpoint().position().peer_mss, 1300);
}

TEST(QuietStory, MemoryGrowsWithWhatIsHeld) {
    Kit k;
    k.open();
    const std::size_t before = k.endpoint().memory_bytes();
    k.write(std::string(5000, 'x'));
    (void)k.drain();
    EXPECT_GE(k.endpoint().memory_bytes(), before + 5000);
}

}  // namespace
}  // namespace sluice::tcp::kit
