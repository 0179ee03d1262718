// Endpoints against chance: a link that loses, repeats, delays and reorders, under a virtual clock, with
// every mix of options; and a peer that sends anything at all.
#include <gtest/gtest.h>

#include <algorithm>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "sluice/tcp/endpoint.h"

namespace sluice::tcp {
namespace {

struct Flight {
    Instant arrival;
    std::uint64_t order;
    bool to_a;
    Segment segment;
    std::vector<std::byte> bytes;
    bool operator<(const Flight& other) const {
        return std::tie(other.arrival, other.order) < std::tie(arrival, order);
    }
};

class World {
  public:
    World(std::uint32_t seed, const EndpointOptions& a_options, const EndpointOptions& b_options,
          std::uint32_t loss_percent)
        : random_(seed),
          loss_(loss_percent),
          a(a_options),
          b(b_options),
          to_a_(*this, true),
          to_b_(*this, false) {}

    // A text each way through both buffers, then an orderly close; false when a day was not enough.
    bool exchange(const std::string& from_a, const std::string& from_b) {
        b.listen(Seq(static_cast<std::uint32_t>(random_())));
        a.connect(now, Seq(static_cast<std::uint32_t>(random_())), to_b_);
        const Instant end = now + 24h;
        std::size_t a_written = 0;
        std::size_t b_written = 0;
        while (now < end) {
            serve(a, to_b_, from_a, a_written, a_read);
            serve(b, to_a_, from_b, b_written, b_read);
            if (done(a) && done(b)) return true;
            Instant next = std::min(a.next_deadline(), b.next_deadline());
            if (!flights_.empty()) next = std::min(next, flights_.top().arrival);
            if (next == kNever) return false;  // a stall: nobody will ever act again
            now = std::max(now, next);
            if (a.next_deadline() <= now) a.on_timer(now, to_b_);
            if (b.next_deadline() <= now) b.on_timer(now, to_a_);
            deliver();
        }
        return false;
    }

    std::string a_read;
    std::string b_read;
    Instant now{1h};

  private:
    class Link : public Output {
      public:
        Link(World& world, bool to_a) : world_(world), to_a_(to_a) {}
        void send(const Segment& segment) override { world_.carry(segment, to_a_); }

      private:
        World& world_;
        bool to_a_;
    };

    static bool done(const Endpoint& end) {
        return end.state() == State::TimeWait || end.state() == State::Closed;
    }

    void carry(const Segment& segment, bool to_a) {
        const std::uint32_t copies = random_() % 100 < loss_ ? 0 : random_() % 100 < loss_ / 2 ? 2 : 1;
        for (std::uint32_t i = 0; i < copies; ++i) {
            const Duration delay = 5ms + std::chrono::microseconds(random_() % (loss_ != 0 ? 20'000 : 1));
            Flight flight{
                now + delay, ++order_, to_a, segment, {segment.payload.begin(), segment.payload.end()}};
            flight.bytes.insert(flight.bytes.end(), segment.payload_tail.begin(), segment.payload_tail.end());
            flights_.push(std::move(flight));
        }
    }

    void deliver() {
        while (!flights_.empty() && flights_.top().arrival <= now) {
            const Flight flight = flights_.top();
            flights_.pop();
            Segment segment = flight.segment;
            segment.payload = flight.bytes;
            segment.payload_tail = {};
            if (flight.to_a) {
                a.on_segment(now, segment, to_b_);
            } else {
                b.on_segment(now, segment, to_a_);
            }
        }
    }

    void serve(Endpoint& end, Output& out, const std::string& text, std::size_t& written, std::string& read) {
        if (written < text.size()) {
            const std::size_t most = 1 + random_() % 20'000;
            written += end.write(now, as_bytes(std::string_view(text).substr(written, most)), out);
        }
        if (written == text.size() && end.state() != State::Listen) end.shutdown(now, out);
        if (end.readable() != 0 && random_() % 4 == 0) {
            const ByteView piece = end.peek();
            read += as_text(piece);
            end.consume(now, piece.size(), out);
        } else if (end.peer_finished()) {
            while (end.readable() != 0) {
                const ByteView piece = end.peek();
                read += as_text(piece);
                end.consume(now, piece.size(), out);
            }
        }
    }

    std::mt19937 random_;
    std::uint32_t loss_;
    std::uint64_t order_ = 0;
    std::priority_queue<Flight> flights_;

  public:
    Endpoint a;
    Endpoint b;

  private:
    Link to_a_;
    Link to_b_;
};

EndpointOptions options_for(std::mt19937& random) {
    EndpointOptions options;
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    options.sack = below(2) == 0;
    options.timestamps = below(2) == 0;
    if (below(3) == 0) options.window_scale.reset();
    if (below(3) == 0) options.window_scale = static_cast<std::uint8_t>(below(15));
    options.receive_buffer = 1000 + below(100'000);
    options.send_buffer = 100 + below(100'000);
    options.receive_mss = static_cast<std::uint16_t>(100 + below(1400));
    options.send_mss_limit = static_cast<std::uint16_t>(100 + below(1400));
    options.data_retries = 100;
    options.syn_retries = 100;
    options.fin_wait_2 = 1h;  // chance may silence a link longer than an owner would wait
    options.time_wait = 1h;
    return options;
}

// The smallest window that can be announced is more than the buffer: some of it will be sent in vain.
bool coarse(const EndpointOptions& options) {
    return 1U << options.window_scale.value_or(0) > options.receive_buffer;
}

TEST(EndpointRandom, EveryByteArrivesOverABadLink) {
    for (std::uint32_t seed = 0; seed < 150; ++seed) {
        std::mt19937 random(seed);
        const std::uint32_t loss = seed % 4 * 8;
        const EndpointOptions a_options = options_for(random);
        const EndpointOptions b_options = options_for(random);
        World world(seed, a_options, b_options, loss);
        std::string up(random() % 150'000, '\0');
        std::string down(random() % 150'000, '\0');
        for (char& c : up) c = static_cast<char>(random());
        for (char& c : down) c = static_cast<char>(random());
        const bool finished = world.exchange(up, down);
        ASSERT_TRUE(finished) << "seed " << seed << ": " << to_string(world.a.state()) << ' '
                              << to_string(world.b.state());
        ASSERT_EQ(world.a.failure(), Failure::None) << "seed " << seed;
        ASSERT_EQ(world.b.failure(), Failure::None) << "seed " << seed;
        ASSERT_TRUE(world.b_read == up)
            << "seed " << seed << ": " << world.b_read.size() << " of " << up.size();
        ASSERT_TRUE(world.a_read == down) << "seed " << seed;
        if (loss == 0 && !coarse(a_options) && !coarse(b_options)) {
            EXPECT_EQ(world.a.statistics().retransmits + world.b.statistics().retransmits, 0U)
                << "seed " << seed;
        }
    }
}

TEST(EndpointRandom, LongLossyTransferNeedsFewTimeouts) {
    EndpointOptions options;
    options.receive_buffer = options.send_buffer = 1U << 18;
    for (const bool sack : {true, false}) {
        options.sack = sack;
        World world(7, options, options, 1);
        const std::string up(4'000'000, 'u');
        ASSERT_TRUE(world.exchange(up, ""));
        const auto& statistics = world.a.statistics();
        EXPECT_EQ(world.b_read.size(), up.size());
        EXPECT_GT(statistics.fast_recoveries, 0U);
        EXPECT_LT(statistics.timeouts, sack ? 5U : 20U) << sack;
        EXPECT_LT(statistics.retransmits, 1000U);
    }
}

// What leaves an endpoint under random input: bounded by that input, and never out of what was sent.
class Watch : public Output {
  public:
    void send(const Segment& segment) override {
        ++segments;
        last = segment;
        last.payload = {};
        last.payload_tail = {};
    }
    std::uint64_t segments = 0;
    Segment last;
};

TEST(EndpointRandom, AnyPeerIsSurvived) {
    for (std::uint32_t seed = 0; seed < 300; ++seed) {
        std::mt19937 random(seed);
        const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
        EndpointOptions options = options_for(random);
        options.data_retries = 10;
        Endpoint end(options);
        Watch out;
        Instant now{1h};
        if (below(2) == 0) {
            end.listen(Seq(1000));
        } else {
            end.connect(now, Seq(1000), out);
        }
        const std::vector<std::byte> payload(3000);
        for (int step = 0; step < 400 && end.state() != State::Closed; ++step) {
            const Endpoint::Position here = end.position();
            Segment segment;
            const auto near = [&](Seq at) {
                return below(3) == 0 ? at.advance(below(5000)).retreat(below(5000)) : at;
            };
            segment.seq = near(here.receive_next);
            segment.ack = near(below(2) == 0 ? here.send_next : here.send_unacked);
            segment.flags.ack = below(10) != 0;
            segment.flags.syn = below(step < 3 ? 2 : 30) == 0;
            segment.flags.fin = below(30) == 0;
            segment.flags.rst = below(100) == 0;
            segment.window = static_cast<std::uint16_t>(below(3) == 0 ? below(4) : random());
            if (below(8) != 0)
                segment.options.timestamps =
                    wire::TcpTimestamps{.value = here.last_timestamp_received + below(3) - below(2),
                                        .echo = below(3) == 0 ? 0 : here.last_timestamp_sent - below(99)};
            if (segment.flags.syn) {
                segment.options.mss = static_cast<std::uint16_t>(random());
                segment.options.window_scale = static_cast<std::uint8_t>(random());
                segment.options.sack_permitted = below(2) == 0;
            }
            segment.options.sack_count = static_cast<std::uint8_t>(below(5));
            for (std::size_t i = 0; i < segment.options.sack_count; ++i) {
                const Seq left = near(here.send_unacked);
                segment.options.sack[i] = {left.value(), near(left).value()};
            }
            if (below(2) == 0) segment.payload = ByteView(payload).first(below(3000));
            end.on_segment(now, segment, out);
            switch (below(12)) {
                case 0: end.write(now, ByteView(payload).first(below(3000)), out); break;
                case 1: end.consume(now, below(5000), out); break;
                case 2: end.on_path_mss(now, static_cast<std::uint16_t>(below(1500)), out); break;
                case 3: now = std::max(now, std::min(end.next_deadline(), now + 2min)); break;
                case 4:
                    if (below(20) == 0) end.shutdown(now, out);
                    break;
                default: now += std::chrono::microseconds(below(3000));
            }
            end.on_timer(now, out);
            if (end.state() == State::Closed) break;
            const Endpoint::Position after = end.position();
            ASSERT_LE(end.readable(), options.receive_buffer);
            ASSERT_LE(end.send_queue(), options.send_buffer);
            ASSERT_TRUE(after.send_unacked.at_or_before(after.send_next));
            ASSERT_LE(after.send_next.since(after.send_unacked), end.send_queue() + 1) << "seed " << seed;
        }
        // What survived is not stuck: left alone, it either waits for its application or comes to an end.
        for (int i = 0; i < 200 && end.next_deadline() != kNever; ++i) {
            now = std::max(now, end.next_deadline());
            end.on_timer(now, out);
        }
        EXPECT_EQ(end.next_deadline(), kNever) << "seed " << seed << ' ' << to_string(end.state());
        EXPECT_LT(out.segments, 20'000U);
    }
}

}  // namespace
}  // namespace sluice::tcp
