// Any sequence of events into a TCP endpoint: segments whose fields lie near the valid ones, timers, writes,
// reads, shutdown, abort, a narrower path. First byte even: one endpoint against a peer that keeps no rule.
// Odd: two endpoints over a wire that loses, repeats and reorders as the input says, and that must still
// deliver everything once it is left alone.
//
// What must hold: the rules of the wire (Monitor), the right edge of the receive window does not retreat,
// memory stays within the buffers, every byte read is the byte of its number, timers come to rest.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "check.h"
#include "netsim/monitor.h"
#include "sluice/tcp/endpoint.h"

using namespace sluice;
using namespace sluice::tcp;

namespace {

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    bool empty() const { return left_ == 0; }
    std::uint8_t byte() {
        if (left_ == 0) return 0;
        --left_;
        return *data_++;
    }
    std::uint32_t word() {
        const std::uint32_t high = byte();
        return high << 8U | byte();
    }
    // -32768..32767, small values more often.
    std::int32_t offset() {
        const auto small = static_cast<std::int8_t>(byte());
        return (small & 1) != 0 ? small / 2 : small * 256 + byte();
    }

  private:
    const std::uint8_t* data_;
    std::size_t left_;
};

// The byte that stands at a number of a stream, whoever sends it and however often.
std::byte byte_at(Seq seq) { return static_cast<std::byte>((seq.value() * 2654435761U) >> 24U); }

std::vector<std::byte> bytes_at(Seq seq, std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = byte_at(seq.advance(static_cast<std::uint32_t>(i)));
    return bytes;
}

bool are_bytes_at(Seq seq, ByteView bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] != byte_at(seq.advance(static_cast<std::uint32_t>(i)))) return false;
    }
    return true;
}

EndpointOptions read_options(Input& input) {
    EndpointOptions options;
    const std::uint8_t bits = input.byte();
    if ((bits & 1U) != 0)
        options.window_scale = std::nullopt;
    else
        options.window_scale = static_cast<std::uint8_t>((bits >> 1U) % 15);
    options.sack = (bits & 32U) == 0;
    options.timestamps = (bits & 64U) == 0;
    const std::uint8_t sizes = input.byte();
    options.receive_buffer = 1000U << (sizes & 7U);
    options.send_buffer = 1000U << (sizes >> 3U & 7U);
    options.receive_mss = (sizes & 64U) != 0 ? 200 : 1460;
    options.send_mss_limit = (sizes & 128U) != 0 ? 300 : 1460;
    options.timestamp_offset = 0xffff'f000U;
    return options;
}

// An endpoint with everything that watches it.
class Subject final : public Output {
  public:
    Subject(const EndpointOptions& options, Seq iss, Instant& clock)
        : options_(options), iss_(iss), now(clock), endpoint(options), monitor_(options) {}

    void send(const Segment& segment) override {
        fresh_.push_back(segment);
        std::vector<std::byte> bytes(segment.payload.begin(), segment.payload.end());
        bytes.insert(bytes.end(), segment.payload_tail.begin(), segment.payload_tail.end());
        if (!segment.flags.rst) check(are_bytes_at(segment.seq, bytes));
        wire.emplace_back(segment, std::move(bytes));
        check(fresh_.size() < 5000);
    }

    void receive(const Segment& segment) {
        monitor_.on_input(segment);
        endpoint.on_segment(now, segment, *this);
        settle();
    }

    // Everything that is due now.
    void run_timers() {
        for (int turns = 0; endpoint.next_deadline() <= now; ++turns) {
            check(turns < 100);
            endpoint.on_timer(now, *this);
            settle();
        }
        endpoint.on_timer(now, *this);
        check(fresh_.empty());
    }

    void write(std::size_t size) {
        const std::size_t room = endpoint.writable();
        const std::vector<std::byte> bytes =
            bytes_at(iss_.advance(1 + static_cast<std::uint32_t>(written)), size);
        const std::size_t taken = endpoint.write(now, bytes, *this);
        check(taken == std::min(room, size));
        written += taken;
        settle();
    }

    void read(std::size_t most) {
        most = std::min(most, endpoint.readable());
        while (most != 0) {
            const ByteView piece = endpoint.peek();
            check(!piece.empty() && piece.size() <= endpoint.readable());
            const std::size_t size = std::min(piece.size(), most);
            check(are_bytes_at(first_readable(), piece.first(size)));
            endpoint.consume(now, size, *this);
            read_bytes += size;
            most -= size;
            settle();
        }
    }

    void shutdown() {
        endpoint.shutdown(now, *this);
        settle();
    }
    void abort() {
        endpoint.abort(now, *this);
        settle();
        check(endpoint.state() == State::Closed);
    }
    void narrow(std::uint16_t mss) {
        endpoint.on_path_mss(now, mss, *this);
        settle();
    }

    void settle() {
        for (const Segment& segment : fresh_) {
            const std::string wrong = monitor_.on_output(segment, endpoint);
            if (!wrong.empty()) std::fprintf(stderr, "%s\n", wrong.c_str());
            check(wrong.empty());
        }
        fresh_.clear();
        const std::string wrong = monitor_.on_idle(endpoint);
        if (!wrong.empty()) std::fprintf(stderr, "%s\n", wrong.c_str());
        check(wrong.empty());
        const State state = endpoint.state();
        if (state == State::Closed) check(endpoint.next_deadline() == kNever);
        if (state == State::Closed || state == State::Listen || state == State::SynSent) return;
        const Seq edge = endpoint.position().receive_edge;
        check(!edge_ || !edge.before(*edge_));
        edge_ = edge;
    }

    const EndpointOptions options_;
    const Seq iss_;
    Instant& now;
    Endpoint endpoint;
    std::vector<std::pair<Segment, std::vector<std::byte>>> wire;  // sent, not yet taken off
    std::size_t written = 0;
    std::size_t read_bytes = 0;

  private:
    Seq first_readable() const {
        const auto held =
            static_cast<std::uint32_t>(endpoint.readable()) + (endpoint.peer_finished() ? 1U : 0U);
        return endpoint.position().receive_next.retreat(held);
    }

    kit::Monitor monitor_;
    std::vector<Segment> fresh_;
    std::optional<Seq> edge_;
};

void application_event(Input& input, Subject& subject, std::uint8_t choice) {
    switch (choice % 8) {
        case 0:
        case 1: return subject.write(input.word() % 5000);
        case 2:
        case 3:
        case 4: return subject.read(input.word());
        case 5: return subject.narrow(static_cast<std::uint16_t>(input.word()));
        case 6: return subject.shutdown();
        case 7:
            if (input.byte() < 16) subject.abort();
            return;
    }
}

void pass_time(Input& input, Instant& now, Subject& subject) {
    const std::uint8_t how = input.byte();
    if (how < 128) {
        now += Duration(1ms) * how;
    } else if (const Instant deadline = subject.endpoint.next_deadline(); deadline != kNever) {
        now = std::max(now, deadline);
    } else {
        now += Duration(1s) * how;
    }
    subject.run_timers();
}

// --- one endpoint, and a peer without manners

Seq near(Input& input, std::uint8_t base, const Subject& subject, Seq peer_iss, bool ours) {
    const Endpoint::Position p = subject.endpoint.position();
    const std::array<Seq, 4> bases =
        ours ? std::array{p.send_next, p.send_unacked, subject.iss_, p.send_next}
             : std::array{p.receive_next, p.receive_edge, peer_iss, p.receive_next};
    const Seq start = bases[base % 4];
    return (base & 4U) != 0 ? start : start.advance(static_cast<std::uint32_t>(input.offset()));
}

void hostile_segment(Input& input, Subject& subject, Seq peer_iss) {
    static constexpr std::array<std::uint8_t, 16> kFlags{0x10, 0x10, 0x18, 0x10, 0x11, 0x02, 0x12, 0x10,
                                                         0x04, 0x14, 0x01, 0x00, 0x30, 0x10, 0x11, 0xff};
    const std::uint8_t kind = input.byte();
    const std::uint8_t bases = input.byte();
    Segment segment;
    segment.flags = wire::TcpFlags::from_byte(kFlags[kind & 15U]);
    segment.seq = near(input, bases & 7U, subject, peer_iss, false);
    if (segment.flags.syn && (kind & 128U) == 0) segment.seq = peer_iss;
    segment.ack = near(input, bases >> 3U & 7U, subject, peer_iss, true);
    segment.window = static_cast<std::uint16_t>((bases & 64U) != 0 ? 65535 : input.word());
    if ((kind & 16U) != 0 || segment.flags.syn) {
        const std::uint32_t value =
            milliseconds32(subject.now) + (input.byte() < 200 ? 0U : input.word() << 16U);
        segment.options.timestamps = wire::TcpTimestamps{
            .value = value, .echo = subject.endpoint.position().last_timestamp_sent - input.byte()};
    }
    if (segment.flags.syn) {
        const std::uint8_t offer = input.byte();
        if ((offer & 1U) != 0) segment.options.mss = static_cast<std::uint16_t>(input.word());
        if ((offer & 2U) != 0) segment.options.window_scale = input.byte();
        segment.options.sack_permitted = (offer & 4U) != 0;
        if ((offer & 8U) != 0) segment.options.timestamps.reset();
    } else if ((kind & 32U) != 0) {
        segment.options.sack_count = input.byte() % 5;
        for (std::size_t i = 0; i < segment.options.sack_count; ++i) {
            segment.options.sack[i].left = near(input, input.byte(), subject, peer_iss, true).value();
            segment.options.sack[i].right = segment.options.sack[i].left + input.word();
        }
    }
    const std::size_t size = (kind & 64U) != 0 ? input.word() % 3000 : 0;
    const Seq first = segment.flags.syn ? segment.seq.advance(1) : segment.seq;
    const std::vector<std::byte> bytes = bytes_at(first, size);
    segment.payload = bytes;
    subject.receive(segment);
}

void run_one(Input& input) {
    Instant now{Duration(1'000'000s)};
    const std::uint8_t start = input.byte();
    const Seq iss(start < 128 ? 0xffff'ff00U : input.word() << 16U);
    const Seq peer_iss((start & 1U) != 0 ? 0xffff'f800U : input.word() << 16U);
    Subject subject(read_options(input), iss, now);
    if ((start & 2U) != 0) {
        subject.endpoint.listen(iss);
    } else {
        subject.endpoint.connect(now, iss, subject);
        subject.settle();
    }
    for (int events = 0; !input.empty() && events < 3000; ++events) {
        const std::uint8_t choice = input.byte();
        if (choice < 160) {
            hostile_segment(input, subject, peer_iss);
        } else if (choice < 200) {
            pass_time(input, now, subject);
        } else {
            application_event(input, subject, choice);
        }
        subject.wire.clear();
    }
    // Left alone, it comes to rest: every wait has an end, except an established connection's idleness.
    for (int turns = 0; subject.endpoint.next_deadline() != kNever; ++turns) {
        check(turns < 1000);
        now = std::max(now, subject.endpoint.next_deadline());
        subject.run_timers();
        subject.wire.clear();
    }
}

// --- two endpoints

bool deliver(Subject& from, Subject& to, std::size_t index, bool keep) {
    if (index >= from.wire.size()) return false;
    const auto place = from.wire.begin() + static_cast<std::ptrdiff_t>(index);
    auto [segment, bytes] = *place;
    if (!keep) from.wire.erase(place);
    segment.payload = bytes;
    segment.payload_tail = {};
    to.receive(segment);
    return true;
}

bool delivered(const Subject& a, const Subject& b) {
    return a.read_bytes == b.written && b.read_bytes == a.written && a.endpoint.all_acknowledged() &&
           b.endpoint.all_acknowledged();
}

bool failed(const Subject& side) { return side.endpoint.failure() != Failure::None; }

// A wire without faults from here on: whatever was written arrives, unless an end has given up before.
void heal(Subject& a, Subject& b, Instant& now) {
    for (int turns = 0; !delivered(a, b); ++turns) {
        if (failed(a) || failed(b)) return;
        check(turns < 20'000);
        const bool busy = !a.wire.empty() || !b.wire.empty();
        while (deliver(a, b, 0, false)) {
        }
        while (deliver(b, a, 0, false)) {
        }
        a.read(SIZE_MAX);
        b.read(SIZE_MAX);
        if (!busy && a.wire.empty() && b.wire.empty()) {
            const Instant next = std::min(a.endpoint.next_deadline(), b.endpoint.next_deadline());
            check(next != kNever || delivered(a, b) || failed(a) || failed(b));
            now = std::max(now, next == kNever ? now : next);
        } else {
            now += Duration(1ms);
        }
        a.run_timers();
        b.run_timers();
    }
}

void run_two(Input& input) {
    Instant now{Duration(1'000'000s)};
    const EndpointOptions options_a = read_options(input);
    const EndpointOptions options_b = read_options(input);
    Subject a(options_a, Seq(0xffff'ff00U), now);
    Subject b(options_b, Seq(0x7fff'ff00U), now);
    a.endpoint.connect(now, a.iss_, a);
    a.settle();
    const bool both_connect = input.byte() % 8 == 0;
    if (both_connect) {
        b.endpoint.connect(now, b.iss_, b);
        b.settle();
    } else {
        b.endpoint.listen(b.iss_);
    }
    for (int events = 0; !input.empty() && events < 2000; ++events) {
        const std::uint8_t choice = input.byte();
        Subject& from = (choice & 1U) != 0 ? a : b;
        Subject& to = (choice & 1U) != 0 ? b : a;
        if (from.endpoint.state() == State::Closed && to.endpoint.state() == State::Closed) break;
        if (choice < 140) {
            deliver(from, to, (choice & 2U) != 0 ? 0 : input.byte() % 8, choice >= 130);
        } else if (choice < 160) {
            if (!from.wire.empty()) from.wire.erase(from.wire.begin());
        } else if (choice < 200) {
            pass_time(input, now, from);
            to.run_timers();
        } else {
            const std::uint8_t what = input.byte();
            // A listener that is shut down before anybody came has no connection to speak of.
            if (from.endpoint.state() != State::Listen || what % 8 < 6) application_event(input, from, what);
        }
        if (from.wire.size() > 2000) from.wire.resize(2000);
    }
    heal(a, b, now);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    Input input(data, size);
    if ((input.byte() & 1U) != 0) {
        run_two(input);
    } else {
        run_one(input);
    }
    return 0;
}
