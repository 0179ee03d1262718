#include "socket_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "socket_address.h"

namespace sluice::load {
namespace {

constexpr std::uint64_t kListenerMark = 0xffffffff;  // in place of a connection's number
constexpr int kEventsAtOnce = 256;
constexpr int kAcceptsAtOnce = 64;
constexpr int kBacklog = 65535;

std::uint64_t event_key(Id id, std::uint32_t generation) { return std::uint64_t{generation} << 32U | id; }

End end_of(int error) {
    switch (error) {
        case ECONNREFUSED: return End::Refused;
        case ETIMEDOUT: return End::TimedOut;
        case EHOSTUNREACH:
        case ENETUNREACH: return End::Unreachable;
        default: return End::Reset;
    }
}

void raise_file_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

SocketTransport::SocketTransport(const SocketOptions& options, Events& events, Instant start)
    : options_(options),
      events_(events),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      connections_(options.capacity),
      timers_(options.capacity, start),
      scratch_(std::make_unique<std::array<std::byte, 64 * 1024>>()) {}

std::unique_ptr<SocketTransport> SocketTransport::make(const SocketOptions& options, Events& events,
                                                       Instant start, std::string& error) {
    raise_file_limit();
    std::unique_ptr<SocketTransport> transport(new SocketTransport(options, events, start));
    if (transport->epoll_ < 0) error = std::string("no epoll to be had: ") + std::strerror(errno);
    for (const SocketAddress& address : options.listen) {
        if (error.empty()) error = transport->listen_on(address);
    }
    return error.empty() ? std::move(transport) : nullptr;
}

SocketTransport::~SocketTransport() {
    for (const Connection& connection : connections_) {
        if (connection.fd >= 0) ::close(connection.fd);
    }
    for (const int fd : listeners_) ::close(fd);
    if (epoll_ >= 0) ::close(epoll_);
}

// --- accepting

std::string SocketTransport::listen_on(const SocketAddress& address) {
    const auto fault = [&] {
        return "cannot listen on " + address.to_string() + ": " + std::strerror(errno);
    };
    const KernelAddress wanted(address);
    const int fd = ::socket(wanted.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return fault();
    listeners_.push_back(fd);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (::bind(fd, wanted.get(), wanted.size()) != 0 || ::listen(fd, kBacklog) != 0) return fault();
    listening_.push_back(local_address(fd));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = (listeners_.size() - 1) << 32U | kListenerMark;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return fault();
    return {};
}

std::optional<Id> SocketTransport::free_id() {
    if (!free_.empty()) {
        const Id id = free_.back();
        free_.pop_back();
        return id;
    }
    if (fresh_ == options_.capacity) return std::nullopt;
    return fresh_++;
}

void SocketTransport::accept_from(Instant now, std::size_t listener) {
    for (int n = 0; n < kAcceptsAtOnce; ++n) {
        const auto id = free_id();
        if (!id) return pause_accepting(true);
        const int fd = ::accept4(listeners_[listener], nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            const int error = errno;
            free_.push_back(*id);
            // Without files or memory nothing changes until a connection ends.
            if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
                pause_accepting(true);
            if (error == ECONNABORTED || error == EINTR) continue;
            return;
        }
        adopt(now, *id, fd, State::Open);
        events_.on_open(now, *id);
    }
}

void SocketTransport::pause_accepting(bool pause) {
    if (accepting_ == !pause) return;
    accepting_ = !pause;
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
        epoll_event event{};
        event.events = pause ? 0U : std::uint32_t{EPOLLIN};
        event.data.u64 = i << 32U | kListenerMark;
        epoll_ctl(epoll_, EPOLL_CTL_MOD, listeners_[i], &event);
    }
}

// --- opening

void SocketTransport::adopt(Instant now, Id id, int fd, State state) {
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    Connection& connection = connections_[id];
    connection = {.fd = fd, .generation = connection.generation + 1, .state = state, .waiting = nullptr};
    ++totals_.connections;
    epoll_event event{};
    event.events = state == State::Connecting ? EPOLLOUT : EPOLLIN;
    event.data.u64 = event_key(id, connection.generation);
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    if (state == State::Connecting) timers_.arm(id, now + options_.connect_timeout);
}

bool SocketTransport::open(Instant now, Id id) {
    const KernelAddress target(options_.targets[id % options_.targets.size()]);
    const int fd = ::socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    if (!options_.sources.empty()) {
        const KernelAddress source({options_.sources[id % options_.sources.size()], 0});
        // The port is chosen at connect(), so that one port serves towards several targets.
        set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (::bind(fd, source.get(), source.size()) != 0) {
            ::close(fd);
            return false;
        }
    }
    if (::connect(fd, target.get(), target.size()) != 0 && errno != EINPROGRESS) {
        const int error = errno;
        if (error == EADDRNOTAVAIL || error == EAGAIN || error == ENOBUFS) {
            ::close(fd);
            return false;
        }
        adopt(now, id, fd, State::Connecting);
        end(now, id, end_of(error));
        return true;
    }
    adopt(now, id, fd, State::Connecting);
    return true;
}

void SocketTransport::on_connected(Instant now, Id id) {
    Connection& connection = connections_[id];
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return end(now, id, end_of(error));
    connection.state = State::Open;
    timers_.cancel(id);
    watch(id);
    events_.on_open(now, id);
}

// --- bytes

// Tells epoll what is waited for now.
void SocketTransport::watch(Id id) {
    Connection& connection = connections_[id];
    connection.writing = connection.waiting && connection.waiting->sent < connection.waiting->out.size();
    epoll_event event{};
    if (connection.reading) event.events |= EPOLLIN;
    if (connection.writing) event.events |= EPOLLOUT;
    event.data.u64 = event_key(id, connection.generation);
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
}

bool SocketTransport::send(Instant, Id id, ByteView bytes) {
    Connection& connection = connections_[id];
    std::size_t sent = 0;
    if (!connection.writing) {
        const ssize_t n = ::send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        // An error is told once more by epoll, which ends the connection.
        if (n < 0 && errno != EAGAIN) return true;
        sent = n < 0 ? 0 : static_cast<std::size_t>(n);
        totals_.bytes_out += sent;
        ++totals_.packets_out;
        if (sent == bytes.size()) return true;
        if (!connection.waiting) connection.waiting = std::make_unique<Waiting>();
    }
    Waiting& waiting = *connection.waiting;
    const std::size_t behind = waiting.out.size() - waiting.sent;
    // What was begun is taken whole.
    if (sent == 0 && behind + bytes.size() > options_.send_limit) return false;
    waiting.out.erase(waiting.out.begin(), waiting.out.begin() + static_cast<std::ptrdiff_t>(waiting.sent));
    waiting.sent = 0;
    waiting.out.insert(waiting.out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(sent), bytes.end());
    if (!connection.writing) watch(id);
    return true;
}

void SocketTransport::flush(Instant now, Id id) {
    Connection& connection = connections_[id];
    if (!connection.waiting) return;
    Waiting& waiting = *connection.waiting;
    if (waiting.sent < waiting.out.size()) {
        const ssize_t n = ::send(connection.fd, waiting.out.data() + waiting.sent,
                                 waiting.out.size() - waiting.sent, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN ? void() : end(now, id, end_of(errno));
        waiting.sent += static_cast<std::size_t>(n);
        totals_.bytes_out += static_cast<std::uint64_t>(n);
        ++totals_.packets_out;
        if (waiting.sent < waiting.out.size()) return;
    }
    waiting.out.clear();
    waiting.sent = 0;
    if (waiting.in.empty()) connection.waiting.reset();
    watch(id);
    finish_closing(now, id);
}

void SocketTransport::read(Instant now, Id id) {
    Connection& connection = connections_[id];
    const ssize_t n = ::recv(connection.fd, scratch_->data(), scratch_->size(), 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? void() : end(now, id, end_of(errno));
    if (n == 0) {
        connection.peer_closed = true;
        connection.reading = false;
        watch(id);
        return finish_closing(now, id);
    }
    ++totals_.packets_in;
    totals_.bytes_in += static_cast<std::uint64_t>(n);
    deliver(now, id, ByteView(scratch_->data(), static_cast<std::size_t>(n)));
}

void SocketTransport::deliver(Instant now, Id id, ByteView fresh) {
    Connection& connection = connections_[id];
    const std::uint32_t generation = connection.generation;
    const bool kept = connection.waiting && !connection.waiting->in.empty();
    // Taken out, because the callee may end the connection, and with it what it is looking at.
    std::vector<std::byte> bytes;
    if (kept) {
        bytes = std::move(connection.waiting->in);
        connection.waiting->in.clear();
        bytes.insert(bytes.end(), fresh.begin(), fresh.end());
        fresh = bytes;
    }
    const std::size_t taken = events_.on_bytes(now, id, fresh);
    if (!still(id, generation)) return;
    const ByteView rest = fresh.subspan(std::min(taken, fresh.size()));
    if (rest.empty()) {
        if (kept && connection.waiting->out.empty()) connection.waiting.reset();
        return;
    }
    if (!connection.waiting) connection.waiting = std::make_unique<Waiting>();
    connection.waiting->in.assign(rest.begin(), rest.end());
    if (rest.size() < options_.receive_limit) return;
    connection.reading = false;
    watch(id);
}

// --- ending

void SocketTransport::close(Instant now, Id id) {
    Connection& connection = connections_[id];
    switch (connection.state) {
        case State::Free:
        case State::Closing: return;
        case State::Connecting: return abort(now, id);
        case State::Open: break;
    }
    connection.state = State::Closing;
    timers_.arm(id, now + options_.close_timeout);
    finish_closing(now, id);
}

// Goes on with a close once all is sent; it is over when the other side has closed as well.
void SocketTransport::finish_closing(Instant now, Id id) {
    Connection& connection = connections_[id];
    if (connection.writing) return;
    if (connection.peer_closed) return end(now, id, End::Finished);
    if (connection.state != State::Closing || connection.shut) return;
    connection.shut = true;
    ::shutdown(connection.fd, SHUT_WR);
}

void SocketTransport::abort(Instant now, Id id) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(connections_[id].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    end(now, id, End::Aborted);
}

void SocketTransport::end(Instant now, Id id, End why) {
    Connection& connection = connections_[id];
    ::close(connection.fd);  // epoll forgets it
    connection.fd = -1;
    connection.state = State::Free;
    connection.waiting.reset();
    timers_.cancel(id);
    --totals_.connections;
    if (!listeners_.empty()) {
        free_.push_back(id);
        pause_accepting(false);
    }
    events_.on_end(now, id, why);
}

// --- turns

void SocketTransport::on_event(Instant now, Id id, std::uint32_t events) {
    const std::uint32_t generation = connections_[id].generation;
    if (connections_[id].state == State::Connecting) return on_connected(now, id);
    if ((events & EPOLLOUT) != 0) flush(now, id);
    if (!still(id, generation)) return;
    // A reset is told as an error; where nothing is read any more, nobody else would hear of it.
    const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if ((events & EPOLLIN) != 0 && connections_[id].reading) return read(now, id);
    if (broken) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(connections_[id].fd, SOL_SOCKET, SO_ERROR, &error, &size);
        end(now, id, error == 0 && connections_[id].peer_closed ? End::Finished : end_of(error));
    }
}

bool SocketTransport::turn(Instant now) {
    std::array<epoll_event, kEventsAtOnce> ready;
    const int n = epoll_wait(epoll_, ready.data(), kEventsAtOnce, 0);
    for (int i = 0; i < n; ++i) {
        const epoll_event& event = ready[static_cast<std::size_t>(i)];
        const auto id = static_cast<Id>(event.data.u64);
        const auto generation = static_cast<std::uint32_t>(event.data.u64 >> 32U);
        if (id == kListenerMark) {
            accept_from(now, generation);
        } else if (still(id, generation)) {
            on_event(now, id, event.events);
        }
    }
    const std::size_t fired = timers_.advance(now, [&](std::uint32_t id) {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        setsockopt(connections_[id].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        end(now, id, End::TimedOut);
    });
    return n > 0 || fired > 0;
}

// What has arrived stays where it is for the next turn.
void SocketTransport::rest(Instant now, Duration at_most) {
    const Instant wakeup = timers_.next_wakeup();
    if (wakeup != kNever) at_most = std::min(at_most, std::max(wakeup - now, Duration::zero()));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at_most);
    const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (at_most - seconds).count()};
    pollfd handle{.fd = epoll_, .events = POLLIN, .revents = 0};
    ppoll(&handle, 1, &timeout, nullptr);
}

FourTuple SocketTransport::tuple(Id id) const {
    return {.local = local_address(connections_[id].fd), .remote = remote_address(connections_[id].fd)};
}

Transport::Totals SocketTransport::totals() const {
    Totals totals = totals_;
    totals.memory_bytes = connections_.size() * (sizeof(Connection) + flow::TimerWheel::kBytesPerTimer);
    return totals;
}

}  // namespace sluice::load
