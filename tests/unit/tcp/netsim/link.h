// One direction of a wire under virtual time: it delays, loses, repeats, reorders and paces segments, all by
// one seed, so that a failing run can be run again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "sluice/base/time.h"
#include "sluice/tcp/segment.h"

namespace sluice::tcp::kit {

struct LinkOptions {
    Duration delay = 10ms;
    Duration jitter{0};    // added, uniform; segments stay in order unless reorder says otherwise
    double loss = 0;       // probability, each copy
    double duplicate = 0;  // probability of a second copy
    double reorder = 0;    // probability of being held back by reorder_delay
    Duration reorder_delay = 7ms;
    std::uint64_t bytes_per_second = 0;  // 0: no limit
    std::size_t queue_bytes = SIZE_MAX;  // what may wait for the limited wire; the rest is lost
};

class Link {
  public:
    Link(const LinkOptions& options, std::uint64_t seed) : options_(options), random_(seed) {}

    void send(Instant now, const Segment& segment) {
        ++sent_;
        if (hit(options_.loss)) return void(++lost_);
        const std::optional<Instant> leaves = leave_time(now, segment.payload_size() + kHeaderBytes);
        if (!leaves) return void(++lost_);
        enqueue(*leaves, segment);
        if (hit(options_.duplicate)) enqueue(*leaves, segment);
    }

    Instant next_arrival() const { return in_flight_.empty() ? kNever : in_flight_.begin()->first; }

    // Takes the next segment that has arrived; the payload lives in `bytes`.
    bool receive(Instant now, Segment& segment, std::string& bytes) {
        if (next_arrival() > now) return false;
        auto node = in_flight_.extract(in_flight_.begin());
        segment = node.mapped().first;
        bytes = std::move(node.mapped().second);
        segment.payload = as_bytes(bytes);
        segment.payload_tail = {};
        return true;
    }

    std::uint64_t sent() const { return sent_; }
    std::uint64_t lost() const { return lost_; }
    bool empty() const { return in_flight_.empty(); }

  private:
    static constexpr std::size_t kHeaderBytes = 54;

    bool hit(double probability) {
        return probability > 0 && std::uniform_real_distribution<>(0, 1)(random_) < probability;
    }

    // When the last byte is on the wire; nullopt when the queue is full.
    std::optional<Instant> leave_time(Instant now, std::size_t size) {
        if (options_.bytes_per_second == 0) return now;
        const Instant start = std::max(now, free_at_);
        const auto waiting =
            static_cast<std::uint64_t>((start - now).count()) / 1000 * options_.bytes_per_second / 1'000'000;
        if (waiting > options_.queue_bytes) return std::nullopt;
        free_at_ = start + Duration(size * 1'000'000'000ULL / options_.bytes_per_second);
        return free_at_;
    }

    void enqueue(Instant leaves, const Segment& segment) {
        Instant arrival = leaves + options_.delay;
        if (options_.jitter.count() > 0) {
            arrival +=
                Duration(std::uniform_int_distribution<Duration::rep>(0, options_.jitter.count())(random_));
        }
        if (hit(options_.reorder)) {
            arrival += options_.reorder_delay;
        } else {
            arrival = std::max(arrival, last_in_order_);
            last_in_order_ = arrival;
        }
        std::string bytes(as_text(segment.payload));
        bytes += as_text(segment.payload_tail);
        in_flight_.emplace(arrival, std::pair(segment, std::move(bytes)));  // equal times keep their order
    }

    LinkOptions options_;
    std::mt19937_64 random_;
    std::multimap<Instant, std::pair<Segment, std::string>> in_flight_;
    Instant free_at_{};
    Instant last_in_order_{};
    std::uint64_t sent_ = 0;
    std::uint64_t lost_ = 0;
};

}  // namespace sluice::tcp::kit
