#include "worker/answers.h"

#include <algorithm>

namespace sluice::worker {
namespace {

constexpr std::uint32_t kAssumedSpeed = 10'000;  // Mbit/s

// Per Mbit/s, which carries 1,488 smallest frames a second (84 bytes with preamble and gap): by kind, 93 in
// all.
constexpr std::array<std::uint32_t, 6> kParts{31, 31, 7, 12, 6, 6};
constexpr std::uint32_t kLeast = 200;  // a second, of each kind and worker

}  // namespace

Answers::Kind Answers::kind_of(const tcp::Segment& segment) {
    if (segment.flags.syn || !segment.flags.ack) return Kind::Opening;
    if (segment.flags.fin || segment.payload_size() >= 2) return Kind::Text;
    return segment.payload_size() == 1 ? Kind::Probe : Kind::Bare;
}

Answers::Answers(const WorkerContext& context, const host::FrameOutput& output)
    : workers_(context.options.workers),
      output_(output),
      rates_(context.ports.size(),
             std::vector<FairRate>(kParts.size(), FairRate(context.options.index_key, kLeast))) {
    for (std::size_t port = 0; port < rates_.size(); ++port) set_speed(static_cast<std::uint16_t>(port), 0);
}

void Answers::set_speed(std::uint16_t port, std::uint32_t speed) {
    for (std::size_t kind = 0; kind < kParts.size(); ++kind) {
        const std::uint64_t rate =
            std::uint64_t{speed == 0 ? kAssumedSpeed : speed} * kParts[kind] / workers_;
        // Beyond the highest one no port carries that many frames.
        rates_[port][kind].set_rate(
            static_cast<std::uint32_t>(std::clamp<std::uint64_t>(rate, kLeast, 100'000'000)));
    }
}

bool Answers::may(Instant now, std::uint16_t port, Kind kind, const IpAddress& to) {
    return !output_.crowded(port) && rates_[port][static_cast<std::size_t>(kind)].take(now, to);
}

}  // namespace sluice::worker
