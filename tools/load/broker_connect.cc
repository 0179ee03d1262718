// Of a broker: CONNECT and what is answered to it.
#include <algorithm>
#include <charconv>
#include <string>

#include "broker.h"
#include "reason_codes.h"
#include "sluice/base/siphash.h"
#include "sluice/mqtt/writer.h"

namespace sluice::load {
namespace {

// 3.1.1 table 3.1, for a reason code of v5.
std::uint8_t return_code(std::uint8_t reason) {
    switch (reason) {
        case kUnsupportedVersion: return 1;
        case kClientIdNotValid: return 2;
        case 0x86: return 4;  // bad user name or password
        case 0x87: return 5;  // not authorized
        default: return 3;
    }
}

// The decimal number at the end of a client ID.
std::optional<std::uint32_t> number_of(std::string_view client_id) {
    const std::size_t before = client_id.find_last_not_of("0123456789");
    const std::string_view digits = client_id.substr(before == std::string_view::npos ? 0 : before + 1);
    std::uint32_t number = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (result.ec != std::errc{}) return std::nullopt;
    return number;
}

}  // namespace

std::size_t BrokerSink::step_connect(Instant now, Id id, ByteView bytes, Bytes& out) {
    const auto result = mqtt::read_connect(bytes, transport_->receive_limit());
    if (std::holds_alternative<mqtt::NeedMore>(result)) return 0;
    if (const auto* connect = std::get_if<mqtt::Connect>(&result)) {
        on_connect(now, id, *connect, out);
        return connect->size;
    }
    refuse_malformed(now, id, std::get<mqtt::Malformed>(result), out);
    return bytes.size();
}

void BrokerSink::refuse_malformed(Instant now, Id id, const mqtt::Malformed& malformed, Bytes& out) {
    ++statistics_.connect_errors[static_cast<std::size_t>(malformed.reason)];
    statistics_.last_error = std::string("CONNECT: ") + to_string(malformed.reason);
    Peer& peer = peers_[id];
    peer.version = malformed.version.value_or(mqtt::Version::V311);
    if (malformed.reason == mqtt::ConnectError::UnsupportedVersion) {
        return refuse(now, id, kUnsupportedVersion, out);
    }
    if (malformed.reason == mqtt::ConnectError::EmptyClientId) return refuse(now, id, kClientIdNotValid, out);
    // Before v5 there is no code for it.
    if (malformed.version != mqtt::Version::V5) return finish(now, id, 0, out);
    const bool understood = malformed.reason == mqtt::ConnectError::BadProperty ||
                            malformed.reason == mqtt::ConnectError::DuplicateProperty;
    refuse(now, id, understood ? kProtocolError : kMalformedPacket, out);
}

void BrokerSink::refuse(Instant now, Id id, std::uint8_t code, Bytes& out) {
    const mqtt::Version version = peers_[id].version;
    ++statistics_.refused;
    mqtt::append_connack(out, version, version == mqtt::Version::V5 ? code : return_code(code), false);
    finish(now, id, 0, out);
}

void BrokerSink::on_connect(Instant now, Id id, const mqtt::Connect& connect, Bytes& out) {
    Peer& peer = peers_[id];
    peer.version = connect.version;
    peer.keep_alive = connect.keep_alive;
    peer.assign_id = connect.client_id.empty() && connect.version == mqtt::Version::V5;
    timers_.cancel(id);
    note_place(peer.listener, connect.client_id);
    if (options_.connack_code) return refuse(now, id, *options_.connack_code, out);
    if (rate_ && !options_.delay_above_rate && !rate_->take(now)) return refuse(now, id, kQuotaExceeded, out);
    const bool restricted = connect.receive_maximum != 0xffff || connect.maximum_packet_size != 0;
    if (options_.route && restricted) {
        courier_.limit(id, connect.receive_maximum, connect.maximum_packet_size);
    }
    peer.phase = Phase::Delayed;
    if (options_.take_over && !connect.client_id.empty()) take_over(now, id, connect.client_id);
    const Duration wait = options_.delay + wait_for_turn(now);
    if (wait > Duration{0}) {
        timers_.arm(id, now + wait);
    } else {
        accept(now, id, out);
    }
}

// How long until the next CONNACK may leave, where what is above the rate waits.
Duration BrokerSink::wait_for_turn(Instant now) {
    if (options_.accept_rate == 0 || !options_.delay_above_rate) return Duration{0};
    const Instant turn = std::max(now, next_turn_);
    next_turn_ = turn + Duration(1s) / options_.accept_rate;
    return turn - now;
}

void BrokerSink::accept(Instant now, Id id, Bytes& out) {
    Peer& peer = peers_[id];
    mqtt::ConnackFields fields{
        .retain = !options_.route, .subscription_ids = false, .shared_subscriptions = false};
    std::string assigned;
    if (peer.assign_id) {
        assigned = "auto-" + std::to_string(++assigned_);
        fields.assigned_client_id = assigned;
    }
    if (options_.route) fields.maximum_packet_size = static_cast<std::uint32_t>(transport_->receive_limit());
    mqtt::append_connack(out, peer.version, 0, false, fields);
    peer.phase = Phase::Connected;
    peer.heard = milliseconds32(now);
    if (options_.keep_alive && peer.keep_alive != 0) {
        timers_.arm(id, now + std::chrono::milliseconds(peer.keep_alive * 1500LL));
    }
    ++statistics_.connects;
    statistics_.peak_connected = std::max(statistics_.peak_connected, ++statistics_.connected);
    statistics_.rate.count(now, start_);
    BrokerStatistics::Listener& listener = statistics_.listeners[peer.listener];
    ++listener.connects;
    ++listener.connected;
    listener.rate.count(now, start_);
}

void BrokerSink::take_over(Instant now, Id id, std::string_view client_id) {
    // 0 stands for none.
    const std::uint64_t hash = siphash24({}, as_bytes(client_id)) | 1U;
    peers_[id].id_hash = hash;
    const auto [at, fresh] = owners_.try_emplace(hash, id);
    if (fresh) return;
    const Id older = std::exchange(at->second, id);
    ++statistics_.taken_over;
    Bytes out;
    finish(now, older, kSessionTakenOver, out);
}

void BrokerSink::note_place(std::uint16_t listener, std::string_view client_id) {
    const std::optional<std::uint32_t> number = number_of(client_id);
    if (!number || *number >= places_.size() || listener >= 0xff) return;
    const auto place = static_cast<std::uint8_t>(listener + 1);
    std::uint8_t& last = places_[*number];
    if (last != 0) ++(last == place ? statistics_.stayed : statistics_.moved);
    last = place;
}

std::uint16_t BrokerSink::listener_of(const SocketAddress& address) {
    const auto [at, fresh] =
        listener_index_.try_emplace(address, static_cast<std::uint16_t>(statistics_.listeners.size()));
    if (fresh) statistics_.listeners.push_back({.address = address});
    return at->second;
}

}  // namespace sluice::load
