// What lies between a leg's TCP stream and the bytes that the session reads and writes, its text: encryption,
// framing, a header that is read once and gone. A codec is pure: time and bytes come in, bytes go out, and
// the leg moves them. The stream is what TCP carries, the text is what the session sees.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/byte_queue.h"
#include "sluice/base/bytes.h"
#include "sluice/base/time.h"

namespace sluice::session {

class Codec {
  public:
    virtual ~Codec() = default;

    // Once, before everything else: the stream is established. Appends what this end has to say first.
    virtual void start(Instant now, ByteQueue& stream) = 0;

    // Takes as many of the bytes that arrived as mean something by now, and returns how many. Appends the
    // text in them, and to `stream` what they are to be answered with. Bytes that were not taken come again
    // with those that follow.
    virtual std::size_t decode(Instant now, ByteView arrived, ByteQueue& text, ByteQueue& stream) = 0;
    // No byte follows those that came, taken or not.
    virtual void end_of_stream(Instant now) = 0;
    // The peer has said that no more text follows; its stream need not be at its end. False when text is
    // missing.
    virtual bool text_ended() const = 0;

    // Whether text can be encoded yet.
    virtual bool takes_text() const = 0;
    // Requires takes_text(). Takes all of it.
    virtual void encode(Instant now, ByteView text, ByteQueue& stream) = 0;
    // Requires takes_text(). Appends what tells the peer that no more text follows. Nothing is encoded after
    // it.
    virtual void finish(Instant now, ByteQueue& stream) = 0;

    // The stream cannot be understood any more, or the peer is not who he should be. Text before that stays
    // good; what was appended to the stream still goes out. It is asked for nothing after that.
    virtual bool failed() const = 0;
    // From here on every byte passes unchanged in both directions, and this codec could be left out.
    virtual bool transparent() const = 0;
    // Nothing is under way: a whole number of units has passed each way, and no answer is awaited. Only then
    // does the leg rest or end in a splice.
    virtual bool quiet() const = 0;
    // Who the client is, where the stream names somebody else than its sender.
    virtual std::optional<SocketAddress> identity() const { return std::nullopt; }

    // kNever when nothing is awaited.
    virtual Instant next_deadline() const = 0;
    // Harmless before the deadline.
    virtual void on_timer(Instant now, ByteQueue& stream) = 0;

    // Of this object, in bytes.
    virtual std::size_t memory_bytes() const = 0;
};

// Codecs one upon the other, the first next to the stream.
class CodecChain {
  public:
    // Not empty.
    explicit CodecChain(std::vector<std::unique_ptr<Codec>> codecs);

    void start(Instant now);
    // As Codec has them, of all together. The text waits in text(), what is to be sent in stream().
    std::size_t decode(Instant now, ByteView arrived);
    void end_of_stream(Instant now);
    bool text_ended() const;
    bool takes_text() const;
    void encode(Instant now, ByteView text);
    // At any time: codecs that take no text yet, or have failed, have no end to tell. Once.
    void finish(Instant now);
    bool failed() const;
    bool transparent() const;
    bool quiet() const;
    std::optional<SocketAddress> identity() const;
    Instant next_deadline() const;
    void on_timer(Instant now);

    // Decoded and not yet read by the session.
    const ByteQueue& text() const { return stages_.back().text; }
    void drop_text(std::size_t bytes) { stages_.back().text.drop(bytes); }
    // Encoded and not yet taken by TCP.
    const ByteQueue& stream() const { return stages_.front().stream; }
    void drop_stream(std::size_t bytes) { stages_.front().stream.drop(bytes); }
    // What waits to be sent, in stream() and above it; in bytes.
    std::size_t unsent() const;
    // Nobody will send that any more.
    void drop_unsent();
    // Gives back what empty queues hold.
    void shrink();
    std::size_t memory_bytes() const;
    // Of these, what bytes that wait take.
    std::size_t buffer_bytes() const;

  private:
    struct Stage {
        std::unique_ptr<Codec> codec;
        ByteQueue text;         // decoded, for the codec above or the session
        ByteQueue stream;       // encoded, for the codec below or TCP
        bool at_end = false;    // was told that nothing more comes from below
        bool finished = false;  // nothing is encoded any more
    };
    static void end(Instant now, Stage& stage);
    void send_down(Instant now);

    std::vector<Stage> stages_;
};

// Who makes the codecs of legs. Borrowed by sessions; nullptr results: the stream is the text.
class CodecSource {
  public:
    // listener, pool: as the snapshot numbers them; backend: in the pool.
    virtual std::unique_ptr<CodecChain> for_client(std::uint32_t listener) = 0;
    virtual std::unique_ptr<CodecChain> for_broker(std::uint32_t pool, std::uint32_t backend) = 0;

  protected:
    ~CodecSource() = default;
};

}  // namespace sluice::session
