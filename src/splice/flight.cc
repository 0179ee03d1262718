#include "sluice/splice/flight.h"

#include <algorithm>
#include <limits>

namespace sluice::splice {
namespace {

constexpr std::uint16_t kLongest = std::numeric_limits<std::uint16_t>::max();

// A receiver may hold back an ACK for a while (RFC 9293 section 3.8.6.3), and round trips vary.
std::uint32_t patience(const Flight& flight) {
    return flight.round_trip + std::max<std::uint32_t>(flight.round_trip / 4U, 50);
}

// All of it has been acknowledged: how long that took is the newest that is known of the client.
void measure(Flight& flight, std::uint32_t now) {
    const std::uint32_t took = std::min<std::uint32_t>(now - flight.began, kLongest);
    const std::uint32_t known = flight.round_trip;
    flight.round_trip = static_cast<std::uint16_t>(took > known ? took : known - (known - took) / 8);
}

}  // namespace

std::optional<Flight> flight_of(Duration smoothed_rtt, Duration variation) {
    if (smoothed_rtt < kSlowRoundTrip) return std::nullopt;
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(smoothed_rtt + variation).count();
    return Flight{.round_trip = static_cast<std::uint16_t>(std::min<std::int64_t>(milliseconds, kLongest))};
}

template <IpFamily kFamily>
bool is_early_copy(const Record<kFamily>& record, Direction direction, const Packet<kFamily>& packet,
                   Flight& flight, std::uint32_t now) {
    const wire::TcpFlags flags = packet.flags();
    if (flags.rst || !flags.ack) return false;
    const DirectionState& to_client = record.core.way(Direction::ToClient);
    const tcp::Seq acknowledges(load32(packet.tcp() + wire::kTcpAcknowledgementAt));
    if (direction == Direction::ToBroker) {
        const bool advances = acknowledges.since(to_client.acked) <= to_client.next.since(to_client.acked) &&
                              acknowledges != to_client.acked;
        const bool repeats = acknowledges == to_client.acked && packet.payload_size() == 0 && !flags.fin;
        if (flight.waiting && acknowledges == to_client.next) measure(flight, now);
        if (advances || repeats) flight.waiting = false;
        return false;
    }
    const std::uint32_t length = packet.payload_size() + (flags.fin ? 1U : 0U);
    if (length == 0) return false;
    const tcp::Seq begin = packet.sequence().advance(to_client.sequence_delta);
    if (to_client.acked == to_client.next && begin == to_client.next) {
        flight.began = now;
        flight.waiting = true;
        return false;
    }
    const bool is_on_its_way = begin.since(to_client.acked) < to_client.next.since(to_client.acked) &&
                               begin.advance(length).at_or_before(to_client.next);
    const bool has_news = acknowledges.after(record.core.way(Direction::ToBroker).acked);
    return is_on_its_way && !has_news && flight.waiting && now - flight.began < patience(flight);
}

template bool is_early_copy(const Record<IpFamily::V4>&, Direction, const Packet<IpFamily::V4>&, Flight&,
                            std::uint32_t);
template bool is_early_copy(const Record<IpFamily::V6>&, Direction, const Packet<IpFamily::V6>&, Flight&,
                            std::uint32_t);

}  // namespace sluice::splice
