// The bench: templates become segments, segments become relative copies, and every call is followed by the
// monitor's look at what was sent.
#include "kit.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::tcp::kit {

namespace {

// Far from zero, so that a duration taken for an instant shows.
constexpr Instant kStart{Duration(1'000'000s)};
constexpr std::uint32_t kPeerClockOffset = 0x7000'0000;

wire::TcpFlags flags_of(std::string_view letters) {
    wire::TcpFlags flags;
    for (const char c : letters) {
        if (c == 'S') flags.syn = true;
        if (c == 'F') flags.fin = true;
        if (c == 'R') flags.rst = true;
        if (c == 'P') flags.psh = true;
        if (c == 'A') flags.ack = true;
        if (c == 'U') flags.urg = true;
    }
    return flags;
}

std::string letters_of(wire::TcpFlags flags) {
    std::string text;
    if (flags.syn) text += 'S';
    if (flags.fin) text += 'F';
    if (flags.rst) text += 'R';
    if (flags.ack) text += 'A';
    if (flags.urg) text += 'U';
    return text;
}

std::string without_push(std::string_view letters) { return letters_of(flags_of(letters)); }

Seq absolute(Seq start, std::int64_t relative) {
    return Seq(start.value() + static_cast<std::uint32_t>(relative));
}

std::string text_of(const std::vector<Range>& ranges) {
    std::string text;
    for (const Range& r : ranges) text += " " + std::to_string(r.first) + ":" + std::to_string(r.second);
    return text;
}

}  // namespace

std::string Sent::to_string() const {
    std::string text = letters_of(flags) + " seq " + std::to_string(seq) + " ack " + std::to_string(ack) +
                       " win " + std::to_string(window) + " len " + std::to_string(data.size());
    if (!sack.empty()) text += " sack" + text_of(sack);
    return text;
}

EndpointOptions plain_options() {
    EndpointOptions options;
    options.window_scale = std::nullopt;
    options.sack = false;
    options.timestamps = false;
    return options;
}

EndpointOptions full_options() {
    EndpointOptions options;
    options.timestamp_offset = 0x1234'5678;
    return options;
}

In full_syn() {
    return {.mss = 1460,
            .window_scale = std::uint8_t{4},
            .sack_permitted = true,
            .timestamps = wire::TcpTimestamps{.value = milliseconds32(kStart) + kPeerClockOffset, .echo = 0}};
}

std::string pattern(std::size_t size, std::size_t start) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((start + i) % 251);
    return text;
}

Kit::Kit(const EndpointOptions& options, Seq our_iss, Seq peer_iss)
    : options_(options),
      our_iss_(our_iss),
      peer_iss_(peer_iss),
      endpoint_(options),
      monitor_(options),
      now_(kStart) {}

Kit::~Kit() {
    for (const Sent& s : sent_) ADD_FAILURE() << "sent and never looked at: " << s.to_string();
}

std::int64_t Kit::relative_to_us(Seq seq) const {
    return static_cast<std::int32_t>(seq.value() - our_iss_.value());
}
std::int64_t Kit::relative_to_peer(Seq seq) const {
    return static_cast<std::int32_t>(seq.value() - peer_iss_.value());
}
std::uint32_t Kit::peer_clock() const { return milliseconds32(now_) + kPeerClockOffset; }

void Kit::send(const Segment& segment) {
    Sent copy;
    copy.at = now_;
    copy.seq = relative_to_us(segment.seq);
    copy.ack = segment.flags.ack ? relative_to_peer(segment.ack) : 0;
    copy.flags = segment.flags;
    copy.window = segment.window;
    copy.options = segment.options;
    copy.data = std::string(as_text(segment.payload)) + std::string(as_text(segment.payload_tail));
    for (std::size_t i = 0; i < std::min<std::size_t>(segment.options.sack_count, wire::kMaxSackBlocks);
         ++i) {
        copy.sack.emplace_back(relative_to_peer(Seq(segment.options.sack[i].left)),
                               relative_to_peer(Seq(segment.options.sack[i].right)));
    }
    if (segment.options.timestamps) last_timestamp_ = segment.options.timestamps->value;
    if (!segment.flags.rst) sent_next_ = std::max(sent_next_, copy.end());
    fresh_.emplace_back(segment, copy.data);
    sent_.push_back(std::move(copy));
}

void Kit::check(Where where) {
    for (auto& [segment, bytes] : fresh_) {
        segment.payload = as_bytes(bytes);
        segment.payload_tail = {};
        const std::string wrong = monitor_.on_output(segment, endpoint_);
        if (!wrong.empty()) {
            ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line()))
                << wrong << ": " << letters_of(segment.flags) << " seq " << relative_to_us(segment.seq)
                << " ack " << relative_to_peer(segment.ack) << " len " << bytes.size();
        }
    }
    fresh_.clear();
    const std::string wrong = monitor_.on_idle(endpoint_);
    if (!wrong.empty()) ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line())) << wrong;
}

void Kit::listen() { endpoint_.listen(our_iss_); }

void Kit::connect() {
    endpoint_.connect(now_, our_iss_, *this);
    check(Where::current());
}

void Kit::open(In syn, Where where) {
    listen();
    syn.flags = "S";
    recv(syn, where);
    expect({.flags = "SA", .seq = 0, .ack = 1}, where);
    recv({}, where);
    expect_nothing(where);
    expect_state(State::Established, Failure::None, where);
}

void Kit::open_active(In syn, Where where) {
    connect();
    expect({.flags = "S", .seq = 0}, where);
    syn.flags = "SA";
    recv(syn, where);
    expect({.seq = 1, .ack = 1}, where);
    expect_state(State::Established, Failure::None, where);
}

void Kit::recv(In in, Where where) {
    Segment segment;
    segment.flags = flags_of(in.flags);
    const std::int64_t seq = in.seq.value_or(peer_next_);
    segment.seq = absolute(peer_iss_, seq);
    if (segment.flags.ack) segment.ack = absolute(our_iss_, in.ack.value_or(sent_next_));
    if (segment.flags.syn && in.window) peer_window_ = *in.window;
    segment.window = in.window.value_or(peer_window_);
    segment.options.mss = in.mss;
    segment.options.window_scale = in.window_scale;
    segment.options.sack_permitted = in.sack_permitted;
    segment.options.timestamps = in.timestamps;
    if (segment.flags.syn && in.timestamps) peer_timestamps_ = options_.timestamps;
    if (in.timestamps && segment.flags.syn && segment.flags.ack && in.timestamps->echo == 0) {
        segment.options.timestamps->echo = last_timestamp_;
    }
    if (!in.timestamps && !in.no_timestamps && peer_timestamps_ && !segment.flags.syn) {
        segment.options.timestamps = wire::TcpTimestamps{.value = peer_clock(), .echo = last_timestamp_};
    }
    for (const Range& r : in.sack) {
        segment.options.sack[segment.options.sack_count++] = {absolute(our_iss_, r.first).value(),
                                                              absolute(our_iss_, r.second).value()};
    }
    // A heap copy of exactly this size lets the sanitizer see a read past the payload, or one after the call.
    const std::vector<char> bytes(in.data.begin(), in.data.end());
    segment.payload = as_bytes({bytes.data(), bytes.size()});
    if (seq == peer_next_ && !segment.flags.rst) peer_next_ += segment.length();
    monitor_.on_input(segment);
    endpoint_.on_segment(now_, segment, *this);
    check(where);
}

void Kit::advance(Duration duration, Where where) {
    const Instant target = now_ + duration;
    for (int turns = 0; endpoint_.next_deadline() <= target; ++turns) {
        if (turns > 100'000) {
            ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line())) << "timers never settle";
            return;
        }
        now_ = std::max(now_, endpoint_.next_deadline());
        endpoint_.on_timer(now_, *this);
        check(where);
    }
    now_ = target;
    // Before the deadline a call is harmless.
    const std::size_t before = sent_.size();
    endpoint_.on_timer(now_, *this);
    check(where);
    if (sent_.size() != before) {
        ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line())) << "sent before the deadline";
    }
}

std::optional<Duration> Kit::wait_for_output(Duration limit, Where where) {
    expect_nothing(where);
    const Instant start = now_;
    while (sent_.empty() && endpoint_.next_deadline() <= start + limit) {
        const Duration step = endpoint_.next_deadline() - now_;
        advance(std::max(step, Duration(0)), where);
    }
    if (sent_.empty()) {
        advance(start + limit - now_, where);
        return std::nullopt;
    }
    return now_ - start;
}

std::size_t Kit::write(std::string_view text, Where where) {
    const std::size_t room = endpoint_.writable();
    const std::size_t taken = endpoint_.write(now_, as_bytes(text), *this);
    if (taken != std::min(room, text.size())) {
        ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line()))
            << "write took " << taken << " of " << text.size() << " with room for " << room;
    }
    check(where);
    return taken;
}

std::string Kit::read(std::size_t most, Where where) {
    std::string text;
    const std::size_t total = std::min(most, endpoint_.readable());
    while (text.size() < total) {
        const ByteView piece = endpoint_.peek(text.size());
        if (piece.empty()) {
            ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line()))
                << "peek ends before readable()";
            break;
        }
        text += as_text(piece.subspan(0, std::min(piece.size(), total - text.size())));
    }
    if (!text.empty()) endpoint_.consume(now_, text.size(), *this);
    check(where);
    return text;
}

void Kit::shutdown(Where where) {
    endpoint_.shutdown(now_, *this);
    check(where);
}

void Kit::abort(Where where) {
    endpoint_.abort(now_, *this);
    check(where);
}

void Kit::path_mss(std::uint16_t mss, Where where) {
    endpoint_.on_path_mss(now_, mss, *this);
    check(where);
}

void Kit::expect(const Out& want, Where where) {
    const int line = static_cast<int>(where.line());
    if (sent_.empty()) {
        ADD_FAILURE_AT(where.file_name(), line) << "expected " << want.flags << " but nothing was sent";
        return;
    }
    const Sent got = std::move(sent_.front());
    sent_.pop_front();
    const auto fail = [&](const char* field, const std::string& expected) {
        ADD_FAILURE_AT(where.file_name(), line)
            << field << " should be " << expected << " in: " << got.to_string();
    };
    if (letters_of(got.flags) != without_push(want.flags)) fail("flags", std::string(want.flags));
    if (want.seq && *want.seq != got.seq) fail("seq", std::to_string(*want.seq));
    if (want.ack && *want.ack != got.ack) fail("ack", std::to_string(*want.ack));
    if (want.window && *want.window != got.window) fail("window", std::to_string(*want.window));
    if (want.size && *want.size != got.data.size()) fail("size", std::to_string(*want.size));
    if (!want.size && want.data.value_or("") != got.data) {
        fail("data", std::to_string(want.data.value_or("").size()) + " bytes (or other bytes)");
    }
    const std::vector<Range> blocks = want.sack.value_or(std::vector<Range>{});
    if (blocks != got.sack) fail("sack", text_of(blocks));
}

void Kit::expect_nothing(Where where) {
    for (const Sent& s : sent_) {
        ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line())) << "unexpected: " << s.to_string();
    }
    sent_.clear();
}

void Kit::expect_state(State want, Failure failure, Where where) {
    if (endpoint_.state() != want || endpoint_.failure() != failure) {
        ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line()))
            << "state should be " << to_string(want) << "/" << to_string(failure) << " but is "
            << to_string(endpoint_.state()) << "/" << to_string(endpoint_.failure());
    }
}

void Kit::sleep_and_resume(Where where) {
    if (!endpoint_.quiet()) {
        ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line())) << "not quiet";
        return;
    }
    endpoint_.acknowledge(now_, *this);
    check(where);
    endpoint_ = Endpoint::resume(options_, endpoint_.position(), now_);
    check(where);
}

std::vector<Sent> Kit::drain() {
    std::vector<Sent> all(sent_.begin(), sent_.end());
    sent_.clear();
    return all;
}

}  // namespace sluice::tcp::kit
