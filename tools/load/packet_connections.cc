// PacketTransport, connections: from cell to endpoint and back, and what the user does and is told.
#include <algorithm>

#include "packet_transport.h"
#include "sluice/tcp/isn.h"

namespace sluice::load {
namespace {

using Phase = ConnectionCell::Phase;

End end_of(const tcp::Endpoint& endpoint) {
    switch (endpoint.failure()) {
        case tcp::Failure::None: return End::Finished;
        case tcp::Failure::Refused: return End::Refused;
        case tcp::Failure::Reset: return End::Reset;
        case tcp::Failure::TimedOut: return End::TimedOut;
        case tcp::Failure::Aborted: return End::Aborted;
    }
    return End::Reset;
}

}  // namespace

bool PacketTransport::open(Instant now, Id id) {
    if (names_.accepts() || id >= capacity() || cells_[id].phase() == Phase::Asleep) return false;
    if (cells_[id].phase() == Phase::Awake) {
        const std::uint32_t last = cells_[id].place();
        Awake& a = awake_[last];
        if (!a.over) return false;
        release(a);
        if (!a.in_hand) erase(last);
    }
    const tcp::Seq first = first_sequence(now, id);
    const std::uint32_t place = make(id, tcp::Endpoint(endpoint_options(id)));
    Awake& a = awake_[place];
    a.limit = now + options_.connect_limit;
    ++totals_.connections;
    Wire wire(*this, now, id);
    a.endpoint.connect(now, first, wire);
    if (wire.unreachable) end(now, a, End::Unreachable);
    settle(now, place);
    return true;
}

bool PacketTransport::send(Instant now, Id id, ByteView bytes) {
    if (cells_[id].phase() == Phase::Free) return false;
    const std::uint32_t place = wake(now, id);
    Awake& a = awake_[place];
    const bool fits = !a.over && a.endpoint.writable() >= bytes.size();
    if (fits) {
        Wire wire(*this, now, id);
        a.endpoint.write(now, bytes, wire);
        totals_.bytes_out += bytes.size();
    }
    settle(now, place);
    return fits;
}

void PacketTransport::close(Instant now, Id id) {
    if (cells_[id].phase() == Phase::Free) return;
    const std::uint32_t place = wake(now, id);
    Awake& a = awake_[place];
    if (a.over || a.endpoint.shutdown_called()) return;
    Wire wire(*this, now, id);
    a.endpoint.shutdown(now, wire);
    if (a.told_open) a.limit = now + options_.close_limit;
    settle(now, place);
}

void PacketTransport::abort(Instant now, Id id) {
    if (cells_[id].phase() == Phase::Free) return;
    const std::uint32_t place = wake(now, id);
    Awake& a = awake_[place];
    if (a.over) return;
    Wire wire(*this, now, id);
    a.endpoint.abort(now, wire);
    end(now, a, End::Aborted);
    settle(now, place);
}

// --- cells and endpoints ---

// A client's tuple comes back often and soon: its numbers must go on from where they were, or a peer in
// TIME-WAIT takes the SYN for an old segment.
tcp::Seq PacketTransport::first_sequence(Instant now, Id id) const {
    const tcp::Seq fresh = tcp::initial_sequence(options_.key, names_.tuple(id), now);
    if (names_.accepts() || !cells_[id].used()) return fresh;
    return tcp::sequence_after(cells_[id].last_sequence(), fresh);
}

std::uint32_t PacketTransport::make(Id id, tcp::Endpoint&& endpoint) {
    const std::uint32_t place = awake_.insert(std::move(endpoint), id);
    cells_[id].wake(place);
    cells_used_ = std::max(cells_used_, id + 1);
    places_used_ = std::max(places_used_, place + 1);
    return place;
}

std::uint32_t PacketTransport::wake(Instant now, Id id) {
    ConnectionCell& cell = cells_[id];
    if (cell.phase() == Phase::Awake) return cell.place();
    ++wakes_;
    const tcp::EndpointOptions& options = endpoint_options(id);
    const std::uint32_t place =
        make(id, tcp::Endpoint::resume(options, cell.position(options.receive_mss, now), now));
    awake_[place].told_open = true;
    return place;
}

void PacketTransport::settle(Instant now, std::uint32_t place) {
    Awake& a = awake_[place];
    if (a.in_hand) return;  // its holder will
    a.in_hand = true;
    tell(now, a);
    a.in_hand = false;
    count(a);
    if (a.released) return erase(place);
    if (!may_sleep(now, a)) {
        const Instant due = std::min({a.endpoint.next_deadline(), a.limit, a.awake_until});
        // A timer that fires too early does no harm, and most that are moved would be moved again.
        if (due != kNever && (!timers_.armed(place) || timers_.deadline(place) > due))
            timers_.arm(place, due);
        return;
    }
    cells_[a.id].sleep(a.endpoint.position());
    erase(place);
}

// An endpoint that owes an ACK stays: an answer may soon take it along. One that has answered what it did not
// accept stays as well, because the limits on such answers would be forgotten.
bool PacketTransport::may_sleep(Instant now, Awake& a) const {
    const tcp::Endpoint::Statistics& seen = a.endpoint.statistics();
    const std::uint32_t unaccepted = seen.challenge_acks + seen.paws_rejected + seen.out_of_window;
    if (unaccepted != a.unaccepted) {
        a.unaccepted = unaccepted;
        a.awake_until = now + options_.endpoint.challenge_ack_interval;
    } else if (now >= a.awake_until) {
        a.awake_until = kNever;
    }
    return a.awake_until == kNever && a.limit == kNever && a.told_open && a.endpoint.quiet() &&
           a.endpoint.next_deadline() == kNever;
}

void PacketTransport::tell(Instant now, Awake& a) {
    if (!a.over && !a.told_open && tcp::is_synchronized(a.endpoint.state())) {
        a.told_open = true;
        if (names_.accepts()) ++totals_.connections;
        a.limit = a.endpoint.shutdown_called() ? now + options_.close_limit : kNever;
        events_.on_open(now, a.id);
    }
    deliver(now, a);
    if (!a.over && a.endpoint.peer_finished() && !a.endpoint.shutdown_called()) {
        Wire wire(*this, now, a.id);
        a.endpoint.consume(now, a.endpoint.readable(), wire);
        a.endpoint.shutdown(now, wire);
        a.limit = now + options_.close_limit;
    }
    const tcp::State state = a.endpoint.state();
    if (state == tcp::State::Closed || state == tcp::State::TimeWait) end(now, a, end_of(a.endpoint));
    if (a.endpoint.state() == tcp::State::Closed) release(a);
}

void PacketTransport::deliver(Instant now, Awake& a) {
    while (!a.over && a.endpoint.readable() > a.offered) {
        const std::size_t size = a.endpoint.readable();
        const ByteView bytes = tcp::contiguous(a.endpoint, scratch_);
        const std::size_t taken = std::min(events_.on_bytes(now, a.id, bytes), size);
        totals_.bytes_in += taken;
        a.offered = static_cast<std::uint32_t>(size - taken);
        if (a.over) return;
        Wire wire(*this, now, a.id);
        a.endpoint.consume(now, taken, wire);
    }
}

// on_end() may use the number again at once, so it is given up before. In TIME-WAIT the endpoint still
// answers stragglers, until it is due or somebody wants the number.
void PacketTransport::end(Instant now, Awake& a, End how) {
    if (a.over) return;
    a.over = true;
    a.limit = kNever;
    const Id id = a.id;
    if (a.endpoint.state() != tcp::State::TimeWait) release(a);
    if (!a.told_open && names_.accepts()) return;
    --totals_.connections;
    events_.on_end(now, id, how);
}

void PacketTransport::release(Awake& a) {
    if (a.released) return;
    a.released = true;
    cells_[a.id].free(a.endpoint.position().send_next);
    if (names_.accepts()) names_.remove(a.id);
}

void PacketTransport::erase(std::uint32_t place) {
    endpoint_bytes_ -= awake_[place].memory;
    timers_.cancel(place);
    awake_.erase(place);
}

void PacketTransport::count(Awake& a) {
    const std::uint32_t retransmits = a.endpoint.statistics().retransmits;
    totals_.retransmits += retransmits - a.retransmits;
    a.retransmits = retransmits;
    const auto memory = static_cast<std::uint32_t>(a.endpoint.memory_bytes());
    endpoint_bytes_ += memory - std::uint64_t{a.memory};
    a.memory = memory;
}

}  // namespace sluice::load
