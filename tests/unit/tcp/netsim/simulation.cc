// The loop of the simulation. Everything that can go wrong ends it with a sentence and the state of both
// sides.
#include "simulation.h"

#include <algorithm>
#include <cstring>

namespace sluice::tcp::kit {

namespace {

constexpr Instant kBeginning{Duration(5'000'000s)};
constexpr Seq kClientIss{0xffff'f000};  // the numbers wrap within the first segments
constexpr Seq kServerIss{0x7fff'f800};  // and their sign here

// What each direction carries: a period that is prime and longer than any buffer, so that a byte in the wrong
// place is a wrong byte.
constexpr std::size_t kPeriod = 1'000'003;

const std::string& stream(std::size_t direction) {
    static const std::array<std::string, 2> streams = [] {
        std::array<std::string, 2> made;
        for (std::size_t d = 0; d < 2; ++d) {
            std::mt19937 random(static_cast<unsigned>(d + 77));
            made[d].resize(kPeriod);
            for (char& c : made[d]) c = static_cast<char>(random());
        }
        return made;
    }();
    return streams[direction];
}

}  // namespace

void Simulation::Side::send(const Segment& segment) {
    fresh.push_back(segment);
    link.send(now, segment);
}

Simulation::Simulation(const SimulationOptions& options)
    : options_(options),
      start_(kBeginning),
      now_(kBeginning),
      transferred_at_(kNever),
      last_progress_(kBeginning),
      links_{Link(options.up, options.seed * 2), Link(options.down, options.seed * 2 + 1)},
      sides_{Side(options.client, links_[0], options.server.bytes, now_),
             Side(options.server, links_[1], options.client.bytes, now_)} {}

std::string Simulation::look(Side& side) {
    std::string wrong;
    for (const Segment& segment : side.fresh) {
        if (wrong.empty()) wrong = side.monitor.on_output(segment, side.endpoint);
    }
    side.fresh.clear();
    if (wrong.empty()) wrong = side.monitor.on_idle(side.endpoint);
    return wrong;
}

std::string Simulation::open() {
    sides_[0].endpoint.connect(now_, kClientIss, sides_[0]);
    std::string wrong = look(sides_[0]);
    if (!wrong.empty()) return wrong;
    if (options_.simultaneous_open) {
        sides_[1].endpoint.connect(now_, kServerIss, sides_[1]);
    } else {
        sides_[1].endpoint.listen(kServerIss);
    }
    return look(sides_[1]);
}

std::string Simulation::run() {
    std::string wrong = open();
    while (wrong.empty() && !finished()) wrong = step();
    if (!wrong.empty()) return describe(wrong);
    for (const Side& side : sides_) {
        if (side.endpoint.failure() != Failure::None) return describe("closed with a failure");
        if (!side.saw_end) return describe("the end of the stream was not seen");
    }
    return {};
}

Instant Simulation::next_event() const {
    Instant next = kNever;
    for (std::size_t i = 0; i < 2; ++i) {
        next = std::min({next, links_[i].next_arrival(), sides_[i].endpoint.next_deadline()});
        if (sides_[i].endpoint.readable() != 0) next = std::min(next, std::max(now_, sides_[i].next_read));
        if (sides_[i].next_write > now_) next = std::min(next, sides_[i].next_write);
    }
    return next;
}

std::string Simulation::step() {
    const Instant next = next_event();
    if (next == kNever) return "nothing is pending, and yet not finished";
    now_ = std::max(now_, next);
    for (std::size_t i = 0; i < 2; ++i) {
        std::string wrong = deliver(sides_[i], links_[1 - i]);
        if (wrong.empty()) wrong = run_timers(sides_[i]);
        if (wrong.empty()) wrong = serve_application(i);
        if (wrong.empty() && sides_[i].options.sleeps) wrong = put_to_sleep(sides_[i]);
        if (!wrong.empty()) return wrong;
    }
    return check_progress();
}

std::string Simulation::deliver(Side& receiver, Link& link) {
    Segment segment;
    std::string bytes;
    while (link.receive(now_, segment, bytes)) {
        if (receiver.endpoint.state() == State::Closed) continue;  // its owner has let it go
        receiver.monitor.on_input(segment);
        receiver.endpoint.on_segment(now_, segment, receiver);
        std::string wrong = look(receiver);
        if (!wrong.empty()) return wrong;
    }
    return {};
}

std::string Simulation::run_timers(Side& side) {
    for (int turns = 0; side.endpoint.next_deadline() <= now_; ++turns) {
        if (turns == 1000) return "on_timer does not move the deadline";
        side.endpoint.on_timer(now_, side);
        std::string wrong = look(side);
        if (!wrong.empty()) return wrong;
    }
    return {};
}

std::string Simulation::put_to_sleep(Side& side) {
    const Endpoint::Statistics& seen = side.endpoint.statistics();
    const std::uint32_t unaccepted = seen.challenge_acks + seen.paws_rejected + seen.out_of_window;
    if (unaccepted != side.unaccepted) {  // the limits on what it answers must outlast the sleep
        side.unaccepted = unaccepted;
        side.awake_until = now_ + side.options.endpoint.challenge_ack_interval;
    }
    if (!side.endpoint.quiet() || now_ < side.awake_until) return {};
    side.endpoint.acknowledge(now_, side);
    std::string wrong = look(side);
    if (!wrong.empty()) return wrong;
    side.endpoint = Endpoint::resume(side.options.endpoint, side.endpoint.position(), now_);
    side.unaccepted = 0;
    ++side.slept;
    return look(side);
}

std::string Simulation::serve_application(std::size_t index) {
    std::string wrong = read_some(index);
    return wrong.empty() ? write_some(index) : wrong;
}

std::string Simulation::write_some(std::size_t index) {
    Side& side = sides_[index];
    const std::string& bytes = stream(index);
    while (side.written < side.options.bytes && side.endpoint.writable() != 0 && now_ >= side.next_write) {
        const std::size_t offset = side.written % kPeriod;
        const std::size_t size = std::min({side.options.write_chunk, kPeriod - offset,
                                           static_cast<std::size_t>(side.options.bytes - side.written)});
        const std::size_t taken =
            side.endpoint.write(now_, as_bytes(std::string_view(bytes).substr(offset, size)), side);
        side.written += taken;
        if (side.options.write_interval != Duration::zero())
            side.next_write = now_ + side.options.write_interval;
        std::string wrong = look(side);
        if (!wrong.empty()) return wrong;
        if (taken == 0) return "writable() promised room and write() took nothing";
    }
    if (side.written == side.options.bytes && !side.endpoint.shutdown_called() &&
        side.endpoint.state() != State::Closed && side.endpoint.state() != State::Listen) {
        side.endpoint.shutdown(now_, side);
        return look(side);
    }
    return {};
}

std::string Simulation::read_some(std::size_t index) {
    Side& side = sides_[index];
    const std::string& bytes = stream(1 - index);
    if (now_ >= side.next_read && now_ >= start_ + side.options.first_read && side.endpoint.readable() != 0) {
        std::size_t budget = std::min(side.options.read_chunk, side.endpoint.readable());
        while (budget != 0) {
            const ByteView piece = side.endpoint.peek();
            const std::size_t offset = side.read % kPeriod;
            const std::size_t size = std::min({piece.size(), budget, kPeriod - offset});
            if (size == 0) return "readable() and peek() disagree";
            if (std::memcmp(piece.data(), bytes.data() + offset, size) != 0) return "bytes differ";
            side.endpoint.consume(now_, size, side);
            side.read += size;
            budget -= size;
            std::string wrong = look(side);
            if (!wrong.empty()) return wrong;
        }
        side.next_read = now_ + side.options.read_interval;
    } else if (now_ < start_ + side.options.first_read) {
        side.next_read = start_ + side.options.first_read;
    }
    if (side.read > side.to_read) return "more bytes than were written";
    if (side.endpoint.at_end()) {
        if (side.read != side.to_read) return "the end came before the last byte";
        side.saw_end = true;
    }
    return {};
}

std::string Simulation::check_progress() {
    std::uint64_t mark = 0;
    bool complete = true;
    for (const Side& side : sides_) {
        mark = mark * 16 + static_cast<std::uint64_t>(side.endpoint.state());
        complete = complete && side.read == side.to_read;
        if (side.endpoint.state() == State::Closed && side.endpoint.failure() != Failure::None) {
            return "connection failed";
        }
    }
    mark += (sides_[0].read + sides_[1].read) << 8;
    if (mark != progress_mark_) {
        progress_mark_ = mark;
        last_progress_ = now_;
    }
    if (complete && transferred_at_ == kNever) transferred_at_ = now_;
    return now_ - last_progress_ > options_.stall_limit ? "no progress" : "";
}

bool Simulation::finished() const {
    return std::ranges::all_of(sides_, [](const Side& side) {
        return side.endpoint.state() == State::Closed && side.endpoint.readable() == 0;
    });
}

std::string Simulation::describe(const std::string& wrong) const {
    std::string text =
        wrong + " (seed " + std::to_string(options_.seed) + ", after " +
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now_ - start_).count()) + " ms)";
    for (const Side& side : sides_) {
        const Endpoint::Statistics& s = side.endpoint.statistics();
        text += std::string("\n  ") + to_string(side.endpoint.state()) + "/" +
                to_string(side.endpoint.failure()) + " wrote " + std::to_string(side.written) + " read " +
                std::to_string(side.read) + " of " + std::to_string(side.to_read) + " queue " +
                std::to_string(side.endpoint.send_queue()) + " retransmits " + std::to_string(s.retransmits) +
                " timeouts " + std::to_string(s.timeouts) + " recoveries " +
                std::to_string(s.fast_recoveries) + " segments " + std::to_string(s.segments_out);
    }
    return text;
}

}  // namespace sluice::tcp::kit
