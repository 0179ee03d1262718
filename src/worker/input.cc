#include "worker/input.h"

#include <algorithm>
#include <cstring>

#include "sluice/host/unwrap.h"
#include "sluice/tcp/frame.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/fragment.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/ipv6_extensions.h"
#include "sluice/wire/path_mtu.h"

namespace sluice::worker {

using host::Disposition;
using host::Origin;

Input::Input(WorkerContext& context, const FlowTable& flow_table, Forwarder& forwarder,
             host::FrameOutput& output, Answers& answers, ConnectionTable& connections, Spliced& spliced,
             Prober& prober)
    : context_(context),
      worker_(context.options.index),
      flow_table_(flow_table),
      forwarder_(forwarder),
      output_(output),
      answers_(answers),
      connections_(connections),
      spliced_(spliced),
      prober_(prober),
      counters_(context.counters),
      stack_(context, output, context, *this),
      steering_(context.options.workers),
      fragments_(context, output, spliced.errors()),
      hints_(1, 4),
      given_(context.options.workers, false) {}

// --- made plain ---

Disposition Input::on_wrapped(Instant now, const host::Received& in, wire::IpError error) {
    return error == wire::IpError::Ipv6Extension ? on_extensions(now, in)
                                                 : on_fragment(now, in, IpFamily::V4);
}

Disposition Input::on_extensions(Instant now, const host::Received& in) {
    wire::IpError error{};
    const auto view = wire::Ipv6View::parse(in.payload(), error);
    const auto verdict = stack_.judge(now, in, view->bytes().size(), view->source(), view->destination());
    if (verdict) return *verdict;
    wire::Ipv6Problem problem;
    const auto chain = wire::walk_ipv6_extensions(view->bytes(), problem);
    if (!chain) {
        if (problem.to_be_told && !host::is_group(view->destination())) {
            const Arrival arrival = in.arrival();
            spliced_.errors().parameter_problem(now,
                                                {.port = arrival.port,
                                                 .mac = arrival.source_mac,
                                                 .address = view->source(),
                                                 .own = view->destination()},
                                                view->bytes(), problem.code, problem.pointer);
        }
        return Disposition::dropped(Counter::DropIpv6Extension);
    }
    host::Received plain = in;
    host::take_off_extensions(plain.frame, *chain);
    if (chain->next_header == wire::kProtocolFragment) return on_fragment(now, plain, IpFamily::V6);
    if (chain->atomic_fragment) plain.origin = Origin::Fragments;
    return stack_.on_ip(now, plain);
}

// Parts of packets for us alone; ours to put together, or the worker's that their name says.
Disposition Input::on_fragment(Instant now, const host::Received& in, IpFamily family) {
    const auto fragment = wire::parse_fragment(family, in.payload());
    // One within another is nothing that a host sends.
    if (!fragment || in.origin == Origin::Fragments) return Disposition::dropped(spoiled_fragment(family));
    const std::size_t size = fragment->header.size() + fragment->data.size();
    const auto verdict = stack_.judge(now, in, size, fragment->source, fragment->destination);
    if (verdict) return *verdict;
    const std::uint8_t protocol = fragment->protocol;
    const bool v4 = family == IpFamily::V4;
    const bool spoken = protocol == wire::kProtocolTcp ||
                        (v4 ? protocol == wire::kProtocolIcmp
                            : protocol == wire::kProtocolIcmpv6 || wire::is_ipv6_extension(protocol));
    if (!spoken || host::is_group(fragment->destination)) return Disposition::punt(Counter::DropIpProtocol);
    if (in.origin == Origin::Port) {
        const std::uint32_t owner =
            steering_.of_fragment(fragment->source, fragment->destination, fragment->identification,
                                  v4 ? protocol : std::uint8_t{0});
        if (owner != worker_) return hand_over(in.frame, owner);
    }
    if (const auto whole = fragments_.add(now, in.frame, *fragment)) {
        const Disposition of_whole = stack_.on_ip(now, {.frame = *whole, .origin = Origin::Fragments});
        context_.settle(of_whole);
        if (!of_whole.is_forwarded()) output_.discard(*whole);
    }
    return Disposition::consumed();
}

// --- TCP ---

Disposition Input::on_tcp(Instant now, const host::Received& in, const wire::IpPacket& packet) {
    const auto view = wire::TcpView::parse(packet.payload);
    if (!view) return Disposition::dropped(Counter::DropTcpMalformed);
    const FourTuple tuple{.local = {packet.destination, view->destination_port()},
                          .remote = {packet.source, view->source_port()}};
    if (in.origin != Origin::Handover && given_.size() != 1) {
        const std::uint32_t owner = owner_of(tuple);
        if (owner != worker_) return hand_over(in.frame, owner);
    }
    if (const auto fault = checksum_fault(now, in.frame.port, packet, view->bytes())) {
        return Disposition::dropped(*fault);
    }
    const auto segment = tcp::read_segment(*view);
    if (!segment) return Disposition::dropped(Counter::DropTcpMalformed);
    const Disposition taken = deliver(now, in.arrival(), tuple, *segment);
    if (!taken.is_punt()) return taken;
    const Disposition forwarded = forwarder_.forward(now, in.frame);
    // It is for an own address: nobody comes next.
    return forwarded.is_punt() ? Disposition::consumed() : forwarded;
}

std::optional<Counter> Input::checksum_fault(Instant now, std::uint16_t port, const wire::IpPacket& packet,
                                             ByteView segment) {
    if (wire::tcp_checksum_valid(packet.source, packet.destination, segment)) return std::nullopt;
    if (!wire::is_partial_checksum(packet.source, packet.destination, segment)) {
        return Counter::DropTcpChecksum;
    }
    hint(now, port, packet.source, Event::Fault::PartialChecksum);
    return Counter::DropTcpPartialChecksum;
}

Disposition Input::deliver(Instant now, const Arrival& arrival, const FourTuple& tuple,
                           const tcp::Segment& segment) {
    if (const auto listener = flow_table_.listener_at(tuple.local); listener) {
        return connections_.on_client_segment(now, *listener, tuple, arrival, segment);
    }
    if (prober_.on_segment(now, tuple, segment)) return Disposition::consumed();
    if (context_.topology.owned(tuple.local.address)->source) {
        return connections_.on_broker_segment(now, tuple, arrival, segment);
    }
    counters_.add(Counter::TcpNoListener);
    connections_.reset(now, tuple, arrival, segment);
    return Disposition::consumed();
}

// --- ICMP ---

bool Input::may_echo(Instant now, std::uint16_t port, const IpAddress& to) {
    return answers_.may(now, port, Answers::Kind::Echo, to);
}

std::optional<Disposition> Input::steer_icmp_error(const host::Received& in, const wire::TcpQuote& quote) {
    const std::uint32_t owner = owner_of({.local = quote.source, .remote = quote.destination});
    return owner == worker_ ? std::nullopt : std::optional(hand_over(in.frame, owner));
}

Disposition Input::on_icmp_error(Instant now, const host::IcmpError& error) {
    const QuotedSegment quoted{.tuple = {.local = error.quote.source, .remote = error.quote.destination},
                               .sequence = error.quote.sequence,
                               .size = error.quote.size};
    using Kind = host::IcmpError::Kind;
    if (error.kind == Kind::TooBig) return on_too_big(now, quoted, error.mtu);
    // What a spliced connection's ends do about it is theirs to decide.
    if (spliced_.on_icmp_error(now, quoted, error.message)) return Disposition::consumed();
    // A soft error that says nothing new to TCP (RFC 1122 section 4.2.3.9).
    if (error.kind == Kind::TimeExceeded) return Disposition::dropped(Counter::DropIcmpUnhandled);
    if (!prober_.on_unreachable(now, quoted.tuple, tcp::Seq{quoted.sequence})) {
        connections_.on_unreachable(now, quoted);
    }
    return Disposition::consumed();
}

Disposition Input::on_too_big(Instant now, const QuotedSegment& quoted, std::uint32_t told) {
    const auto mtu = wire::path_mtu(quoted.tuple.local.address.family(), told, quoted.size);
    if (!mtu) return Disposition::dropped(Counter::DropIcmpUnhandled);
    if (!spliced_.on_packet_too_big(now, quoted, *mtu)) connections_.on_packet_too_big(now, quoted, *mtu);
    return Disposition::consumed();
}

// --- other workers ---

std::uint32_t Input::owner_of(const FourTuple& tuple) const {
    return flow_table_.listener_at(tuple.local) ? steering_.of_client(tuple)
                                                : steering_.of_source_port(tuple.local.port);
}

Disposition Input::hand_over(const port::Frame& frame, std::uint32_t owner) {
    if (!context_.handover.ring(worker_, owner).send(frame)) {
        return Disposition::dropped(Counter::DropHandoverFull);
    }
    counters_.add(Counter::HandoverFrames);
    given_[owner] = true;
    return Disposition::forwarded();
}

// Answers about neighbors reach one worker, but every worker has asked for itself.
void Input::on_neighbor_news(const host::Received& in) {
    for (std::uint32_t other = 0; other < given_.size(); ++other) {
        if (other == worker_) continue;
        auto copy = output_.allocate();
        if (!copy) return;
        copy->length = std::min(in.frame.length, copy->capacity);
        copy->port = in.frame.port;
        copy->multi_segment = in.frame.multi_segment;
        std::memcpy(copy->data, in.frame.data, copy->length);
        const Disposition verdict = hand_over(*copy, other);
        context_.settle(verdict);
        if (!verdict.is_forwarded()) output_.discard(*copy);
    }
}

void Input::ring_doorbells() {
    for (std::uint32_t other = 0; other < given_.size(); ++other) {
        if (!given_[other]) continue;
        given_[other] = false;
        context_.handover.wake_if_resting(other);
    }
}

// --- hints ---

void Input::on_over_mtu(Instant now, std::uint16_t port, const IpAddress& peer) {
    hint(now, port, peer, Event::Fault::OverMtu);
}

// Control tells the operator; a few a second are enough for that, and the drop counters have the whole
// number.
void Input::hint(Instant now, std::uint16_t port, const IpAddress& peer, Event::Fault fault) {
    if (!hints_.take(now)) return;
    if (context_.events.post(
            {.kind = Event::Kind::OffloadHint, .fault = fault, .port = port, .address = peer})) {
        counters_.add(Counter::HintOffload);
    }
}

}  // namespace sluice::worker
