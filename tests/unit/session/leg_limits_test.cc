// What a leg with codecs may not be made to do: hold more than it may, wait for what cannot come, pass a text
// off as whole that is not.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "session/leg_rig.h"

namespace sluice::test {
namespace {

const std::vector<FramingOptions> kNone;
const std::vector<FramingOptions> kOne{FramingOptions{}};
const std::vector<FramingOptions> kTwo{FramingOptions{.limit = 700}, FramingOptions{.limit = 3000}};

// Who has nothing to say yet and closes says so in the codec's words too, as soon as it may.
TEST(LegLimits, ThatIsShutDownBeforeThePrefaceFinishesBehindIt) {
    for (const auto& codecs : {kNone, kOne, kTwo}) {
        LegRig rig({.codecs = codecs, .connects = true});
        rig.shutdown();
        EXPECT_TRUE(rig.run_until([&] { return rig.peer.endpoint.peer_finished(); }, 5s));
        EXPECT_TRUE(rig.peer.ended());
        EXPECT_FALSE(rig.peer.failed());
        EXPECT_FALSE(rig.leg.failed());
    }
}

TEST(LegLimits, WhoseOwnerDoesNotReadClosesThePeersWindow) {
    for (const auto& codecs : {kNone, kOne, kTwo}) {
        LegRig rig({.codecs = codecs});
        rig.reads = false;
        const std::string text = noise(2'000'000, 4);
        rig.peer.write(rig.now, text);
        rig.run(20s);
        EXPECT_LT(rig.most_held, 600'000U);
        EXPECT_FALSE(rig.peer.all_taken());
        // Bit by bit: what is freed is not filled with everything that waits.
        for (int i = 0; i < 200; ++i) {
            const ByteView piece = rig.leg.peek();
            const std::size_t n = std::min<std::size_t>(piece.size(), 1000);
            rig.text += as_text(piece.first(n));
            rig.leg.consume(rig.now, n, rig);
            rig.run(10ms);
        }
        EXPECT_LT(rig.most_held, 600'000U);
        rig.reads = true;
        EXPECT_TRUE(rig.run_until([&] { return rig.text.size() == text.size(); }));
        EXPECT_TRUE(rig.text == text);
    }
}

// A peer that asks without end and reads nothing.
TEST(LegLimits, HoldsNoMoreAnswersThanItMay) {
    LegRig rig;
    rig.run(1s);
    rig.peer.reads = false;
    for (int i = 0; i < 200; ++i) {
        for (int k = 0; k < 500; ++k) rig.peer.ask(rig.now);
        rig.run(10ms);
    }
    EXPECT_LT(rig.most_held, 400'000U);
    rig.peer.reads = true;
    EXPECT_TRUE(rig.run_until([&] { return rig.peer.end().codec().answers() == 100'000; }));
}

// What a codec has to answer behind the end of its own stream is for nobody.
TEST(LegLimits, IsThroughWhenItsEndIsAcknowledgedWhateverThePeerStillAsks) {
    for (const auto& codecs : {kOne, kTwo}) {
        LegRig rig({.codecs = codecs});
        rig.run(1s);
        rig.write("all of it");
        rig.shutdown();
        rig.run(1s);
        EXPECT_TRUE(rig.leg.all_acknowledged());
        for (int i = 0; i < 100; ++i) rig.peer.ask(rig.now);
        rig.run(1s);
        EXPECT_TRUE(rig.leg.all_acknowledged());
        EXPECT_FALSE(rig.leg.failed());
        rig.peer.write(rig.now, "still talking");
        rig.peer.finish(rig.now);
        rig.run(1s);
        EXPECT_EQ(rig.text, "still talking");
        EXPECT_TRUE(rig.leg.over());
    }
}

// Ends of streams that are not the end of the text.
TEST(LegFailure, OfAStreamThatEndsBeforeItsTextIsNoEndOfTheText) {
    const std::string preface(FramingCodec::kPreface);
    FramedEnd words{FramingOptions{}};
    words.arrive(Instant{}, preface);
    words.write(Instant{}, "a whole one");
    const std::string whole = words.to_send;
    words.write(Instant{}, "another");
    for (const std::string& stream : {std::string(), preface.substr(0, 3), preface, preface + whole,
                                      preface + words.to_send.substr(0, words.to_send.size() - 1)}) {
        LegRig rig({.raw_peer = true});
        rig.peer.write_raw(rig.now, stream);
        rig.peer.close_raw(rig.now);
        rig.run(1s);
        EXPECT_TRUE(rig.leg.failed());
        EXPECT_FALSE(rig.leg.peer_finished());
        EXPECT_FALSE(rig.leg.at_end());
        EXPECT_EQ(rig.text, stream.size() > preface.size() ? "a whole one" : "");
        EXPECT_TRUE(rig.peer.endpoint.peer_finished());  // there is nothing to wait for
        EXPECT_TRUE(rig.leg.closed());
    }
}

// The complaint goes out behind what was written, then FIN; what still comes is for nobody, and its sender
// may close in order.
TEST(LegFailure, IsToldToThePeerBehindWhatWasWritten) {
    LegRig rig({.link = kBadLink});
    rig.run(1s);
    const std::string text = noise(30'000, 6);
    rig.write(text);
    rig.run_until([&] { return rig.unsent.empty(); });
    rig.peer.write(rig.now, "good");
    rig.run(2s);
    rig.peer.write_raw(rig.now, std::string(200'000, '\x3f'));
    rig.peer.close_raw(rig.now);
    EXPECT_TRUE(rig.run_until([&] { return rig.peer.endpoint.peer_finished() && rig.leg.over(); }));
    EXPECT_TRUE(rig.leg.failed());
    EXPECT_FALSE(rig.leg.peer_finished());
    EXPECT_EQ(rig.text, "good");
    EXPECT_TRUE(rig.peer.text() == text);
    EXPECT_TRUE(rig.peer.end().codec().complained_of());
    EXPECT_TRUE(rig.leg.all_acknowledged());
    EXPECT_EQ(rig.leg.write(rig.now, as_bytes("more"), rig), 0U);
    EXPECT_EQ(rig.peer.endpoint.failure(), tcp::Failure::None);
}

TEST(LegFailure, OfThePeersOwnWordIsNoEndEither) {
    LegRig rig;
    rig.run(1s);
    rig.peer.write(rig.now, "good");
    rig.write(std::string(10, 'x'));
    rig.run(1s);
    ByteQueue complaint;
    // Number 1 of the frames, kind "complaint".
    rig.peer.write_raw(rig.now, std::string("\xc0\0\0\0\0\1", 6));
    rig.run(1s);
    EXPECT_TRUE(rig.leg.failed());
    EXPECT_FALSE(rig.leg.at_end());
    EXPECT_EQ(rig.text, "good");
}

// A lost, doubled or foreign frame.
TEST(LegFailure, IsNoticedByTheNumbersOfFrames) {
    for (const char number : {'\0', '\2'}) {
        LegRig rig;
        rig.run(1s);
        rig.peer.write(rig.now, "good");
        rig.run(1s);
        rig.peer.write_raw(rig.now, std::string("\0\1\0\0\0", 5) + number + "x");
        rig.run(1s);
        EXPECT_TRUE(rig.leg.failed());
        EXPECT_EQ(rig.text, "good");
    }
}

TEST(LegFailure, ComesAtTheDeadlineAndNotBefore) {
    for (const bool greeted : {false, true}) {
        LegRig rig({.raw_peer = true});
        rig.peer.write_raw(rig.now, greeted ? std::string(FramingCodec::kPreface) + '\0' : "fra");
        rig.run(4900ms);
        EXPECT_FALSE(rig.leg.failed());
        EXPECT_LE(rig.leg.next_deadline(), rig.now + 110ms);
        rig.run(150ms);
        EXPECT_TRUE(rig.leg.failed());
        rig.run(1s);
        EXPECT_TRUE(rig.peer.endpoint.peer_finished());
    }
}

TEST(LegFailure, OfAPeerWhoIsKeptWaitingHimselfIsNone) {
    for (const bool answers : {false, true}) {
        LegRig rig;
        rig.run(1s);
        (answers ? rig.peer.reads : rig.reads) = false;
        for (int i = 0; i < 60'000; ++i) {
            if (answers) rig.peer.ask(rig.now);
        }
        const std::string text = noise(1'000'000, 7);
        rig.peer.write(rig.now, text);
        rig.run(100s);
        EXPECT_FALSE(rig.leg.failed());
        rig.reads = rig.peer.reads = true;
        EXPECT_TRUE(rig.run_until([&] { return rig.text.size() == text.size(); }));
        EXPECT_TRUE(rig.text == text);
    }
}

TEST(LegFailure, OfTcpLeavesTheTextThatWasAcknowledged) {
    LegRig rig;
    rig.run(1s);
    rig.reads = false;
    rig.peer.write(rig.now, "was acknowledged");
    rig.run(1s);
    rig.peer.reset(rig.now);
    rig.run(1s);
    EXPECT_TRUE(rig.leg.closed());
    EXPECT_TRUE(rig.leg.failed());
    EXPECT_EQ(rig.leg.undelivered(), 16U);
    EXPECT_EQ(rig.leg.next_deadline(), kNever);
    rig.reads = true;
    rig.run(1s);
    EXPECT_EQ(rig.text, "was acknowledged");
    EXPECT_EQ(rig.leg.undelivered(), 0U);
}

// Text that was written and encoded, and that TCP has not even taken, is as undelivered as what it carried.
TEST(LegFailure, OfTcpCountsWhatWasWrittenForNothing) {
    LegPlan plan{.codecs = {FramingOptions{.limit = 1}}};
    plan.leg.send_buffer = 1000;
    LegRig rig(plan);
    rig.run(1s);
    rig.peer.cut_off = true;
    rig.write(std::string(1000, 'x'));
    EXPECT_TRUE(rig.unsent.empty());
    rig.leg.abort(rig.now, rig);
    EXPECT_EQ(rig.leg.undelivered(), 7000U);
}

}  // namespace
}  // namespace sluice::test
