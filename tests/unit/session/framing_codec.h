// A codec that exists only in tests, with everything that a real one has: a preface that must come before
// anything else, units with an end of their own, numbers that betray a lost or doubled one, questions that it
// answers by itself, an end that is said before TCP's, limits, patience.
//
//   stream:  "frames!\n" frame*          each way
//   frame:   2 bytes kind (upper two bits) and length, 4 bytes number of the frame, then `length` bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/session/codec.h"

namespace sluice::test {

struct FramingOptions {
    std::size_t limit = 4096;  // of a frame's text, in bytes; at most 16,383
    Duration patience = 5s;    // for the peer's preface, and for the rest of a frame that has begun
    bool transparent = false;  // behind the preface every byte is text
    // Where it is written what was used against its contract: it may outlive the codec.
    std::shared_ptr<std::string> misuse{};
    std::optional<SocketAddress> names{};  // who the preface says the client is
};

class FramingCodec final : public session::Codec {
  public:
    static constexpr std::string_view kPreface = "frames!\n";
    static constexpr std::size_t kHeader = 6;

    explicit FramingCodec(FramingOptions options) : options_(std::move(options)) {}

    void start(Instant now, ByteQueue& stream) override;
    std::size_t decode(Instant now, ByteView arrived, ByteQueue& text, ByteQueue& stream) override;
    void end_of_stream(Instant now) override;
    bool text_ended() const override { return ended_; }
    bool takes_text() const override { return greeted_; }
    void encode(Instant now, ByteView text, ByteQueue& stream) override;
    void finish(Instant now, ByteQueue& stream) override;
    bool failed() const override { return failed_; }
    bool transparent() const override { return options_.transparent && greeted_; }
    bool quiet() const override { return greeted_ && !failed_ && awaiting_ == kNever; }
    std::optional<SocketAddress> identity() const override {
        return greeted_ ? options_.names : std::nullopt;
    }
    Instant next_deadline() const override { return failed_ ? kNever : awaiting_; }
    void on_timer(Instant now, ByteQueue& stream) override;
    std::size_t memory_bytes() const override { return sizeof *this; }

    // --- for the peers that tests play ---
    // The other end has to answer it.
    void ask(ByteQueue& stream) { append(Kind::Question, {}, stream); }
    std::uint32_t answers() const { return answers_; }
    // The other end has said that it does not understand this one.
    bool complained_of() const { return complained_of_; }

  private:
    enum class Kind : std::uint16_t { Text = 0, Question = 1, Answer = 2, Complaint = 3 };

    void append(Kind kind, ByteView payload, ByteQueue& stream);
    bool take_preface(ByteView& arrived, ByteQueue& stream);
    bool take_frame(ByteView& arrived, ByteQueue& text, ByteQueue& stream);
    void take(Kind kind, ByteView payload, ByteQueue& text, ByteQueue& stream);
    void fail(ByteQueue& stream);
    void misuse(const char* how) const;

    FramingOptions options_;
    std::uint32_t sent_ = 0;   // frames
    std::uint32_t taken_ = 0;  // frames
    std::uint32_t answers_ = 0;
    Instant awaiting_ = kNever;
    bool started_ = false;
    bool greeted_ = false;  // the peer's preface has come
    bool partial_ = false;  // the last bytes that came were not taken
    bool ended_ = false;
    bool finished_ = false;
    bool failed_ = false;
    bool complained_of_ = false;
};

// One end of a stream in a test's hands: text in one direction, the stream's bytes in the other. Without
// framing the stream is the text.
class FramedEnd {
  public:
    explicit FramedEnd(std::optional<FramingOptions> framing = std::nullopt);

    void start(Instant now);
    void write(Instant now, std::string_view text);
    void finish(Instant now);
    void ask();
    void arrive(Instant now, std::string_view stream);
    void end_of_stream(Instant now);

    std::string text;     // received
    std::string to_send;  // of the stream, to be taken away by whoever sends
    bool ended() const { return (codec_ && codec_->text_ended()) || (ended_ && !failed()); }
    bool failed() const { return codec_ && codec_->failed(); }
    // Nothing waits for the peer's preface.
    bool all_said() const { return waiting_.empty(); }
    const FramingCodec& codec() const { return *codec_; }

  private:
    void move(ByteQueue& stream);
    void say_waiting(Instant now);

    std::optional<FramingCodec> codec_;
    std::string waiting_;  // text that cannot be encoded yet
    std::string unread_;   // of the stream
    bool wants_end_ = false;
    bool finished_ = false;
    bool ended_ = false;
};

// `size` bytes that differ from run to run of the same length, by seed.
std::string noise(std::size_t size, unsigned seed);

}  // namespace sluice::test
