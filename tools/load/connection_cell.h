// What is kept of a connection whose endpoint is not needed at the moment: of millions of idle ones almost
// all. 32 bytes.
#pragma once

#include <cstdint>
#include <type_traits>

#include "sluice/tcp/endpoint.h"

namespace sluice::load {

// All zeros: free, and never used.
class ConnectionCell {
  public:
    enum class Phase : std::uint8_t {
        Free,
        Awake,   // an endpoint does the work: place() says which
        Asleep,  // the position is here
    };
    Phase phase() const { return static_cast<Phase>(flags_ & kPhase); }
    // Of Awake.
    std::uint32_t place() const { return place_or_window_; }
    void wake(std::uint32_t place) {
        set_phase(Phase::Awake);
        place_or_window_ = place;
    }
    // position: of a quiet endpoint, so that nothing is in flight.
    void sleep(const tcp::Endpoint::Position& position);
    // Of Asleep. receive_mss: what was announced, the same for all connections of a family.
    tcp::Endpoint::Position position(std::uint16_t receive_mss) const;

    // The connection is over. Its last number stays: the next one on the same tuple begins behind it.
    void free(tcp::Seq last) {
        flags_ = kUsed;
        send_next_ = last.value();
    }
    // Of Free.
    bool used() const { return (flags_ & kUsed) != 0; }
    tcp::Seq last_sequence() const { return tcp::Seq(send_next_); }

  private:
    static constexpr std::uint8_t kPhase = 0x03;
    static constexpr std::uint8_t kUsed = 0x04;
    static constexpr std::uint8_t kWindowScale = 0x08;
    static constexpr std::uint8_t kTimestamps = 0x10;
    static constexpr std::uint8_t kSack = 0x20;

    static constexpr Duration kRttUnit = std::chrono::microseconds(100);
    static std::uint16_t in_units(Duration rtt);

    void set_phase(Phase phase) {
        flags_ = static_cast<std::uint8_t>((flags_ & ~kPhase) | static_cast<unsigned>(phase));
    }

    std::uint32_t send_next_ = 0;
    std::uint32_t receive_next_ = 0;
    std::uint32_t receive_edge_ = 0;
    std::uint32_t place_or_window_ = 0;  // SND.WND while asleep
    std::uint32_t timestamp_sent_ = 0;
    std::uint32_t timestamp_received_ = 0;
    std::uint16_t peer_mss_ = 0;
    std::uint8_t scales_ = 0;  // of the windows: the peer's in the upper half, ours in the lower
    std::uint8_t flags_ = 0;
    std::uint16_t smoothed_rtt_ = 0;  // in kRttUnit, rounded up, at most what fits
    std::uint16_t rtt_variation_ = 0;
};
static_assert(sizeof(ConnectionCell) == 32 && std::is_trivially_copyable_v<ConnectionCell>);

}  // namespace sluice::load
