// The life of a client. What is written and read is in swarm_packets.cc.
#include "swarm.h"

#include <algorithm>

#include "sluice/mqtt/writer.h"

namespace sluice::load {
namespace {

std::uint32_t microseconds32(Instant t) {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count());
}

}  // namespace

Swarm::Swarm(const SwarmOptions& options, Instant start)
    : options_(options),
      cells_(options.clients),
      timers_(options.clients, start),
      payload_(options.payload, std::byte{'.'}),
      random_(static_cast<std::uint64_t>(start.time_since_epoch().count()) | 1U) {}

std::uint64_t Swarm::memory_bytes() const {
    return cells_.size() * sizeof(Cell) + timers_.capacity() * flow::TimerWheel::kBytesPerTimer;
}

Duration Swarm::since_begun(Instant now, Id client) const {
    return std::chrono::microseconds(microseconds32(now) - cells_[client].begun);
}

bool Swarm::opening(Phase phase) const {
    return phase == Phase::Opening || phase == Phase::Greeting || phase == Phase::Subscribing;
}

void Swarm::enter(Id client, Phase phase) {
    Cell& cell = cells_[client];
    if (opening(cell.phase)) --tally_.opening;
    if (cell.phase == Phase::Ready) --tally_.connected;
    if (cell.phase == Phase::Leaving) --tally_.leaving;
    cell.phase = phase;
    if (opening(phase)) ++tally_.opening;
    if (phase == Phase::Ready) tally_.peak_connected = std::max(tally_.peak_connected, ++tally_.connected);
    if (phase == Phase::Leaving) ++tally_.leaving;
}

bool Swarm::connect(Instant now, Id client) {
    Cell& cell = cells_[client];
    cell.begun = microseconds32(now);
    cell.pinged = false;
    // Before the call, which may already tell how it went.
    enter(client, Phase::Opening);
    ++tally_.attempts;
    timers_.arm(client, now + options_.connect_timeout);
    if (transport_->open(now, client)) return true;
    timers_.cancel(client);
    --tally_.attempts;
    enter(client, Phase::Idle);
    return false;
}

void Swarm::on_open(Instant now, Id id) {
    tally_.handshake.add(since_begun(now, id));
    enter(id, Phase::Greeting);
    write_connect(id);
    static_cast<void>(say(now, id));
}

bool Swarm::say(Instant now, Id client) {
    if (!transport_->send(now, client, scratch_)) {
        ++tally_.blocked;
        return false;
    }
    cells_[client].spoke = milliseconds32(now);
    return true;
}

std::size_t Swarm::on_bytes(Instant now, Id id, ByteView bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const auto read = mqtt::read_packet_header(bytes.subspan(taken));
        if (std::holds_alternative<mqtt::NeedMore>(read)) break;
        const auto* const header = std::get_if<mqtt::PacketHeader>(&read);
        if (header == nullptr) {
            give_up(now, id, "no MQTT packet");
            return bytes.size();
        }
        const std::size_t size = header->size + header->remaining;
        if (size > transport_->receive_limit()) {
            give_up(now, id, "a packet of " + std::to_string(size) + " bytes");
            return bytes.size();
        }
        if (bytes.size() - taken < size) break;
        on_packet(now, id, *header, bytes.subspan(taken, size));
        // It may have ended the connection, or begun another one under its number.
        const Phase phase = cells_[id].phase;
        if (phase == Phase::Idle || phase == Phase::Away || phase == Phase::Opening) return bytes.size();
        taken += size;
    }
    return taken;
}

void Swarm::ready(Instant now, Id client) {
    enter(client, Phase::Ready);
    if (options_.keep_alive == 0) {
        timers_.cancel(client);
    } else {
        timers_.arm(client, now + std::chrono::seconds(options_.keep_alive));
    }
    watcher_->on_ready(now, client);
}

bool Swarm::publish(Instant now, Id client) {
    Cell& cell = cells_[client];
    // Zero is no packet identifier (section 2.2.1).
    const auto id = static_cast<std::uint16_t>(cell.packet_id == 0xffff ? 1 : cell.packet_id + 1);
    write_message(now, client, id);
    if (!say(now, client)) return false;
    ++tally_.published;
    ++cell.published;
    cell.packet_id = id;
    cell.begun = microseconds32(now);
    if (options_.qos == 0) {
        ++tally_.acknowledged;
        watcher_->on_answered(now, client);
        return true;
    }
    cell.stage = options_.qos == 1 ? Stage::Puback : Stage::Pubrec;
    ++tally_.in_flight;
    return true;
}

void Swarm::answered(Instant now, Id client, bool taken) {
    Cell& cell = cells_[client];
    cell.stage = Stage::None;
    --tally_.in_flight;
    ++(taken ? tally_.acknowledged : tally_.rejected);
    if (taken) tally_.answer.add(since_begun(now, client));
    watcher_->on_answered(now, client);
}

void Swarm::forget_message(Cell& cell) {
    if (cell.stage == Stage::None) return;
    cell.stage = Stage::None;
    --tally_.in_flight;
    ++tally_.unacknowledged;
}

void Swarm::leave(Instant now, Id client) {
    timers_.cancel(client);
    enter(client, Phase::Leaving);
    const auto disconnect = mqtt::write_disconnect();
    scratch_.assign(disconnect.begin(), disconnect.end());
    static_cast<void>(say(now, client));
    transport_->close(now, client);
}

void Swarm::drop(Instant now, Id client) {
    enter(client, Phase::Leaving);
    transport_->abort(now, client);
}

// What the other side says is wrong, so that nothing can be made of what would follow.
void Swarm::give_up(Instant now, Id client, const std::string& why) {
    ++tally_.protocol_errors;
    tally_.last_protocol_error = "client " + std::to_string(client) + ": " + why;
    transport_->abort(now, client);
}

void Swarm::give_up(Instant now, Id client, const char* packet, mqtt::PacketError error) {
    give_up(now, client, std::string(packet) + ": " + mqtt::to_string(error));
}

void Swarm::on_end(Instant now, Id id, End end) {
    Cell& cell = cells_[id];
    const auto kind = static_cast<std::size_t>(timed_out_ ? End::TimedOut : end);
    bool wanted = false;
    switch (cell.phase) {
        case Phase::Opening:
        case Phase::Greeting:
        case Phase::Subscribing:
            ++tally_.failed;
            ++tally_.failures[kind];
            break;
        case Phase::Ready:
            ++tally_.lost;
            ++tally_.losses[kind];
            break;
        case Phase::Leaving:
            ++tally_.left;
            wanted = true;
            break;
        case Phase::Refused: break;
        case Phase::Idle:
        case Phase::Away: return;
    }
    forget_message(cell);
    timers_.cancel(id);
    if (options_.come_back && !wanted) {
        enter(id, Phase::Away);
        timers_.arm(id, now + jittered(*options_.come_back));
    } else {
        enter(id, Phase::Idle);
    }
    watcher_->on_gone(now, id);
}

bool Swarm::turn(Instant now) {
    constexpr std::size_t kAtOnce = 1024;  // so that packets do not wait behind a crowd of timers
    return timers_.advance(
               now, [&](std::uint32_t client) { on_timer(now, client); }, kAtOnce) != 0;
}

void Swarm::on_timer(Instant now, Id client) {
    switch (cells_[client].phase) {
        case Phase::Opening:
        case Phase::Greeting:
        case Phase::Subscribing: time_out(now, client); return;
        case Phase::Ready: keep_alive(now, client); return;
        case Phase::Away:
            enter(client, Phase::Idle);
            // Without a free socket the next try comes as late as this one.
            if (!connect(now, client)) {
                enter(client, Phase::Away);
                timers_.arm(client, now + jittered(options_.come_back.value_or(1s)));
            }
            return;
        case Phase::Idle:
        case Phase::Leaving:
        case Phase::Refused: return;
    }
}

void Swarm::time_out(Instant now, Id client) {
    timed_out_ = true;
    transport_->abort(now, client);
    timed_out_ = false;
}

// The timer is not moved when a client speaks: it looks here whether it did, and sleeps on.
void Swarm::keep_alive(Instant now, Id client) {
    const Duration interval = std::chrono::seconds(options_.keep_alive);
    Cell& cell = cells_[client];
    const Duration silent = std::chrono::milliseconds(milliseconds32(now) - cell.spoke);
    if (silent + 1ms < interval && !cell.pinged) {
        timers_.arm(client, now + (interval - silent));
        return;
    }
    if (cell.pinged) {
        time_out(now, client);
        return;
    }
    const auto ping = mqtt::write_pingreq();
    scratch_.assign(ping.begin(), ping.end());
    if (say(now, client)) {
        ++tally_.pings;
        cell.pinged = true;
    }
    timers_.arm(client, now + interval);
}

// Half to one and a half times as long, so that clients cut off together do not come back together.
Duration Swarm::jittered(Duration about) {
    random_ ^= random_ << 13U;
    random_ ^= random_ >> 7U;
    random_ ^= random_ << 17U;
    return about / 2 + about / 1024 * static_cast<std::int64_t>(random_ % 1024);
}

}  // namespace sluice::load
