// Of a broker: connections, bytes and time. What packets say is in broker_packets.cc, CONNECT in
// broker_connect.cc.
#include "broker.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "reason_codes.h"
#include "sluice/mqtt/acknowledge.h"

namespace sluice::load {
namespace {

// So much may come before a delayed CONNACK, in receive limits.
constexpr std::size_t kHeldLimits = 4;
// So that packets do not wait behind a crowd of timers.
constexpr std::size_t kTimersAtOnce = 1024;

}  // namespace

BrokerSink::BrokerSink(const BrokerOptions& options, Id capacity, Instant start)
    : options_(options),
      start_(start),
      peers_(capacity),
      timers_(capacity, start),
      next_turn_(start),
      courier_(options.queue_limit),
      places_(options.numbered_clients) {
    // A tenth of a second's worth at once, as what comes at a steady rate is never quite even.
    if (options.accept_rate != 0) rate_.emplace(options.accept_rate, options.accept_rate / 10 + 1);
}

void BrokerSink::use(Transport& transport) {
    transport_ = &transport;
    courier_.use(transport);
}

void BrokerSink::on_open(Instant now, Id id) {
    ++statistics_.opened;
    used_ = std::max(used_, std::uint64_t{id} + 1);
    Peer& peer = peers_[id];
    peer = Peer{};
    peer.phase = Phase::AwaitConnect;
    peer.heard = milliseconds32(now);
    peer.listener = listener_of(transport_->tuple(id).local);
    if (options_.connect_timeout > Duration{0}) timers_.arm(id, now + options_.connect_timeout);
}

std::size_t BrokerSink::on_bytes(Instant now, Id id, ByteView bytes) {
    Peer& peer = peers_[id];
    peer.heard = milliseconds32(now);
    if (peer.phase == Phase::Free || peer.phase == Phase::Closing) return bytes.size();
    if (peer.phase == Phase::Delayed || (!held_.empty() && held_.contains(id))) {
        hold(now, id, bytes);
        return bytes.size();
    }
    const std::size_t taken = consume(now, id, bytes);
    if (takes(id)) return taken;
    if (peer.phase == Phase::Delayed && taken < bytes.size()) hold(now, id, bytes.subspan(taken));
    return bytes.size();
}

void BrokerSink::on_end(Instant, Id id, End end) {
    ++statistics_.ends[static_cast<std::size_t>(end)];
    leave(id);
    held_.erase(id);
    peers_[id].phase = Phase::Free;
}

std::size_t BrokerSink::consume(Instant now, Id id, ByteView bytes) {
    Bytes out = std::exchange(scratch_, {});
    out.clear();
    std::size_t at = 0;
    while (at < bytes.size() && takes(id)) {
        const std::size_t taken = step(now, id, bytes.subspan(at), out);
        if (taken == 0) break;
        at += taken;
    }
    flush(now, id, out);
    scratch_ = std::move(out);
    return at;
}

std::size_t BrokerSink::step(Instant now, Id id, ByteView bytes, Bytes& out) {
    Peer& peer = peers_[id];
    if (peer.phase == Phase::AwaitConnect) return step_connect(now, id, bytes, out);
    if (peer.skip != 0) return pass_over(peer, bytes, out);
    const auto result = mqtt::read_packet_header(bytes);
    if (std::holds_alternative<mqtt::NeedMore>(result)) return 0;
    const auto* header = std::get_if<mqtt::PacketHeader>(&result);
    if (header == nullptr) {
        fail(now, id, Fault::BadHeader, kMalformedPacket, out);
        return bytes.size();
    }
    const std::size_t size = header->size + header->remaining;
    if (size > bytes.size()) return step_large(now, id, *header, bytes, out);
    on_packet(now, id, *header, bytes.subspan(header->size, header->remaining), out);
    return size;
}

// A packet that has not arrived whole, and perhaps never can.
std::size_t BrokerSink::step_large(Instant now, Id id, const mqtt::PacketHeader& header, ByteView bytes,
                                   Bytes& out) {
    if (header.size + header.remaining <= transport_->receive_limit()) return 0;
    Peer& peer = peers_[id];
    if (header.type != mqtt::PacketType::Publish || options_.route) {
        fail(now, id, Fault::TooLarge, kPacketTooLarge, out);
        return bytes.size();
    }
    const auto result = mqtt::read_publish_front(header, bytes.subspan(header.size), peer.version);
    if (const auto* error = std::get_if<mqtt::PacketError>(&result)) {
        fail(now, id, *error, out);
        return bytes.size();
    }
    const auto* front = std::get_if<mqtt::PublishFront>(&result);
    if (front == nullptr) {
        if (bytes.size() < transport_->receive_limit()) return 0;
        fail(now, id, Fault::TooLarge, kPacketTooLarge, out);
        return bytes.size();
    }
    ++statistics_.publishes[front->publish.qos];
    statistics_.payload_bytes += front->payload_size;
    peer.skip = static_cast<std::uint32_t>(front->payload_size - front->publish.payload.size());
    peer.skipped_id = front->publish.packet_id;
    peer.skipped_qos = front->publish.qos;
    return bytes.size();
}

std::size_t BrokerSink::pass_over(Peer& peer, ByteView bytes, Bytes& out) {
    const std::size_t passed = std::min<std::size_t>(peer.skip, bytes.size());
    peer.skip -= static_cast<std::uint32_t>(passed);
    if (peer.skip == 0) acknowledge(peer.skipped_qos, peer.skipped_id, peer.version, out);
    return passed;
}

void BrokerSink::hold(Instant now, Id id, ByteView bytes) {
    Bytes& held = held_[id];
    held.insert(held.end(), bytes.begin(), bytes.end());
    if (peers_[id].phase != Phase::Delayed) return work_off(now, id);
    if (held.size() <= kHeldLimits * transport_->receive_limit()) return;
    ++statistics_.overruns;
    transport_->abort(now, id);
}

// What was held, now that it may be heard. What is left of it waits there for the rest of its packet.
void BrokerSink::work_off(Instant now, Id id) {
    const auto at = held_.find(id);
    if (at == held_.end()) return;
    Bytes bytes = std::move(at->second);
    held_.erase(at);
    const std::size_t taken = consume(now, id, bytes);
    if (!takes(id) || taken == bytes.size()) return;
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    held_.emplace(id, std::move(bytes));
}

bool BrokerSink::turn(Instant now) {
    return timers_.advance(
               now, [&](Id id) { on_timer(now, id); }, kTimersAtOnce) != 0;
}

void BrokerSink::on_timer(Instant now, Id id) {
    switch (peers_[id].phase) {
        case Phase::Free:
        case Phase::Closing: return;
        case Phase::AwaitConnect: {
            ++statistics_.connect_timeouts;
            Bytes nothing;
            finish(now, id, kSuccess, nothing);
            return;
        }
        case Phase::Delayed: {
            Bytes out;
            accept(now, id, out);
            flush(now, id, out);
            if (connected(id)) work_off(now, id);
            return;
        }
        case Phase::Connected: return expire(now, id);
    }
}

// The timer fires when it was first due; only then is it asked when the client was last heard.
void BrokerSink::expire(Instant now, Id id) {
    const Peer& peer = peers_[id];
    const Duration allowed = std::chrono::milliseconds(peer.keep_alive * 1500LL);
    const Duration silent = std::chrono::milliseconds(milliseconds32(now) - peer.heard);
    if (silent < allowed) {
        timers_.arm(id, now + (allowed - silent));
        return;
    }
    ++statistics_.expired;
    Bytes out;
    finish(now, id, kKeepAliveTimeout, out);
}

void BrokerSink::fail(Instant now, Id id, Fault fault, std::uint8_t reason, Bytes& out) {
    ++statistics_.faults[static_cast<std::size_t>(fault)];
    statistics_.last_error = to_string(fault);
    finish(now, id, reason, out);
}

void BrokerSink::finish(Instant now, Id id, std::uint8_t reason, Bytes& out) {
    Peer& peer = peers_[id];
    if (peer.phase == Phase::Free || peer.phase == Phase::Closing) return;
    if (reason != 0 && connected(id) && peer.version == mqtt::Version::V5) {
        mqtt::append_disconnect(out, peer.version, reason);
    }
    leave(id);
    peer.phase = Phase::Closing;
    flush(now, id, out);
    if (peer.phase == Phase::Closing) transport_->close(now, id);
}

// Only what a connection in use still has to be sent; it may be gone afterwards.
void BrokerSink::flush(Instant now, Id id, Bytes& out) {
    if (!out.empty() && peers_[id].phase != Phase::Free && !transport_->send(now, id, out)) {
        ++statistics_.overruns;
        transport_->abort(now, id);
    }
    out.clear();
}

// Takes the connection out of everything but its number.
void BrokerSink::leave(Id id) {
    Peer& peer = peers_[id];
    timers_.cancel(id);
    if (!connected(id) && peer.phase != Phase::Delayed) return;
    if (connected(id)) {
        --statistics_.connected;
        --statistics_.listeners[peer.listener].connected;
    }
    if (peer.id_hash != 0) {
        const auto owner = owners_.find(peer.id_hash);
        if (owner != owners_.end() && owner->second == id) owners_.erase(owner);
    }
    if (!options_.route) return;
    router_.remove(id);
    courier_.remove(id);
}

}  // namespace sluice::load
