#include "worker/model/end.h"

#include <algorithm>
#include <sstream>

namespace sluice::test {

End::End(const Script& played, bool is_client, const FourTuple& ends, Instant began, Instant now,
         tcp::Seq first, Send out)
    : script(played),
      part(is_client ? script.client : script.broker),
      tuple(ends),
      start(began),
      is_client_(is_client),
      send_(std::move(out)),
      endpoint_(part.options),
      first_(first),
      now_(now) {
    if (!is_client) {
        endpoint_.listen(first);
        return;
    }
    if (!script.waits_for_connack) begun_ = start;
    endpoint_.connect(now, first, *this);
}

void End::send(const tcp::Segment& segment) {
    if (silent) return;
    tcp::Segment sent = segment;
    if (part.drops_timestamps && !segment.flags.syn && (coin_ = coin_ * 5 + 1, coin_ % 8 < 4)) {
        sent.options.timestamps.reset();
    }
    send_(tuple, sent);
}

void End::on_segment(Instant now, const tcp::Segment& segment) {
    now_ = now;
    if (silent) return;
    if (segment.flags.syn && !tcp::is_synchronized(endpoint_.state())) peer_first_ = segment.seq;
    endpoint_.on_segment(now, segment, *this);
    act(now);  // what came may make room, or be waited for
}

// What the endpoint knows now.
void End::note() {
    if (forgot || silent) return;
    const bool failed =
        endpoint_.failure() == tcp::Failure::Reset || endpoint_.failure() == tcp::Failure::Refused;
    const bool late = endpoint_.failure() == tcp::Failure::TimedOut;
    if ((failed && !heard_reset) || (late && !timed_out) || (endpoint_.peer_finished() && !heard_fin)) {
        heard_at = std::min(heard_at, now_);
    }
    heard_reset = heard_reset || failed;
    timed_out = timed_out || late;
    heard_fin = heard_fin || endpoint_.peer_finished();
    if (!tcp::is_synchronized(endpoint_.state()) || !peer_first_) return;
    const tcp::Endpoint::Position at = endpoint_.position();
    const std::uint32_t fin = endpoint_.peer_finished() ? 1 : 0;
    const std::uint32_t taken = at.receive_next.since(peer_first_->advance(1)) - fin;
    if (taken > delivered_) deliveries_.emplace_back(now_, taken);
    delivered_ = std::max(delivered_, taken);
    const std::uint32_t told = at.send_unacked.since(first_.advance(1));
    if (told < 0x80000000U) {
        acknowledged_ = std::max(acknowledged_, std::min(told, static_cast<std::uint32_t>(written)));
    }
}

std::uint32_t End::delivered_by(Instant at) const {
    std::uint32_t bytes = 0;
    for (const auto& [when, taken] : deliveries_) {
        if (when <= at) bytes = taken;
    }
    return bytes;
}

void End::act(Instant now) {
    now_ = now;
    if (silent || forgot) return;
    if (endpoint_.next_deadline() <= now) endpoint_.on_timer(now, *this);
    note();
    read();
    if (!is_client_) answer();
    write();
    leave_if_due();
    note();
}

// What opens the conversation is read at once, and after that at this end's own pace.
void End::read() {
    const std::size_t greeting = is_client_ ? 4 : script.connect_size;
    while (endpoint_.readable() != 0 && !orphan) {
        std::size_t most = SIZE_MAX;
        if (received.size() >= greeting && part.read_every != Duration::zero()) {
            if (part.read_most == 0 || now_ < last_read_ + part.read_every) break;
            most = part.read_most;
            last_read_ = now_;
        } else if (received.size() < greeting) {
            most = greeting - received.size();
        }
        const ByteView piece = endpoint_.peek().first(std::min(most, endpoint_.peek().size()));
        received += as_text(piece);
        endpoint_.consume(now_, piece.size(), *this);
    }
    if (is_client_ && begun_ == kNever && received.size() >= greeting) begun_ = now_;
    if (orphan && endpoint_.readable() != 0) leave(Exit::Abort);
}

void End::answer() {
    if (answered || received.size() < script.connect_size || script.connect_size == 0) return;
    if (answer_at_ == kNever) answer_at_ = now_ + script.answer_after;
    if (answer_at_ > now_ || script.answer == Answer::Silence) return;
    answered = true;
    switch (script.answer) {
        case Answer::Close: return leave(Exit::Close);
        case Answer::Abort: return leave(Exit::Abort);
        case Answer::Accept:
        case Answer::Refuse: begun_ = now_; return;
        case Answer::Silence: return;
    }
}

Instant End::time_of(const Part::Write& w) const {
    if (is_client_ && w.until <= script.connect_size) return start + w.at;
    return begun_ == kNever ? kNever : begun_ + w.at;
}

void End::write() {
    std::size_t until = 0;
    for (const Part::Write& w : part.writes) {
        if (time_of(w) <= now_) until = std::max(until, w.until);
    }
    if (left || written >= until) return;
    written +=
        endpoint_.write(now_, as_bytes(std::string_view(part.says).substr(written, until - written)), *this);
    if (script.answer == Answer::Refuse && !is_client_ && written == part.says.size()) leave(Exit::Close);
}

void End::leave(Exit exit) {
    if (!left) left_at = now_;
    left = true;
    if (exit == Exit::Close && endpoint_.readable() != 0) exit = Exit::Abort;
    const bool was_open =
        endpoint_.state() != tcp::State::Closed && endpoint_.state() != tcp::State::TimeWait;
    switch (exit) {
        case Exit::Close: orphan = true; [[fallthrough]];
        case Exit::AwaitPeer:
        case Exit::Shutdown: endpoint_.shutdown(now_, *this); return;
        case Exit::Abort: endpoint_.abort(now_, *this); break;
        case Exit::Vanish: silent = true; break;
        case Exit::Forget:
            forgot = true;
            endpoint_ = tcp::Endpoint(part.options);
            break;
    }
    if (was_open && !rough) rough_at = now_;
    rough = rough || was_open;
}

void End::leave_if_due() {
    if (over()) return;
    if (now_ >= start + part.patience) {
        gave_up = true;
        return leave(Exit::Abort);
    }
    if (left) return;
    if (part.exit == Exit::AwaitPeer) {
        if (endpoint_.at_end()) leave(Exit::AwaitPeer);
        return;
    }
    const bool all_said = written == part.says.size();
    if (part.exit_at == Duration::zero() ? all_said : now_ >= start + part.exit_at) leave(part.exit);
}

bool End::over() const {
    if (silent || forgot) return true;
    // A listener that no SYN has reached is one that nobody came to.
    return endpoint_.state() == tcp::State::Closed || endpoint_.state() == tcp::State::TimeWait;
}

Instant End::next_read() const {
    const bool paced = part.read_every != Duration::zero() && part.read_most != 0 && !orphan;
    return paced && endpoint_.readable() != 0 ? last_read_ + part.read_every : kNever;
}

Instant End::next_due() const {
    if (over()) return kNever;
    Instant next = std::min({endpoint_.next_deadline(), next_read(), start + part.patience});
    if (!answered && script.answer != Answer::Silence) next = std::min(next, answer_at_);
    if (!left && part.exit != Exit::AwaitPeer && part.exit_at != Duration::zero()) {
        next = std::min(next, start + part.exit_at);
    }
    for (const Part::Write& w : part.writes) {
        const Instant at = time_of(w);
        if (!left && w.until > written && at > now_) next = std::min(next, at);
    }
    return next;
}

std::string End::text() const {
    std::ostringstream t;
    t << (is_client_ ? "client" : "broker") << ": wrote " << written << ", acknowledged " << acknowledged_
      << ", took " << delivered_ << ", read " << received.size() << (heard_fin ? ", heard FIN" : "")
      << (heard_reset ? ", heard reset" : "") << (timed_out ? ", timed out" : "")
      << (rough ? ", left roughly" : "") << (left ? ", left" : "") << (gave_up ? ", gave up" : "") << "; "
      << tcp::to_string(endpoint_.state());
    const auto ms = [&](Instant at) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(at - start).count();
    };
    if (left) t << "; left at " << ms(left_at);
    if (heard_at != kNever) t << "; heard at " << ms(heard_at);
    return t.str();
}

}  // namespace sluice::test
