// The bench on which one Endpoint is tested: a virtual clock, a peer made of segment templates, and a record
// of everything that was sent. The endpoint gets into a state by real segments only. Numbers in templates are
// relative, as in packetdrill: 0 is a side's SYN, 1 its first byte; the real ones sit just below the wrap.
//
//     Kit k;
//     k.open();                               // three-way handshake, we are the passive side
//     k.recv({.seq = 1, .ack = 1, .data = "abc"});
//     k.expect_nothing();
//     k.advance(40ms);
//     k.expect({.seq = 1, .ack = 4});
//
// Anything sent that a test neither expects nor drains is a failure, and so is any rule of Monitor.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "netsim/monitor.h"
#include "sluice/tcp/endpoint.h"

namespace sluice::tcp::kit {

using Where = std::source_location;
using Range = std::pair<std::int64_t, std::int64_t>;  // relative, half-open

inline constexpr Seq kOurIss{0xffff'fff0};
inline constexpr Seq kPeerIss{0xffff'ffe0};

// A segment from the peer. What is left out is what a well-behaved peer would send next.
struct In {
    std::string_view flags = "A";       // letters of S F R P A U; "" for none
    std::optional<std::int64_t> seq{};  // default: the next number of the peer
    std::optional<std::int64_t> ack{};  // default: everything that the endpoint has sent
    std::optional<std::uint16_t> window{};
    std::string_view data{};
    std::optional<std::uint16_t> mss{};
    std::optional<std::uint8_t> window_scale{};
    bool sack_permitted = false;
    std::optional<wire::TcpTimestamps> timestamps{};  // default: the peer's clock, when agreed
    bool no_timestamps = false;
    std::vector<Range> sack{};  // of our bytes
};

// What the endpoint is expected to send. What is left out is not compared, except data and SACK: none, then.
struct Out {
    std::string_view flags = "A";  // P is ignored on both sides
    std::optional<std::int64_t> seq{};
    std::optional<std::int64_t> ack{};
    std::optional<std::uint16_t> window{};
    std::optional<std::string_view> data{};
    std::optional<std::size_t> size{};         // instead of data
    std::optional<std::vector<Range>> sack{};  // of the peer's bytes
};

// An owned copy of a segment that was sent.
struct Sent {
    Instant at;
    std::int64_t seq = 0;
    std::int64_t ack = 0;
    wire::TcpFlags flags;
    std::uint16_t window = 0;
    wire::TcpOptions options;
    std::string data;
    std::vector<Range> sack;

    std::int64_t end() const {
        return seq + static_cast<std::int64_t>(data.size()) + (flags.fin ? 1 : 0) + (flags.syn ? 1 : 0);
    }
    std::string to_string() const;
};

// No options on the wire, ample buffers: the plain endpoint of RFC 9293.
EndpointOptions plain_options();
// Scale, SACK and timestamps offered.
EndpointOptions full_options();
// The SYN or SYN-ACK of a peer that offers all of it, with a scale of 4.
In full_syn();

class Kit : private Output {
  public:
    explicit Kit(const EndpointOptions& options = plain_options(), Seq our_iss = kOurIss,
                 Seq peer_iss = kPeerIss);
    ~Kit();
    Kit(const Kit&) = delete;
    Kit& operator=(const Kit&) = delete;

    // --- opening ---
    void listen();
    void connect();
    // A complete handshake, drained. The template is the peer's SYN or SYN-ACK: its options and window.
    void open(In syn = {.mss = 1460}, Where where = Where::current());         // passive here
    void open_active(In syn = {.mss = 1460}, Where where = Where::current());  // active here

    // --- events ---
    void recv(In segment, Where where = Where::current());
    // Lets time pass, running every timer on its way.
    void advance(Duration duration, Where where = Where::current());
    // Lets time pass until something is sent, at most `limit`; how long that took, or nullopt.
    std::optional<Duration> wait_for_output(Duration limit, Where where = Where::current());
    std::size_t write(std::string_view text, Where where = Where::current());
    std::string read(std::size_t most = SIZE_MAX, Where where = Where::current());  // peek and consume
    void shutdown(Where where = Where::current());
    void abort(Where where = Where::current());
    void path_mss(std::uint16_t mss, Where where = Where::current());
    // Another endpoint takes the place of this one, which must be quiet; an ACK that is owed is sent before.
    void sleep_and_resume(Where where = Where::current());

    // --- what came out ---
    void expect(const Out& want, Where where = Where::current());
    void expect_nothing(Where where = Where::current());
    void expect_state(State want, Failure failure = Failure::None, Where where = Where::current());
    std::vector<Sent> drain();
    bool quiet() const { return sent_.empty(); }

    // --- what is known ---
    Endpoint& endpoint() { return endpoint_; }
    Instant now() const { return now_; }
    std::int64_t peer_next() const { return peer_next_; }
    std::int64_t sent_next() const { return sent_next_; }  // one past the highest number sent
    std::int64_t relative_to_us(Seq seq) const;
    std::int64_t relative_to_peer(Seq seq) const;
    std::uint32_t peer_clock() const;
    std::uint32_t last_timestamp() const { return last_timestamp_; }  // TSval sent last
    void set_peer_window(std::uint16_t window) { peer_window_ = window; }

  private:
    void send(const Segment& segment) override;
    void check(Where where);

    EndpointOptions options_;
    Seq our_iss_;
    Seq peer_iss_;
    Endpoint endpoint_;
    Monitor monitor_;
    Instant now_;
    std::deque<Sent> sent_;
    std::vector<std::pair<Segment, std::string>> fresh_;  // for the monitor, with the payload's bytes
    std::int64_t sent_next_ = 0;
    std::int64_t peer_next_ = 0;
    std::uint16_t peer_window_ = 65535;
    std::uint32_t last_timestamp_ = 0;
    bool peer_timestamps_ = false;
};

// `size` bytes that differ at every offset within 251.
std::string pattern(std::size_t size, std::size_t start = 0);

}  // namespace sluice::tcp::kit
