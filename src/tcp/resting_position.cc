#include "sluice/tcp/resting_position.h"

#include <algorithm>

namespace sluice::tcp {
namespace {

constexpr int kTimestampsSize = 12;  // in every segment, with padding (RFC 7323 appendix A)
constexpr Duration kRttUnit = std::chrono::microseconds(100);

std::uint16_t in_units(Duration rtt) {
    return static_cast<std::uint16_t>(
        std::min<std::int64_t>((rtt + kRttUnit - Duration(1)) / kRttUnit, 0xffff));
}

}  // namespace

RestingPosition::RestingPosition(const Endpoint::Position& at)
    : send_next_(at.send_next.value()),
      receive_next_(at.receive_next.value()),
      receive_edge_(at.receive_edge.value()),
      send_window_(at.send_window),
      timestamp_sent_(at.last_timestamp_sent),
      timestamp_received_(at.last_timestamp_received),
      peer_mss_(at.peer_mss),
      scales_(static_cast<std::uint8_t>(at.send_scale << 4U | at.receive_scale)),
      flags_(static_cast<std::uint8_t>((at.window_scale ? kWindowScale : 0U) |
                                       (at.timestamps ? kTimestamps : 0U) | (at.sack ? kSack : 0U))),
      smoothed_rtt_(in_units(at.smoothed_rtt)),
      rtt_variation_(in_units(at.rtt_variation)) {}

RestingPosition RestingPosition::of_number(std::uint32_t number) {
    RestingPosition cell;
    cell.send_next_ = number;
    return cell;
}

Endpoint::Position RestingPosition::position(std::uint16_t receive_mss, Instant last_timestamp_at) const {
    const bool timestamps = (flags_ & kTimestamps) != 0;
    return {.send_next = Seq(send_next_),
            .send_unacked = Seq(send_next_),
            .receive_next = Seq(receive_next_),
            .receive_edge = Seq(receive_edge_),
            .send_window = send_window_,
            .last_timestamp_sent = timestamp_sent_,
            .last_timestamp_received = timestamp_received_,
            .last_timestamp_at = last_timestamp_at,
            .send_mss = static_cast<std::uint16_t>(peer_mss_ - (timestamps ? kTimestampsSize : 0)),
            .peer_mss = peer_mss_,
            .receive_mss = receive_mss,
            .send_scale = static_cast<std::uint8_t>(scales_ >> 4U),
            .receive_scale = static_cast<std::uint8_t>(scales_ & 0x0fU),
            .window_scale = (flags_ & kWindowScale) != 0,
            .timestamps = timestamps,
            .sack = (flags_ & kSack) != 0,
            .smoothed_rtt = smoothed_rtt_ * kRttUnit,
            .rtt_variation = rtt_variation_ * kRttUnit};
}

}  // namespace sluice::tcp
