#include "packet_transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "sluice/tcp/isn.h"
#include "sluice/wire/path_mtu.h"

namespace sluice::load {
namespace {

constexpr std::size_t kTogether = 64;  // as many waits for memory overlap
constexpr Duration kNap = 50us;        // where the port cannot be waited for

tcp::EndpointOptions sized(tcp::EndpointOptions options, std::uint16_t mtu, IpFamily family) {
    options.receive_mss = wire::mss_of(family, mtu);
    options.send_mss_limit = options.receive_mss;
    options.default_send_mss = tcp::default_mss(family);
    options.timestamp_offset = 0;
    return options;
}

std::vector<IpAddress> addresses_of(const std::vector<SocketAddress>& listen) {
    std::vector<IpAddress> own;
    for (const SocketAddress& l : listen) own.push_back(l.address);
    std::ranges::sort(own);
    own.erase(std::unique(own.begin(), own.end()), own.end());
    return own;
}

}  // namespace

tcp::EndpointOptions packet_endpoint_options() {
    tcp::EndpointOptions options;
    options.receive_buffer = 256 * 1024;
    options.send_buffer = 256 * 1024;
    options.window_scale = 7;
    options.initial_rto = 1s;
    options.time_wait = 1s;
    options.fin_wait_2 = 10s;
    return options;
}

PacketTransport::PacketTransport(Instant now, const PacketTransportOptions& options, ConnectionNames names,
                                 const std::vector<SocketAddress>& listen, const std::vector<IpAddress>& own,
                                 port::Port& port, port::FramePool& pool, Events& events)
    : options_(options),
      endpoint_v4_(sized(options.endpoint, port.info().mtu, IpFamily::V4)),
      endpoint_v6_(sized(options.endpoint, port.info().mtu, IpFamily::V6)),
      names_(std::move(names)),
      listen_(listen.begin(), listen.end()),
      cells_(names_.capacity()),
      awake_(2 * names_.capacity()),  // a number may be in use again while its last endpoint is in hand
      timers_(2 * names_.capacity(), now),
      port_(port),
      events_(events),
      network_(options.network, own, port, pool, *this) {
    for (const int fd : port.wait_handles(0)) handles_.push_back({.fd = fd, .events = POLLIN, .revents = 0});
}

PacketTransport::PacketTransport(Instant now, const PacketTransportOptions& options,
                                 const Addressing& addressing, port::Port& port, port::FramePool& pool,
                                 Events& events)
    : PacketTransport(now, options, ConnectionNames(addressing, options.capacity), {}, addressing.sources(),
                      port, pool, events) {}

PacketTransport::PacketTransport(Instant now, const PacketTransportOptions& options,
                                 const std::vector<SocketAddress>& listen, port::Port& port,
                                 port::FramePool& pool, Events& events)
    : PacketTransport(now, options, ConnectionNames(options.capacity, options.key), listen,
                      addresses_of(listen), port, pool, events) {}

bool PacketTransport::turn(Instant now) {
    const std::size_t received = network_.receive(now);
    network_.on_timer(now);
    const std::size_t fired = run_timers(now);
    const std::uint64_t before = network_.totals().frames_out;
    network_.flush();
    return received + fired != 0 || network_.totals().frames_out != before;
}

void PacketTransport::rest(Instant now, Duration at_most) {
    if (network_.flush()) at_most = std::min(at_most, kNap);  // the port's queue is full
    const Instant due = std::min(timers_.next_wakeup(), network_.next_deadline());
    Duration rest = due <= now ? Duration::zero() : std::min(at_most, due - now);
    if (handles_.empty()) rest = std::min(rest, kNap);
    if (rest <= Duration::zero()) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(rest);
    const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (rest - seconds).count()};
    if (ppoll(handles_.data(), handles_.size(), &timeout, nullptr) <= 0) return;
    for (const pollfd& handle : handles_) {
        if ((handle.revents & POLLERR) == 0) continue;
        // An interface that went down leaves an error on its socket until it is fetched.
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(handle.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
}

Transport::Totals PacketTransport::totals() const {
    Totals totals = totals_;
    totals.packets_in = network_.totals().frames_in;
    totals.packets_out = network_.totals().frames_out;
    totals.dropped = network_.totals().dropped;
    totals.memory_bytes = cells_used_ * sizeof(ConnectionCell) + names_.memory_bytes() +
                          places_used_ * (sizeof(Awake) + flow::TimerWheel::kBytesPerTimer) + endpoint_bytes_;
    return totals;
}

// --- from below ---

void PacketTransport::on_burst(std::span<const FourTuple> tuples) {
    std::array<std::uint32_t, kTogether> guessed;
    const std::span<std::uint32_t> ids = std::span(guessed).first(std::min(tuples.size(), kTogether));
    names_.guess(tuples.first(ids.size()), ids);
    for (const std::uint32_t id : ids) {
        if (id != ConnectionNames::kNobody) __builtin_prefetch(&cells_[id], 1);
    }
    const auto is_awake = [&](std::uint32_t id) {
        return id != ConnectionNames::kNobody && cells_[id].phase() == ConnectionCell::Phase::Awake;
    };
    for (const std::uint32_t id : ids) {
        if (is_awake(id)) awake_.prefetch(cells_[id].place());
    }
    for (const std::uint32_t id : ids) {
        if (is_awake(id)) awake_[cells_[id].place()].endpoint.prefetch();
    }
}

void PacketTransport::on_segment(Instant now, const FourTuple& tuple, const tcp::Segment& segment) {
    const auto id = names_.find(tuple);
    if (!id || cells_[*id].phase() == ConnectionCell::Phase::Free) {
        const bool opens = segment.flags.syn && !segment.flags.ack && !segment.flags.rst;
        if (opens && listen_.contains(tuple.local)) return accept(now, tuple, segment);
        return refuse(now, tuple, segment);
    }
    if (begins_anew(*id, segment)) return accept(now, tuple, segment);
    const std::uint32_t place = wake(now, *id);
    Awake& a = awake_[place];
    Wire wire(*this, now, *id);
    a.endpoint.on_segment(now, segment, wire);
    if (a.limit != kNever && a.told_open) a.limit = now + options_.close_limit;
    settle(now, place);
}

// A SYN for an accepted tuple whose last connection only waits for stragglers (RFC 6191).
bool PacketTransport::begins_anew(Id id, const tcp::Segment& segment) {
    if (!segment.flags.syn || segment.flags.ack || segment.flags.rst || !names_.accepts()) return false;
    if (cells_[id].phase() != ConnectionCell::Phase::Awake) return false;
    const std::uint32_t place = cells_[id].place();
    Awake& a = awake_[place];
    if (a.endpoint.state() != tcp::State::TimeWait || a.in_hand) return false;
    const tcp::Endpoint::Position last = a.endpoint.position();
    const auto stamp = last.timestamps ? std::optional(last.last_timestamp_received) : std::nullopt;
    if (!tcp::begins_later(segment, last.receive_next, stamp)) return false;
    release(a);
    erase(place);
    return true;
}

void PacketTransport::accept(Instant now, const FourTuple& tuple, const tcp::Segment& syn) {
    const auto id = names_.add(tuple);
    if (!id) {
        ++totals_.turned_away;
        return network_.count_dropped();
    }
    tcp::Endpoint endpoint(endpoint_options(*id));
    endpoint.listen(first_sequence(now, *id));
    const std::uint32_t place = make(*id, std::move(endpoint));
    Awake& a = awake_[place];
    a.limit = now + options_.connect_limit;
    Wire wire(*this, now, *id);
    a.endpoint.on_segment(now, syn, wire);
    settle(now, place);
}

void PacketTransport::refuse(Instant now, const FourTuple& tuple, const tcp::Segment& segment) {
    network_.count_dropped();
    const auto reset = tcp::reset_for(segment);
    if (reset && resets_.take(now)) network_.send(now, tuple, *reset);
}

// It ends an attempt only: what is open waits for better times (RFC 1122 section 4.2.3.9).
void PacketTransport::on_unreachable(Instant now, const FourTuple& tuple, tcp::Seq sequence) {
    const auto id = names_.find(tuple);
    if (!id || cells_[*id].phase() != ConnectionCell::Phase::Awake) return;
    const std::uint32_t place = cells_[*id].place();
    Awake& a = awake_[place];
    const tcp::State state = a.endpoint.state();
    if (state != tcp::State::SynSent && state != tcp::State::SynReceived) return;
    if (a.endpoint.position().send_unacked != sequence) return;
    end(now, a, End::Unreachable);
    settle(now, place);
}

void PacketTransport::on_too_big(Instant now, const FourTuple& tuple, tcp::Seq sequence, std::uint32_t mtu) {
    const auto id = names_.find(tuple);
    if (!id || cells_[*id].phase() != ConnectionCell::Phase::Awake) return;
    const std::uint32_t place = cells_[*id].place();
    Awake& a = awake_[place];
    const tcp::Endpoint::Position at = a.endpoint.position();
    if (!sequence.in_window(at.send_unacked, at.send_next.since(at.send_unacked))) return;
    const IpFamily family = names_.family(*id);
    if (mtu <= wire::tcpip_header_size(family) || mtu > 0xffff) return;
    Wire sender(*this, now, *id);
    a.endpoint.on_path_mss(now, wire::mss_of(family, static_cast<std::uint16_t>(mtu)), sender);
    settle(now, place);
}

std::size_t PacketTransport::run_timers(Instant now) {
    std::size_t fired = 0;
    do {
        due_.clear();
        timers_.advance(
            now,
            [&](std::uint32_t place) {
                awake_.prefetch(place);
                due_.push_back(place);
            },
            kTogether);
        for (const std::uint32_t place : due_) {
            __builtin_prefetch(&cells_[awake_[place].id], 1);
            awake_[place].endpoint.prefetch();
        }
        // What happens to one may end another; where that has a new owner, a call too early does no harm.
        for (const std::uint32_t place : due_) {
            if (awake_.contains(place)) on_due(now, place);
        }
        fired += due_.size();
    } while (due_.size() == kTogether);
    return fired;
}

void PacketTransport::on_due(Instant now, std::uint32_t place) {
    Awake& a = awake_[place];
    Wire wire(*this, now, a.id);
    if (!a.over && now >= a.limit) {
        if (a.told_open || names_.accepts()) a.endpoint.abort(now, wire);
        end(now, a, End::TimedOut);
    } else {
        a.endpoint.on_timer(now, wire);
        if (wire.unreachable && a.endpoint.state() == tcp::State::SynSent) end(now, a, End::Unreachable);
    }
    settle(now, place);
}

void PacketTransport::Wire::send(const tcp::Segment& segment) {
    if (!transport.network_.send(now, tuple, segment)) unreachable = true;
}

}  // namespace sluice::load
