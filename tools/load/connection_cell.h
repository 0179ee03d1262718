// What is kept of a connection whose endpoint is not needed at the moment: of millions of idle ones almost
// all. 32 bytes.
#pragma once

#include <cstdint>
#include <type_traits>

#include "sluice/tcp/endpoint.h"
#include "sluice/tcp/resting_position.h"

namespace sluice::load {

// All zeros: free, and never used.
class ConnectionCell {
  public:
    enum class Phase : std::uint8_t {
        Free,
        Awake,   // an endpoint does the work: place() says which
        Asleep,  // the position is here
    };
    Phase phase() const { return static_cast<Phase>(kept_.note() & kPhase); }
    // Of Awake.
    std::uint32_t place() const { return kept_.number(); }
    void wake(std::uint32_t place) { keep(tcp::RestingPosition::of_number(place), Phase::Awake); }
    // position: of a quiet endpoint, so that nothing is in flight.
    void sleep(const tcp::Endpoint::Position& position) {
        keep(tcp::RestingPosition(position), Phase::Asleep);
    }
    // Of Asleep. receive_mss: what was announced, the same for all connections of a family. No cell sleeps
    // for days, so the last timestamp may be taken for one of just now.
    tcp::Endpoint::Position position(std::uint16_t receive_mss, Instant now) const {
        return kept_.position(receive_mss, now);
    }

    // The connection is over. Its last number stays: the next one on the same tuple begins behind it.
    void free(tcp::Seq last) {
        kept_ = tcp::RestingPosition::of_number(last.value());
        kept_.set_note(kUsed);
    }
    // Of Free.
    bool used() const { return kept_.note() == kUsed; }
    tcp::Seq last_sequence() const { return tcp::Seq(kept_.number()); }

  private:
    static constexpr std::uint8_t kPhase = 0x03;
    static constexpr std::uint8_t kUsed = 0x04;

    void keep(const tcp::RestingPosition& what, Phase phase) {
        kept_ = what;
        kept_.set_note(static_cast<std::uint8_t>(phase));
    }

    tcp::RestingPosition kept_;  // of Asleep; else a number in place of it
};
static_assert(sizeof(ConnectionCell) == 32 && std::is_trivially_copyable_v<ConnectionCell>);

}  // namespace sluice::load
