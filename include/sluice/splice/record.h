// What stays of a connection once its two TCP endpoints are gone: one plain record from which every later
// packet is rewritten, both ends can be reset, and everything that is asked about the connection can be
// answered.
//
// A record is trivially copyable and holds no pointer, so it may live in memory that outlives the process.
// It takes two cache lines over IPv4 and three over IPv6. One writer: the worker that owns the connection.
//
// Both legs are of one family. A connection whose client speaks IPv6 and whose broker speaks IPv4 (or the
// other way round) has no record: headers of different sizes cannot be exchanged in place, so it stays
// relayed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/tcp/seq.h"

namespace sluice::splice {

// Changes whenever a record written by an older program would be read wrongly.
inline constexpr std::uint32_t kRecordLayoutVersion = 4;

// Where a packet goes. It leaves by the leg of that name and came in by the other.
enum class Direction : std::uint8_t { ToBroker, ToClient };

constexpr Direction opposite(Direction d) {
    return d == Direction::ToBroker ? Direction::ToClient : Direction::ToBroker;
}

template <IpFamily kFamily>
inline constexpr std::size_t kAddressSize = kFamily == IpFamily::V4 ? 4 : 16;

// The two ends of one leg as its packets carry them, in network byte order. local is Sluice's end: the
// listener on the client's leg, the leased source on the broker's.
template <IpFamily kFamily>
struct Ends {
    std::array<std::byte, kAddressSize<kFamily>> local{};
    std::array<std::byte, kAddressSize<kFamily>> remote{};
    std::array<std::byte, 2> local_port{};
    std::array<std::byte, 2> remote_port{};

    // Both addresses of tuple must be of kFamily.
    static Ends of(const FourTuple& tuple) {
        // The last bytes of an address are what packets carry, in either form.
        constexpr std::size_t kFrom = 16 - kAddressSize<kFamily>;
        Ends ends;
        std::memcpy(ends.local.data(), tuple.local.address.bytes().data() + kFrom, ends.local.size());
        std::memcpy(ends.remote.data(), tuple.remote.address.bytes().data() + kFrom, ends.remote.size());
        store16(ends.local_port.data(), tuple.local.port);
        store16(ends.remote_port.data(), tuple.remote.port);
        return ends;
    }
    FourTuple tuple() const {
        const auto address = [](const auto& bytes) {
            if constexpr (kFamily == IpFamily::V4) {
                return IpAddress::v4(bytes);
            } else {
                return IpAddress::v6(bytes);
            }
        };
        return {.local = {address(std::span(local)), load16(local_port.data())},
                .remote = {address(std::span(remote)), load16(remote_port.data())}};
    }

    friend bool operator==(const Ends&, const Ends&) = default;
};

// Everything about one direction: how its packets are rewritten, what was seen of it, and how its receiver is
// reached. Sequence numbers are in the numbering of that receiver.
struct DirectionState {
    static constexpr std::uint8_t kFinSeen = 0x01;
    static constexpr std::uint8_t kFinAcked = 0x02;
    static constexpr std::uint8_t kTimestamps = 0x04;  // in use on this connection: set on both ways or none
    // On the way to the broker: the connection is over and waits for stragglers only.
    static constexpr std::uint8_t kLingers = 0x08;
    // On the way to the client: its round trip is long, and a Flight stands beside the record.
    static constexpr std::uint8_t kSlow = 0x08;
    // On the way to the broker: its session outlives the connection.
    static constexpr std::uint8_t kPersistent = 0x10;
    // The owner's: the receiver is being asked whether it is still there; whatever it says is an answer.
    static constexpr std::uint8_t kAsked = 0x20;
    // The receiver's path takes only packets smaller than the port's MTU: a side table knows how small.
    static constexpr std::uint8_t kNarrow = 0x40;
    // A packet came by since the owner last took this away.
    static constexpr std::uint8_t kHeard = 0x80;

    std::uint32_t sequence_delta = 0;   // added to SEG.SEQ, taken from SEG.ACK of the opposite direction
    std::uint32_t timestamp_delta = 0;  // added to TSval, taken from TSecr of the opposite direction
    tcp::Seq next;  // end of the furthest segment that went to the receiver, as far as it can be its sender's
    tcp::Seq acked;  // furthest acknowledgement of the receiver that was believed; never beyond next
    std::uint32_t packets = 0;    // modulo 2^32
    std::uint32_t bytes_low = 0;  // payload; see bytes()
    std::uint16_t bytes_high = 0;
    std::uint16_t window = 0;          // the receiver's last, as on the wire; its edge is window_edge()
    std::uint16_t checksum_delta = 0;  // what changed addresses and ports add to the TCP checksum's sum
    MacAddress mac;                    // the next hop towards the receiver; may be replaced at any time
    std::uint8_t port = 0;             // the port that leads there; likewise
    std::uint8_t their_scale = 0;      // shift of the windows that the receiver announces, 0..14
    std::uint8_t our_scale = 0;        // shift of the windows that were announced to the receiver, 0..14
    std::uint8_t flags = 0;

    bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
    // Bytes that the receiver would take beyond `acked`.
    std::uint32_t window_size() const { return std::uint32_t{window} << their_scale; }
    tcp::Seq window_edge() const { return acked.advance(window_size()); }
    // Payload bytes, retransmissions included, modulo 2^48.
    std::uint64_t bytes() const { return std::uint64_t{bytes_high} << 32U | bytes_low; }
    void set_bytes(std::uint64_t bytes) {
        bytes_low = static_cast<std::uint32_t>(bytes);
        bytes_high = static_cast<std::uint16_t>(bytes >> 32U);
    }
};
static_assert(sizeof(DirectionState) == 40);

// What does not hang on the IP version.
struct Core {
    std::array<DirectionState, 2> ways;  // by Direction
    // Latest TSval sent to either end. What Sluice itself sends there must not be later, or the end refuses
    // what follows (PAWS). Who gets the same lease soon must go on from the broker's, and from the sequence
    // ways[ToBroker].next, or the broker's TIME-WAIT refuses the SYN (RFC 6191).
    std::array<std::uint32_t, 2> last_timestamps{};  // by Direction
    std::uint32_t opened = 0;                        // seconds on the worker's time line at the client's SYN
    // Milliseconds of the worker's clock (milliseconds32) at the last payload that keeps the connection
    // alive: the client's; with keep_alive 0, either side's.
    std::uint32_t last_heard = 0;
    std::uint16_t listener = 0;
    std::uint16_t pool = 0;
    std::uint16_t backend = 0;     // index in the pool
    std::uint16_t keep_alive = 0;  // seconds, the one in force; 0: none

    DirectionState& way(Direction d) { return ways[static_cast<std::size_t>(d)]; }
    const DirectionState& way(Direction d) const { return ways[static_cast<std::size_t>(d)]; }
    std::uint32_t& last_timestamp(Direction d) { return last_timestamps[static_cast<std::size_t>(d)]; }
    std::uint32_t last_timestamp(Direction d) const { return last_timestamps[static_cast<std::size_t>(d)]; }
    bool timestamps() const { return ways[0].has(DirectionState::kTimestamps); }
    bool persistent() const { return way(Direction::ToBroker).has(DirectionState::kPersistent); }
    // Both ends have sent FIN and had it acknowledged.
    bool finished() const {
        return ways[0].has(DirectionState::kFinAcked) && ways[1].has(DirectionState::kFinAcked);
    }
    // Both legs' numbers and clocks are `d`'s receiver's on its way; these are what the sender of `d` says.
    // What it will send next:
    tcp::Seq sender_next(Direction d) const { return way(d).next.retreat(way(d).sequence_delta); }
    // What the other end has confirmed of it:
    tcp::Seq sender_acked(Direction d) const { return way(d).acked.retreat(way(d).sequence_delta); }
    // The last TSval:
    std::uint32_t sender_timestamp(Direction d) const { return last_timestamp(d) - way(d).timestamp_delta; }
};
static_assert(sizeof(Core) == 104);

template <IpFamily kFamily>
struct alignas(64) Record {
    std::array<Ends<kFamily>, 2> ends;  // by the Direction that leaves by the leg
    Core core;

    Ends<kFamily>& leg(Direction d) { return ends[static_cast<std::size_t>(d)]; }
    const Ends<kFamily>& leg(Direction d) const { return ends[static_cast<std::size_t>(d)]; }
    // Brings the whole record into the cache, to be written.
    void prefetch() const {
        const auto* const p = reinterpret_cast<const std::byte*>(this);
        for (std::size_t at = 0; at < sizeof(Record); at += 64) __builtin_prefetch(p + at, 1);
    }
};

static_assert(sizeof(Record<IpFamily::V4>) == 128);
static_assert(sizeof(Record<IpFamily::V6>) == 192);
static_assert(std::is_trivially_copyable_v<Record<IpFamily::V4>> &&
              std::is_trivially_copyable_v<Record<IpFamily::V6>>);
static_assert(std::is_standard_layout_v<Record<IpFamily::V4>> &&
              std::is_standard_layout_v<Record<IpFamily::V6>>);

}  // namespace sluice::splice
