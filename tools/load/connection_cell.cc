#include "connection_cell.h"

#include <algorithm>

namespace sluice::load {

std::uint16_t ConnectionCell::in_units(Duration rtt) {
    return static_cast<std::uint16_t>(
        std::min<std::int64_t>((rtt + kRttUnit - Duration(1)) / kRttUnit, 0xffff));
}

void ConnectionCell::sleep(const tcp::Endpoint::Position& position) {
    send_next_ = position.send_next.value();
    receive_next_ = position.receive_next.value();
    receive_edge_ = position.receive_edge.value();
    place_or_window_ = position.send_window;
    timestamp_sent_ = position.last_timestamp_sent;
    timestamp_received_ = position.last_timestamp_received;
    peer_mss_ = position.peer_mss;
    scales_ = static_cast<std::uint8_t>(position.send_scale << 4U | position.receive_scale);
    flags_ =
        static_cast<std::uint8_t>((position.window_scale ? kWindowScale : 0U) |
                                  (position.timestamps ? kTimestamps : 0U) | (position.sack ? kSack : 0U));
    smoothed_rtt_ = in_units(position.smoothed_rtt);
    rtt_variation_ = in_units(position.rtt_variation);
    set_phase(Phase::Asleep);
}

tcp::Endpoint::Position ConnectionCell::position(std::uint16_t receive_mss) const {
    const bool timestamps = (flags_ & kTimestamps) != 0;
    return {.send_next = tcp::Seq(send_next_),
            .send_unacked = tcp::Seq(send_next_),
            .receive_next = tcp::Seq(receive_next_),
            .receive_edge = tcp::Seq(receive_edge_),
            .send_window = place_or_window_,
            .last_timestamp_sent = timestamp_sent_,
            .last_timestamp_received = timestamp_received_,
            .send_mss = static_cast<std::uint16_t>(peer_mss_ - (timestamps ? 12 : 0)),
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

}  // namespace sluice::load
