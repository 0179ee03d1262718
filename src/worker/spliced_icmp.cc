// What routers say about packets of spliced connections: whose they are, and what comes of it.
#include <algorithm>
#include <array>
#include <span>

#include "worker/spliced.h"
#include "worker/spliced_parts.h"

namespace sluice::worker {
namespace {

using splice::Direction;

}  // namespace

std::optional<Spliced::Passing> Spliced::find(const QuotedSegment& quoted) const {
    Direction direction = Direction::ToBroker;
    std::optional<Reference> found;
    if (const auto lease = flow_table_.lease_of(quoted.tuple); lease) {
        found = flow_table_.holder(*lease);
    } else {
        direction = Direction::ToClient;
        found = flow_table_.find_client(flow_table_.hash(quoted.tuple), [&](Reference candidate) {
            return candidate.is_spliced() && is_client(candidate, quoted.tuple);
        });
    }
    if (!found || !found->is_spliced()) return std::nullopt;
    return Passing{.connection = *found, .direction = direction};
}

bool Spliced::on_packet_too_big(Instant now, const QuotedSegment& quoted, std::uint16_t mtu) {
    const auto passing = find(quoted);
    if (!passing) return false;
    const Reference connection = passing->connection;
    const Direction direction = passing->direction;
    const bool narrower = with_family(family_of(connection), [&]<IpFamily kFamily>() {
        splice::DirectionState& way = table<kFamily>()[connection.number()].core.way(direction);
        const std::uint16_t port_mtu = topology_.ports()[way.port].mtu;
        if (!splice::is_in_flight(way, tcp::Seq(quoted.sequence)) ||
            !paths_.narrow(now, connection, direction, way, port_mtu, mtu)) {
            return false;
        }
        // What was too big is lost, so its repetition is none that comes too early.
        if (direction == Direction::ToClient && way.has(splice::DirectionState::kSlow)) {
            table<kFamily>().flight(connection.number()).waiting = false;
        }
        return true;
    });
    counters_.add(narrower ? Counter::IcmpTooBigApplied : Counter::DropIcmpUnhandled);
    return true;
}

bool Spliced::on_icmp_error(Instant now, const QuotedSegment& quoted, const wire::IcmpMessage& message) {
    const auto passing = find(quoted);
    if (!passing) return false;
    const auto verdict = with_family(family_of(passing->connection), [&]<IpFamily kFamily>() {
        return pass_error<kFamily>(now, passing->connection.number(), passing->direction, message);
    });
    if (verdict != splice::QuoteVerdict::Translated) counters_.add(Counter::DropIcmpUnhandled);
    return true;
}

// The error comes from the end that its receiver knows, as from a router behind it (RFC 5508 section 4.2).
template <IpFamily kFamily>
splice::QuoteVerdict Spliced::pass_error(Instant now, std::uint32_t id, Direction direction,
                                         const wire::IcmpMessage& message) {
    constexpr std::size_t kLongestQuote = 1232;  // RFC 4443 section 2.4 (c), and RFC 1812 has less
    const splice::Record<kFamily>& record = table<kFamily>()[id];
    std::array<std::byte, kLongestQuote> quote;
    const std::size_t size = std::min(message.body.size(), quote.size());
    std::copy_n(message.body.begin(), size, quote.begin());
    wire::IcmpMessage error = message;
    error.body = std::span(quote).first(size);
    const splice::QuoteVerdict verdict =
        splice::translate_icmp_quote(record, direction, std::span(quote).first(size));
    if (verdict != splice::QuoteVerdict::Translated) return verdict;
    errors_.pass_on(now, sender_of(record, direction), error);
    return verdict;
}

}  // namespace sluice::worker
