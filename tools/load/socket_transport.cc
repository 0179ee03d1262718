#include "socket_transport.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sockets.h"

namespace sluice::load {
namespace {

constexpr std::size_t kScratch = std::size_t{64} * 1024;
constexpr std::size_t kDueInATurn = 1024;

}  // namespace

std::unique_ptr<SocketTransport> SocketTransport::make(const SocketOptions& options, Events& events,
                                                       Instant now, std::string& error) {
    raise_file_limit();
    if (options.capacity == 0 || options.capacity >= 0x7fffffff) {
        error = "the number of connections is not within 1 to 2147483646";
        return nullptr;
    }
    if (options.targets.empty() == options.listen.empty()) {
        error = "sockets need addresses either to connect to or to listen on";
        return nullptr;
    }
    std::unique_ptr<SocketTransport> transport(new SocketTransport(options, events, now));
    if (!transport->set_up(error)) return nullptr;
    return transport;
}

SocketTransport::SocketTransport(const SocketOptions& options, Events& events, Instant now)
    : options_(options),
      events_(events),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      connections_(options.capacity),
      timers_(options.capacity + 1, now),
      scratch_(std::min(kScratch, options.receive_limit)) {}

bool SocketTransport::set_up(std::string& error) {
    if (epoll_ < 0) {
        error = "cannot watch sockets: " + error_text(errno);
        return false;
    }
    return check_sources(error) && listeners_.open(options_.listen, epoll_, options_.capacity, error);
}

bool SocketTransport::check_sources(std::string& error) const {
    for (const IpAddress& source : options_.sources) {
        if (source.is_unspecified()) continue;
        for (const SocketAddress& target : options_.targets) {
            if (target.address.family() == source.family()) continue;
            error = "cannot connect from " + source.to_string() + " to " + target.to_string() +
                    ": the families differ";
            return false;
        }
        if (const int fault = source_fault(source); fault != 0) {
            error = "cannot connect from " + source.to_string() + ": " + error_text(fault);
            return false;
        }
    }
    return true;
}

SocketTransport::~SocketTransport() {
    for (const Connection& c : connections_) {
        if (c.socket >= 0) close_with_reset(c.socket);
    }
    if (epoll_ >= 0) ::close(epoll_);
}

bool SocketTransport::open(Instant now, Id id) {
    if (options_.targets.empty() || id >= options_.capacity || in_use(id)) return false;
    const std::size_t sources = std::max<std::size_t>(options_.sources.size(), 1);
    const SocketAddress& target = options_.targets[id / sources % options_.targets.size()];
    const Made made =
        connecting_socket(options_.sources.empty() ? IpAddress{} : options_.sources[id % sources], target);
    if (made.socket < 0 && is_shortage(made.error)) return false;
    if (!begin(id, made.socket, target, Phase::Connecting)) return false;
    // Told in the next turn: a user that tries again at once would come back to here.
    if (made.socket < 0) {
        fail(now, id, end_of(made.error), now);
    } else {
        timers_.arm(id, now + options_.connect_timeout);
    }
    return true;
}

// False, and the socket closed, when it cannot be watched.
bool SocketTransport::begin(Id id, int socket, const SocketAddress& remote, Phase phase) {
    Connection& c = connections_[id];
    const std::uint32_t events = phase == Phase::Open ? EPOLLIN : EPOLLOUT;
    if (socket >= 0 && !watch_socket(epoll_, EPOLL_CTL_ADD, socket, events, tag(id))) {
        close_with_reset(socket);
        return false;
    }
    c.socket = socket;
    c.remote = remote;
    c.phase = phase;
    c.watched = static_cast<std::uint8_t>(events);
    used_ = std::max(used_, id + 1);
    ++totals_.connections;
    return true;
}

bool SocketTransport::send(Instant now, Id id, ByteView bytes) {
    if (!in_use(id)) return false;
    Connection& c = connections_[id];
    if (c.phase != Phase::Open || c.closed) return false;
    if (c.outgoing) {
        if (c.outgoing->size() + bytes.size() > options_.send_limit) return false;
        store(c.outgoing, bytes);
        return true;
    }
    const std::size_t sent = write(now, id, bytes);
    if (!c.failed && sent < bytes.size()) {
        store(c.outgoing, bytes.subspan(sent));
        watch(now, id);
    }
    return true;
}

void SocketTransport::close(Instant now, Id id) {
    if (!in_use(id)) return;
    Connection& c = connections_[id];
    if (c.closed) return;
    c.closed = true;
    if (c.phase != Phase::Open) return;
    timers_.arm(id, now + options_.close_timeout);
    if (!c.outgoing) finish_sending(id);
}

void SocketTransport::abort(Instant now, Id id) {
    if (in_use(id)) end(now, id, End::Aborted);
}

FourTuple SocketTransport::tuple(Id id) const {
    const Connection& c = connections_[id];
    return {c.socket >= 0 ? local_address(c.socket) : SocketAddress{}, c.remote};
}

bool SocketTransport::turn(Instant now) {
    resume_listeners();
    const int n = ::epoll_wait(epoll_, ready_.data(), static_cast<int>(ready_.size()), 0);
    for (int i = 0; i < n; ++i) {
        const ::epoll_event& event = ready_[static_cast<std::size_t>(i)];
        on_event(now, event.data.u64, event.events);
    }
    const std::size_t due = timers_.advance(
        now, [&](std::uint32_t timer) { on_due(now, timer); }, kDueInATurn);
    return n > 0 || due > 0;
}

// poll() of the epoll itself: it takes no event away, and knows nanoseconds.
void SocketTransport::rest(Instant now, Duration at_most) {
    resume_listeners();
    const Instant wakeup = timers_.next_wakeup();
    const Duration wait = wakeup == kNever ? at_most : std::min(at_most, wakeup - now);
    if (wait <= Duration::zero()) return;
    const auto seconds = std::chrono::floor<std::chrono::seconds>(wait);
    const ::timespec limit{.tv_sec = seconds.count(), .tv_nsec = (wait - seconds).count()};
    ::pollfd handle{.fd = epoll_, .events = POLLIN, .revents = 0};
    ::ppoll(&handle, 1, &limit, nullptr);  // cut short by a signal: a shorter rest
}

Transport::Totals SocketTransport::totals() const {
    Totals totals = totals_;
    totals.memory_bytes = connections_.size() * sizeof(Connection) + free_ids_.capacity() * sizeof(Id) +
                          std::uint64_t{used_} * flow::TimerWheel::kBytesPerTimer + queue_bytes_;
    return totals;
}

bool SocketTransport::wants_bytes(const Connection& c) const {
    return !c.peer_closed && (!c.incoming || c.incoming->size() < options_.receive_limit);
}

// What epoll is to tell of an open connection.
void SocketTransport::watch(Instant now, Id id) {
    Connection& c = connections_[id];
    const std::uint32_t wanted = (wants_bytes(c) ? EPOLLIN : 0U) | (c.outgoing ? EPOLLOUT : 0U);
    if (wanted == c.watched) return;
    c.watched = static_cast<std::uint8_t>(wanted);
    if (!watch_socket(epoll_, EPOLL_CTL_MOD, c.socket, wanted, tag(id))) fail(now, id, End::Reset, now);
}

// At told_at at the latest; before, as soon as the kernel tells of it and all that came before is delivered.
void SocketTransport::fail(Instant now, Id id, End how, Instant told_at) {
    Connection& c = connections_[id];
    if (c.failed) return;
    c.failed = true;
    c.failure = how;
    discard(c.outgoing);
    timers_.arm(id, std::max(now, told_at));
}

void SocketTransport::end(Instant now, Id id, End how) {
    const int socket = connections_[id].socket;
    if (socket >= 0) {
        if (how == End::Aborted || how == End::TimedOut) {
            close_with_reset(socket);
        } else {
            ::close(socket);
        }
    }
    release(id);
    events_.on_end(now, id, how);
}

void SocketTransport::release(Id id) {
    Connection& c = connections_[id];
    timers_.cancel(id);
    discard(c.incoming);
    discard(c.outgoing);
    const std::uint32_t generation = c.generation + 1;
    c = Connection{};
    c.generation = generation;
    --totals_.connections;
    if (!options_.listen.empty()) free_ids_.push_back(id);
    resume_due_ = listeners_.paused();
}

}  // namespace sluice::load
