// A chain of codecs: what is text to one is the stream of the next, in either direction, and so is its end.
#include "sluice/session/codec.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "session/leg_rig.h"

namespace sluice::test {
namespace {

constexpr Instant kStart{3'600s};
const std::string kPreface(FramingCodec::kPreface);

std::string framed(FramedEnd& end, std::string_view text) {
    end.write(kStart, text);
    return std::exchange(end.to_send, {});
}

// Two codecs, and both of the peer's.
struct Two {
    Two() {
        chain->start(kStart);
        for (FramedEnd* end : {&lower, &upper}) end->arrive(kStart, kPreface);
    }
    ~Two() { watched.expect_used_well(); }
    Two(const Two&) = delete;
    Two& operator=(const Two&) = delete;

    // Returns what the chain did not take.
    std::string arrive(std::string_view stream) {
        return std::string(stream.substr(chain->decode(kStart, as_bytes(stream))));
    }
    void open() {
        EXPECT_EQ(arrive(kPreface + framed(lower, kPreface)), "");
        sent();
    }
    std::string sent() {
        std::string bytes(as_text(chain->stream().bytes()));
        chain->drop_stream(bytes.size());
        return bytes;
    }
    std::string text() const { return std::string(as_text(chain->text().bytes())); }

    WatchedChain watched;
    std::unique_ptr<session::CodecChain> chain = watched.make({FramingOptions{}, FramingOptions{}});
    FramedEnd lower{FramingOptions{}};
    FramedEnd upper{FramingOptions{}};
};

TEST(CodecChain, LetsTheUpperCodecSpeakWhenTheLowerOneCan) {
    Two two;
    EXPECT_EQ(two.sent(), kPreface);
    EXPECT_EQ(two.chain->unsent(), kPreface.size());
    EXPECT_FALSE(two.chain->takes_text());
    EXPECT_EQ(two.arrive(kPreface), "");
    EXPECT_EQ(two.sent(), std::string("\0\x08\0\0\0\0", 6) + kPreface);
    EXPECT_FALSE(two.chain->takes_text());
    EXPECT_FALSE(two.chain->quiet());
    EXPECT_EQ(two.arrive(framed(two.lower, kPreface)), "");
    EXPECT_TRUE(two.chain->takes_text());
    EXPECT_TRUE(two.chain->quiet());
    EXPECT_EQ(two.chain->unsent(), 0U);
}

TEST(CodecChain, JoinsTheUpperCodecsUnitsOverTheLowerOnes) {
    Two two;
    two.open();
    const std::string unit = framed(two.upper, "across two");
    EXPECT_EQ(two.arrive(framed(two.lower, unit.substr(0, 9))), "");
    EXPECT_EQ(two.text(), "");
    EXPECT_FALSE(two.chain->quiet());
    EXPECT_EQ(two.chain->next_deadline(), kStart + 5s);
    const std::string rest = framed(two.lower, unit.substr(9));
    EXPECT_EQ(two.arrive(rest.substr(0, 3)), rest.substr(0, 3));
    EXPECT_EQ(two.arrive(rest), "");
    EXPECT_EQ(two.text(), "across two");
    EXPECT_EQ(two.chain->next_deadline(), kNever);
    EXPECT_FALSE(two.chain->quiet());  // text waits
    two.chain->drop_text(10);
    EXPECT_TRUE(two.chain->quiet());
}

TEST(CodecChain, EndsFromAboveDownwards) {
    Two two;
    two.open();
    two.chain->encode(kStart, as_bytes("text"));
    two.chain->finish(kStart);
    two.lower.arrive(kStart, kPreface);
    two.upper.arrive(kStart, kPreface);
    const std::string sent = two.sent();
    FramedEnd below{FramingOptions{}};
    FramedEnd above{FramingOptions{}};
    below.arrive(kStart, kPreface + std::string("\0\x08\0\0\0\0", 6) + kPreface + sent);
    above.arrive(kStart, below.text);
    EXPECT_EQ(above.text, "text");
    EXPECT_TRUE(above.ended());
    EXPECT_TRUE(below.ended());
    EXPECT_FALSE(below.failed());
}

TEST(CodecChain, EncodesNoAnswerBehindTheEnd) {
    Two two;
    two.open();
    two.chain->finish(kStart);
    two.sent();
    two.upper.ask();
    EXPECT_EQ(two.arrive(framed(two.lower, std::exchange(two.upper.to_send, {}))), "");
    EXPECT_EQ(two.sent(), "");
    EXPECT_EQ(two.chain->unsent(), 0U);
    EXPECT_FALSE(two.chain->failed());
}

// The lower codec's end is the end of the upper one's stream: within a unit, text is missing.
TEST(CodecChain, MissesTextWhereTheLowerEndCutsTheUpperOnes) {
    for (const bool within : {false, true}) {
        Two two;
        two.open();
        std::string unit = framed(two.upper, "whole");
        unit += framed(two.upper, "broken");
        std::string stream = framed(two.lower, unit.substr(0, unit.size() - (within ? 1 : 0)));
        two.lower.finish(kStart);
        stream += two.lower.to_send;
        EXPECT_EQ(two.arrive(stream), "");
        EXPECT_TRUE(two.chain->failed());
        EXPECT_FALSE(two.chain->text_ended());
        EXPECT_EQ(two.text(), within ? "whole" : "wholebroken");
        EXPECT_EQ(two.chain->next_deadline(), kNever);
        EXPECT_FALSE(two.chain->takes_text());
    }
}

TEST(CodecChain, EndsWhereTheUpperCodecDoes) {
    Two two;
    two.open();
    two.upper.finish(kStart);
    std::string stream = framed(two.lower, two.upper.to_send);
    EXPECT_EQ(two.arrive(stream), "");
    EXPECT_TRUE(two.chain->text_ended());
    two.lower.finish(kStart);
    EXPECT_EQ(two.arrive(two.lower.to_send), "");
    two.chain->end_of_stream(kStart);
    EXPECT_TRUE(two.chain->text_ended());
    EXPECT_FALSE(two.chain->failed());
}

// What an upper codec complains about is told by the lower one, which then ends as usual.
TEST(CodecChain, TellsTheUpperCodecsFailureInTheLowerOnesWords) {
    Two two;
    two.open();
    EXPECT_EQ(two.arrive(framed(two.lower, std::string("\x3f\xff too long", 11))), "");
    EXPECT_TRUE(two.chain->failed());
    two.chain->finish(kStart);
    FramedEnd below{FramingOptions{}};
    FramedEnd above{FramingOptions{}};
    below.arrive(kStart, kPreface + std::string("\0\x08\0\0\0\0", 6) + kPreface + two.sent());
    above.arrive(kStart, below.text);
    EXPECT_TRUE(above.codec().complained_of());
    EXPECT_TRUE(below.ended());
    EXPECT_FALSE(below.failed());
}

TEST(CodecChain, OfAFailedLowerCodecEncodesNothingMore) {
    Two two;
    two.open();
    two.upper.ask();
    const std::string unit = framed(two.lower, std::exchange(two.upper.to_send, {}));
    EXPECT_EQ(two.arrive(unit + std::string("\x3f\xff too long", 11)).size(), 11U);
    EXPECT_TRUE(two.chain->failed());
    EXPECT_FALSE(two.chain->takes_text());
    two.chain->finish(kStart);
    EXPECT_EQ(two.chain->unsent(), two.chain->stream().size());
}

TEST(CodecChain, KeepsNoBuffersAtRest) {
    Two two;
    two.open();
    EXPECT_EQ(two.arrive(framed(two.lower, framed(two.upper, "text"))), "");
    two.chain->shrink();
    EXPECT_EQ(two.text(), "text");
    two.chain->drop_text(4);
    EXPECT_GT(two.chain->buffer_bytes(), 0U);
    two.chain->shrink();
    EXPECT_EQ(two.chain->buffer_bytes(), 0U);
    EXPECT_LT(two.chain->memory_bytes(), 1000U);
    EXPECT_EQ(two.arrive(framed(two.lower, framed(two.upper, "more"))), "");
    EXPECT_EQ(two.text(), "more");
}

}  // namespace
}  // namespace sluice::test
