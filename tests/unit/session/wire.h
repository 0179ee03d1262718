// The far end of a leg, in a test's hands: a TCP endpoint at the end of two links that lose, repeat and
// reorder by a seed, and above it the codecs that the leg's ones expect. Time is virtual.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/framing_codec.h"
#include "sluice/tcp/endpoint.h"
#include "tcp/netsim/link.h"

namespace sluice::test {

using tcp::kit::LinkOptions;

class Peer final : public tcp::Output {
  public:
    // codecs: the first next to the stream.
    Peer(const tcp::EndpointOptions& options, std::vector<FramingOptions> codecs, const LinkOptions& link,
         std::uint64_t seed);

    void listen() { endpoint.listen(tcp::Seq(0x7fff'fff0)); }
    void connect(Instant now) { endpoint.connect(now, tcp::Seq(0xffff'fff0), *this); }

    void write(Instant now, std::string_view text);
    // Says that no more text follows, then FIN.
    void finish(Instant now);
    // Bytes into the stream itself, past the codecs.
    void write_raw(Instant now, std::string_view stream);
    // FIN behind what was written, without a word of the codecs.
    void close_raw(Instant now);
    void reset(Instant now) { endpoint.abort(now, *this); }
    void ask(Instant now);

    const std::string& text() const { return ends_.empty() ? raw : ends_.back().text; }
    // The end of the text has come, and in order.
    bool ended() const { return ends_.empty() ? endpoint.peer_finished() : ends_.back().ended(); }
    bool failed() const;
    FramedEnd& end(std::size_t index = 0) { return ends_[index]; }
    bool all_taken() const;

    // What the leg sends; may come late, twice or never.
    void to_peer(Instant now, const tcp::Segment& segment) { in_.send(now, segment); }
    // Takes what has arrived, and fires what is due.
    void step(Instant now);
    // The next segment that has arrived at the leg; `bytes` holds its payload.
    bool receive(Instant now, tcp::Segment& segment, std::string& bytes) {
        return out_.receive(now, segment, bytes);
    }
    Instant next_event() const;

    void send(const tcp::Segment& segment) override;

    tcp::Endpoint endpoint;
    std::string raw;       // of the stream
    bool reads = true;     // false: leaves what comes in its endpoint
    bool cut_off = false;  // nothing reaches it, nothing leaves it

  private:
    void collect(Instant now);
    void flush(Instant now);

    std::vector<FramedEnd> ends_;
    std::string unsent_;
    bool started_ = false;
    bool told_end_ = false;
    bool wants_fin_ = false;
    Instant now_{};
    tcp::kit::Link out_;
    tcp::kit::Link in_;
};

// How a wire of real life behaves, in a bad hour.
inline constexpr LinkOptions kBadLink{
    .delay = 10ms, .jitter = 2ms, .loss = 0.05, .duplicate = 0.02, .reorder = 0.05};

}  // namespace sluice::test
