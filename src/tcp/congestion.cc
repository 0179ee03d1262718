// See congestion.h. Windows are computed in segments, as RFC 9438 does, and kept in bytes.
#include "congestion.h"

#include <algorithm>
#include <cmath>

namespace sluice::tcp {

namespace {
constexpr float kC = 0.4F;                               // RFC 9438 section 5.1
constexpr float kBeta = 0.7F;                            // RFC 9438 section 4.6
constexpr float kAlpha = 3 * (1 - kBeta) / (1 + kBeta);  // RFC 9438 section 4.3
constexpr std::uint32_t kMaxWindow = 1U << 30;           // no peer announces more (RFC 7323)

float seconds(Duration d) { return std::chrono::duration<float>(d).count(); }
}  // namespace

void CongestionControl::start(std::uint32_t mss, bool one_segment) {
    mss_ = mss;
    window_ = one_segment ? mss : initial_window();
}

void CongestionControl::change_mss(std::uint32_t mss) {
    mss_ = mss;
    window_ = std::max(window_, mss);
}

// RFC 6928 section 2.
std::uint32_t CongestionControl::initial_window() const {
    return std::min(10 * mss_, std::max(2 * mss_, 14600U));
}

void CongestionControl::acknowledged(Instant now, std::uint32_t bytes, std::uint32_t in_flight,
                                     Duration rtt) {
    // RFC 9438 section 5.8, RFC 7661: a window that was not used proves nothing and must not grow.
    if (slow_start()) {
        if (in_flight < window_ / 2) return;
        window_ = std::min(window_ + std::min(bytes, 2 * mss_), kMaxWindow);  // RFC 3465, L = 2
        return;
    }
    if (epoch_ && in_flight + 2 * mss_ < window_) {
        epoch_start_ += now - last_ack_;
        last_ack_ = now;
        return;
    }
    avoid(now, bytes, rtt);
}

void CongestionControl::begin_epoch(Instant now) {
    const float window = static_cast<float>(window_) / static_cast<float>(mss_);
    epoch_ = true;
    epoch_start_ = now;
    estimate_ = window;
    if (last_maximum_ > window) {
        origin_ = last_maximum_;
        plateau_in_ = std::cbrt((last_maximum_ - window) / kC);  // RFC 9438 figure 2
    } else {
        origin_ = window;  // RFC 9438 section 4.8: after a time-out, K is 0
        plateau_in_ = 0;
    }
}

// Congestion avoidance, RFC 9438 sections 4.2 to 4.5.
void CongestionControl::avoid(Instant now, std::uint32_t bytes, Duration rtt) {
    if (!epoch_) begin_epoch(now);
    last_ack_ = now;
    const float window = static_cast<float>(window_) / static_cast<float>(mss_);
    const float acked = static_cast<float>(bytes) / static_cast<float>(mss_);
    const auto cubic = [&](float t) {
        const float d = t - plateau_in_;
        return kC * d * d * d + origin_;
    };
    const float elapsed = seconds(now - epoch_start_);
    estimate_ += (estimate_ >= prior_ ? 1.0F : kAlpha) * acked / window;

    float grown = window;
    if (cubic(elapsed) < estimate_) {
        grown = std::max(window, estimate_);  // Reno-friendly region
    } else {
        const float target = std::clamp(cubic(elapsed + seconds(rtt)), window, 1.5F * window);
        grown = window + (target - window) * std::min(acked / window, 1.0F);
    }
    const float result = std::min(grown * static_cast<float>(mss_), static_cast<float>(kMaxWindow));
    window_ = std::max(window_, static_cast<std::uint32_t>(result));
}

// Multiplicative decrease and fast convergence, RFC 9438 sections 4.6 and 4.7.
void CongestionControl::reduce(std::uint32_t in_flight) {
    const float window = static_cast<float>(window_) / static_cast<float>(mss_);
    last_maximum_ = window < last_maximum_ ? window * (1 + kBeta) / 2 : window;
    prior_ = window;
    epoch_ = false;
    const auto kept = static_cast<std::uint32_t>(static_cast<float>(std::min(in_flight, window_)) * kBeta);
    threshold_ = std::max(kept, 2 * mss_);
}

void CongestionControl::lost(std::uint32_t in_flight) {
    reduce(in_flight);
    window_ = threshold_;
}

void CongestionControl::timed_out(std::uint32_t in_flight, bool again) {
    if (!again) reduce(in_flight);
    epoch_ = false;
    window_ = mss_;
}

void CongestionControl::restart_after_idle() {
    window_ = std::min(window_, initial_window());
    epoch_ = false;
}

}  // namespace sluice::tcp
