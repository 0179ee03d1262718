// One direction of a wire for segments of any connection: it delays, loses, repeats and reorders them, by one
// seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/tcp/segment.h"

namespace sluice::test {

struct WireOptions {
    Duration delay{0};
    Duration jitter{0};      // added, at random: this reorders
    unsigned loss = 0;       // of 1000
    unsigned duplicate = 0;  // of 1000
};

struct Parcel {
    FourTuple tuple;  // local: the sender
    tcp::Segment segment;
    std::string bytes;  // the payload's
};

class Wire {
  public:
    Wire(const WireOptions& options, std::uint64_t seed) : options_(options), random_(seed) {}

    void send(Instant now, const FourTuple& tuple, const tcp::Segment& segment) {
        if (random_() % 1000 < options_.loss) return;
        carry(now, tuple, segment);
        if (random_() % 1000 < options_.duplicate) carry(now, tuple, segment);
    }
    Instant next_arrival() const { return under_way_.empty() ? kNever : under_way_.begin()->first; }
    // Requires next_arrival() <= now. The segment's payload lives in the parcel's bytes, wherever it is
    // moved.
    Parcel take() {
        auto node = under_way_.extract(under_way_.begin());
        return std::move(node.mapped());
    }

  private:
    void carry(Instant now, const FourTuple& tuple, const tcp::Segment& segment) {
        const auto jitter = static_cast<std::uint64_t>(options_.jitter.count());
        const Instant arrival =
            now + options_.delay + Duration(jitter == 0 ? 0 : static_cast<Duration::rep>(random_() % jitter));
        std::string bytes(as_text(segment.payload));
        bytes += as_text(segment.payload_tail);
        under_way_.emplace(arrival, Parcel{tuple, segment, std::move(bytes)});
    }

    WireOptions options_;
    std::mt19937_64 random_;
    std::multimap<Instant, Parcel> under_way_;
};

}  // namespace sluice::test
