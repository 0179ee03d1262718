#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "socket_transport.h"
#include "sockets.h"

namespace sluice::load {
namespace {

// Of one socket before the others get their turn.
constexpr int kAcceptsAtOnce = 256;
constexpr int kReadsAtOnce = 4;
// So long nobody is accepted when files are lacking and none of ours is closed.
constexpr Duration kShortagePause = 100ms;

}  // namespace

void SocketTransport::on_event(Instant now, std::uint64_t tag, std::uint32_t events) {
    const auto id = static_cast<Id>(tag);
    if (id >= options_.capacity) {
        accept(now, id - options_.capacity);
        return;
    }
    const auto generation = static_cast<std::uint32_t>(tag >> 32U);
    if (!is_still(id, generation)) return;  // ended by an event before this one
    Connection& c = connections_[id];
    if (c.phase == Phase::Connecting) {
        on_connected(now, id);
        if (!is_still(id, generation)) return;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        if (wants_bytes(c)) {
            read(now, id);
        } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
            on_hang_up(now, id);
        }
        if (!is_still(id, generation)) return;
    }
    if ((events & EPOLLOUT) != 0 && c.outgoing) flush(now, id);
}

void SocketTransport::on_due(Instant now, std::uint32_t timer) {
    if (timer == options_.capacity) {
        resume_due_ = listeners_.paused();
        return;
    }
    const Connection& c = connections_[timer];
    end(now, timer, c.failed ? c.failure : End::TimedOut);
}

void SocketTransport::accept(Instant now, std::size_t listener) {
    for (int n = 0; n < kAcceptsAtOnce && !listeners_.paused(); ++n) {
        if (free_ids_.empty() && used_ == options_.capacity) {
            listeners_.pause();
            return;
        }
        const SocketListeners::Acceptance arrival = listeners_.accept(listener);
        bool shortage = false;
        switch (arrival.outcome) {
            case SocketListeners::Outcome::Accepted: shortage = !admit(now, arrival); break;
            case SocketListeners::Outcome::Lost: break;
            case SocketListeners::Outcome::Nobody: return;
            case SocketListeners::Outcome::Shortage: shortage = true; break;
        }
        if (shortage) {
            listeners_.pause();
            timers_.arm(options_.capacity, now + kShortagePause);
        }
    }
}

bool SocketTransport::admit(Instant now, const SocketListeners::Acceptance& arrival) {
    send_without_delay(arrival.socket);
    const Id id = free_ids_.empty() ? used_ : free_ids_.back();
    if (!begin(id, arrival.socket, arrival.remote, Phase::Open)) {
        ++totals_.dropped;
        return false;
    }
    if (!free_ids_.empty()) free_ids_.pop_back();
    events_.on_open(now, id);
    return true;
}

void SocketTransport::resume_listeners() {
    if (!resume_due_) return;
    resume_due_ = false;
    timers_.cancel(options_.capacity);
    listeners_.resume();
}

void SocketTransport::on_connected(Instant now, Id id) {
    Connection& c = connections_[id];
    if (const int error = take_error(c.socket); error != 0) {
        end(now, id, end_of(error));
        return;
    }
    timers_.cancel(id);
    c.phase = Phase::Open;
    watch(now, id);
    const bool closed_before = c.closed;
    const std::uint32_t generation = c.generation;
    events_.on_open(now, id);
    if (!closed_before || !is_still(id, generation)) return;
    timers_.arm(id, now + options_.close_timeout);
    finish_sending(id);
}

void SocketTransport::read(Instant now, Id id) {
    Connection& c = connections_[id];
    const std::uint32_t generation = c.generation;
    for (int n = 0; n < kReadsAtOnce; ++n) {
        const std::size_t room = options_.receive_limit - (c.incoming ? c.incoming->size() : 0);
        const std::size_t asked = std::min(room, scratch_.size());
        const ::ssize_t got = ::recv(c.socket, scratch_.data(), asked, 0);
        if (got < 0) {
            const int error = errno;
            if (!would_block(error)) end(now, id, c.failed ? c.failure : end_of(error));
            return;
        }
        if (got == 0) {
            on_peer_closed(now, id);
            return;
        }
        const auto size = static_cast<std::size_t>(got);
        ++totals_.packets_in;
        totals_.bytes_in += size;
        renew_limit(now, id);
        deliver(now, id, ByteView(scratch_).first(size));
        // Less than was asked for: nothing is left, most likely; else epoll tells.
        if (!is_still(id, generation) || size < asked || !wants_bytes(c)) return;
    }
}

void SocketTransport::deliver(Instant now, Id id, ByteView fresh) {
    Connection& c = connections_[id];
    const std::uint32_t generation = c.generation;
    // In our hands meanwhile, so that the bytes outlive the connection if on_bytes() ends it.
    std::unique_ptr<ByteQueue> kept = std::move(c.incoming);
    if (kept) store(kept, fresh);
    const ByteView all = kept ? kept->bytes() : fresh;
    const std::size_t taken = std::min(events_.on_bytes(now, id, all), all.size());
    if (taken == all.size() || !is_still(id, generation)) {
        discard(kept);
    } else if (kept) {
        kept->drop(taken);
    } else {
        store(kept, fresh.subspan(taken));
    }
    if (!is_still(id, generation)) return;
    c.incoming = std::move(kept);
    watch(now, id);
}

void SocketTransport::on_peer_closed(Instant now, Id id) {
    Connection& c = connections_[id];
    c.peer_closed = true;
    if (c.failed || !c.outgoing) {
        end(now, id, c.failed ? c.failure : End::Finished);
        return;
    }
    timers_.arm(id, now + options_.close_timeout);
    watch(now, id);
}

// Of a connection that is not read from: because it takes no bytes, or because the other side closed it.
void SocketTransport::on_hang_up(Instant now, Id id) {
    const Connection& c = connections_[id];
    const int error = take_error(c.socket);
    // In order if both sides have closed: the hang-up then means that their FIN is there too.
    End how = c.fin_sent ? End::Finished : End::Reset;
    if (error != 0) how = end_of(error);
    if (c.failed) how = c.failure;
    end(now, id, how);
}

// Returns how much the kernel took. What it never will is a failure.
std::size_t SocketTransport::write(Instant now, Id id, ByteView bytes) {
    Connection& c = connections_[id];
    if (c.failed || bytes.empty()) return 0;
    const ::ssize_t sent = ::send(c.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
        const int error = errno;
        if (!would_block(error)) fail(now, id, end_of(error), now + options_.close_timeout);
        return 0;
    }
    ++totals_.packets_out;
    totals_.bytes_out += static_cast<std::size_t>(sent);
    return static_cast<std::size_t>(sent);
}

void SocketTransport::flush(Instant now, Id id) {
    Connection& c = connections_[id];
    const std::size_t sent = write(now, id, c.outgoing->bytes());
    if (c.failed) {
        watch(now, id);
        return;
    }
    if (sent == 0) return;
    c.outgoing->drop(sent);
    renew_limit(now, id);
    if (c.outgoing->size() > 0) return;
    discard(c.outgoing);
    if (c.peer_closed) {
        end(now, id, End::Finished);
        return;
    }
    watch(now, id);
    if (c.closed) finish_sending(id);
}

void SocketTransport::finish_sending(Id id) {
    Connection& c = connections_[id];
    c.fin_sent = true;
    ::shutdown(c.socket, SHUT_WR);  // fails only of what was reset, which epoll tells as well
}

// The other side is not silent: a connection about to end has time again.
void SocketTransport::renew_limit(Instant now, Id id) {
    const Connection& c = connections_[id];
    if ((c.closed || c.peer_closed) && !c.failed) timers_.arm(id, now + options_.close_timeout);
}

void SocketTransport::store(std::unique_ptr<ByteQueue>& queue, ByteView bytes) {
    if (!queue) {
        queue = std::make_unique<ByteQueue>();
    } else {
        queue_bytes_ -= queue->memory_bytes();
    }
    queue->append(bytes);
    queue_bytes_ += queue->memory_bytes();
}

void SocketTransport::discard(std::unique_ptr<ByteQueue>& queue) {
    if (queue) queue_bytes_ -= queue->memory_bytes();
    queue.reset();
}

}  // namespace sluice::load
