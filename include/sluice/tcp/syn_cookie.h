// SYN cookies: a SYN-ACK whose own numbers say what the SYN said, so that nothing need be kept until the
// client's ACK brings them back. Pure, like all of the room.
//
// The initial sequence number is a keyed hash plus two bits for the MSS. The hash is over the four-tuple, the
// client's own number, a counter of minutes, everything that the SYN-ACK announces and everything that was
// agreed on. With timestamps, the five low bits of the SYN-ACK's TSval say which scale and whether SACK the
// client asked for. Without them both are not agreed on. ECN never is.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/base/siphash.h"
#include "sluice/base/time.h"
#include "sluice/tcp/endpoint.h"
#include "sluice/tcp/segment.h"
#include "sluice/tcp/seq.h"

namespace sluice::tcp {

// From its SYN-ACK a cookie is good for one to two of these.
inline constexpr Duration kCookiePeriod = std::chrono::minutes(1);

// What a SYN-ACK says of our end, to any client.
struct Announcement {
    std::uint16_t mss = 0;     // bytes: EndpointOptions::receive_mss
    std::uint16_t window = 0;  // bytes, never scaled
    std::optional<std::uint8_t> window_scale;
    bool sack = false;
    bool timestamps = false;

    friend bool operator==(const Announcement&, const Announcement&) = default;
};
Announcement announcement_of(const EndpointOptions& options);
// Options of an endpoint that keeps what was announced, whatever would be announced by now.
void keep_announced(const Announcement& announced, EndpointOptions& options);

// Whether a cookie holds all that this SYN and an endpoint with these options agree on.
bool cookie_holds(const EndpointOptions& options, const Segment& syn);
// Takes back what it would not hold.
void restrict_to_cookie(EndpointOptions& options, const Segment& syn);

// What the TSval of the SYN-ACK is to say of the agreement, and the SYN-ACK that says it, if it has one.
std::uint8_t cookie_note(const EndpointOptions& options, const Segment& syn);
Segment with_cookie_note(Segment syn_ack, std::uint8_t note);

// Whether the segment is of a kind that completes a handshake: an ACK, text and FIN allowed.
inline bool may_carry_cookie(const Segment& segment) {
    return segment.flags.ack && !segment.flags.syn && !segment.flags.rst;
}

// The cookies that one listener sends. A guess counts for nothing while none was sent lately, and an ACK only
// for what was announced then: a promise made to a client holds, whatever is announced by now.
class SynCookies {
  public:
    explicit SynCookies(const SipKey& key) : key_(key) {}

    // The initial sequence number of the SYN-ACK to `syn`, which leaves now. options: of the endpoint that
    // answers; tuple.local is ours.
    Seq sequence_for(Instant now, const FourTuple& tuple, const Segment& syn, const EndpointOptions& options);

    // What a cookie was sent for.
    struct Opening {
        Seq initial_sequence;  // of the SYN-ACK
        Announcement announced;
        Segment syn;  // as far as it is known: its MSS rounded down, without its window
    };
    // Of the segment that completes the handshake, the client's first. nullopt: it has no cookie of ours.
    std::optional<Opening> open(Instant now, const FourTuple& tuple, const Segment& ack) const;
    // A cookie may still come back.
    bool sent_lately(Instant now) const;

  private:
    // Announcements change when brokers come and go; of many changes in a row the oldest are forgotten.
    static constexpr std::size_t kAnnouncements = 4;
    struct Sent {
        Announcement announced;
        std::optional<Instant> last;  // nullopt: never
        bool may_return(Instant now) const { return last && now - *last < 2 * kCookiePeriod; }
    };

    SipKey key_;
    std::array<Sent, kAnnouncements> sent_;  // newest first
};

}  // namespace sluice::tcp
