// What is kept of a quiet endpoint while nothing happens on its connection: 32 bytes, from which it goes on
// as if it had been there all the time. Of millions of idle connections almost all are no more than this.
#pragma once

#include <cstdint>
#include <type_traits>

#include "sluice/base/time.h"
#include "sluice/tcp/endpoint.h"

namespace sluice::tcp {

// All zeros: of no endpoint.
//
// Of an Endpoint::Position it holds everything but three things. receive_mss and the time of the last
// timestamp are the owner's to keep, who often knows them anyway. SRTT and RTTVAR are rounded up to 100
// microseconds and end at 6.5 s, so that no retransmission comes earlier than it would have.
class RestingPosition {
  public:
    RestingPosition() = default;
    // at: of an endpoint that is quiet() and has acknowledge()d.
    explicit RestingPosition(const Endpoint::Position& at);
    // For Endpoint::resume(). receive_mss: what was announced to the peer. last_timestamp_at: as the position
    // had it, or not much earlier; what lies more than 24 days back turns PAWS off until the next timestamp.
    Endpoint::Position position(std::uint16_t receive_mss, Instant last_timestamp_at) const;

    // A few bits of whoever keeps it: 0..31. 0 at first.
    static constexpr std::uint8_t kNotes = 32;
    std::uint8_t note() const { return flags_ & kNote; }
    void set_note(std::uint8_t note) { flags_ = static_cast<std::uint8_t>((flags_ & ~kNote) | note); }

    // For an array in which some cells are of no endpoint: one number in place of a position.
    static RestingPosition of_number(std::uint32_t number);
    // Of of_number() only.
    std::uint32_t number() const { return send_next_; }

  private:
    static constexpr std::uint8_t kNote = kNotes - 1;
    static constexpr std::uint8_t kWindowScale = 0x20;
    static constexpr std::uint8_t kTimestamps = 0x40;
    static constexpr std::uint8_t kSack = 0x80;

    std::uint32_t send_next_ = 0;
    std::uint32_t receive_next_ = 0;
    std::uint32_t receive_edge_ = 0;
    std::uint32_t send_window_ = 0;
    std::uint32_t timestamp_sent_ = 0;
    std::uint32_t timestamp_received_ = 0;
    std::uint16_t peer_mss_ = 0;
    std::uint8_t scales_ = 0;  // of the windows: the peer's in the upper half, ours in the lower
    std::uint8_t flags_ = 0;
    std::uint16_t smoothed_rtt_ = 0;  // in units of 100 microseconds, as is the next
    std::uint16_t rtt_variation_ = 0;
};
static_assert(sizeof(RestingPosition) == 32 && std::is_trivially_copyable_v<RestingPosition>);

}  // namespace sluice::tcp
