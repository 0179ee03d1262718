// See rto.h.
#include "rto.h"

#include <algorithm>

namespace sluice::tcp {

namespace {
constexpr Duration kGranularity = 1ms;        // G
constexpr Duration kAfterLostHandshake = 3s;  // RFC 6298 (5.7)
}  // namespace

RetransmissionTimer::RetransmissionTimer(Duration initial, Duration minimum, Duration maximum)
    : initial_(std::min(initial, maximum)), value_(initial_), minimum_(minimum), maximum_(maximum) {}

void RetransmissionTimer::sample(Duration rtt, std::uint32_t per_round_trip) {
    if (!measured_) {  // RFC 6298 (2.2)
        smoothed_ = rtt;
        variation_ = rtt / 2;
        measured_ = true;
    } else {  // RFC 6298 (2.3): alpha = 1/8, beta = 1/4
        const auto weight = static_cast<std::int64_t>(per_round_trip);
        const Duration error = rtt - smoothed_;
        const Duration change = std::max(error, -error) - variation_;
        // More variation counts in full: a queue that fills within one round trip would else look like a
        // loss.
        variation_ += change / (change > Duration::zero() ? 4 : 4 * weight);
        smoothed_ += error / (8 * weight);
    }
    compute();
}

void RetransmissionTimer::compute() {
    value_ = std::clamp(smoothed_ + std::max(kGranularity, 4 * variation_), minimum_, maximum_);
}

void RetransmissionTimer::restore(Duration smoothed, Duration variation) {
    if (smoothed <= Duration::zero()) return;
    smoothed_ = smoothed;
    variation_ = variation;
    measured_ = true;
    compute();
}

void RetransmissionTimer::back_off() { value_ = std::min(value_ * 2, maximum_); }

void RetransmissionTimer::distrust_handshake() {
    if (!measured_) value_ = std::min(std::max(initial_, kAfterLostHandshake), maximum_);
}

}  // namespace sluice::tcp
