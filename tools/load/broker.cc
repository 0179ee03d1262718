// How a client is let in, and how it goes. What it says meanwhile is in broker_packets.cc.
#include "broker.h"

#include <absl/hash/hash.h>

#include <algorithm>
#include <charconv>

#include "sluice/mqtt/writer.h"

namespace sluice::load {
namespace {

constexpr std::size_t kMaxConnect = 64 * 1024;
constexpr std::size_t kTimersAtOnce = 1024;

std::uint64_t hash_of(std::string_view client_id) { return absl::Hash<std::string_view>()(client_id); }

}  // namespace

Broker::Broker(const BrokerOptions& options, Id capacity, Instant start)
    : options_(options), cells_(capacity), timers_(capacity, start), placement_(options.watch_placement) {}

std::uint64_t Broker::memory_bytes() const {
    return cells_.size() * sizeof(Cell) + timers_.capacity() * flow::TimerWheel::kBytesPerTimer +
           placement_.size();
}

std::uint16_t Broker::address_of(Id id) {
    const SocketAddress local = transport_->tuple(id).local;
    auto found =
        std::ranges::find(addresses_, local, &std::pair<SocketAddress, BrokerTally::Address*>::first);
    if (found == addresses_.end()) {
        addresses_.emplace_back(local, &tally_.addresses[local]);
        found = addresses_.end() - 1;
    }
    return static_cast<std::uint16_t>(found - addresses_.begin());
}

void Broker::on_open(Instant now, Id id) {
    cells_[id] = {.phase = Phase::Greeting, .address = address_of(id), .heard = milliseconds32(now)};
    ++tally_.connections;
    timers_.arm(id, now + options_.connect_timeout);
}

std::size_t Broker::on_bytes(Instant now, Id id, ByteView bytes) {
    cells_[id].heard = milliseconds32(now);
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const ByteView rest = bytes.subspan(taken);
        Cell& cell = cells_[id];
        if (cell.phase == Phase::Greeting) {
            const std::size_t size = greet(now, id, rest);
            if (size == 0) break;
            taken += size;
            continue;
        }
        if (cell.phase != Phase::Connected) return bytes.size();
        if (cell.skip != 0) {
            const std::size_t size = std::min<std::size_t>(cell.skip, rest.size());
            cell.skip -= static_cast<std::uint32_t>(size);
            tally_.published_bytes += size;
            taken += size;
            continue;
        }
        const auto read = mqtt::read_packet_header(rest);
        if (std::holds_alternative<mqtt::NeedMore>(read)) break;
        const auto* const header = std::get_if<mqtt::PacketHeader>(&read);
        if (header == nullptr) {
            give_up(now, id, "no MQTT packet");
            return bytes.size();
        }
        const std::size_t size = header->size + header->remaining;
        if (size > transport_->receive_limit()) {
            const std::size_t beginning = skip_large(now, id, *header, rest);
            if (beginning == 0) break;
            taken += beginning;
            continue;
        }
        if (rest.size() < size) break;
        on_packet(now, id, *header, rest.first(size));
        taken += size;
    }
    return taken;
}

// The bytes of the CONNECT; 0 when more is needed, or none will be.
std::size_t Broker::greet(Instant now, Id id, ByteView bytes) {
    const auto result = mqtt::read_connect(bytes, kMaxConnect);
    if (std::holds_alternative<mqtt::NeedMore>(result)) return 0;
    if (const auto* const malformed = std::get_if<mqtt::Malformed>(&result)) {
        give_up(now, id, std::string("CONNECT: ") + mqtt::to_string(malformed->reason));
        return bytes.size();
    }
    const auto& connect = std::get<mqtt::Connect>(result);
    cells_[id].version = static_cast<std::uint8_t>(connect.version);
    const std::size_t size = connect.size;
    if (options_.connack != 0) {
        refuse(now, id, connect.version, options_.connack);
    } else {
        let_in(now, id, connect);
    }
    return size;
}

void Broker::refuse(Instant now, Id id, mqtt::Version version, std::uint8_t code) {
    ++tally_.refused;
    scratch_.clear();
    mqtt::write_refused(code, version, scratch_);
    timers_.cancel(id);
    cells_[id].phase = Phase::Closing;
    static_cast<void>(say(now, id));
    transport_->close(now, id);
}

void Broker::let_in(Instant now, Id id, const mqtt::Connect& connect) {
    Cell& cell = cells_[id];
    cell.keep_alive = connect.keep_alive;
    std::string assigned;
    if (connect.client_id.empty()) assigned = "assigned-" + std::to_string(++assigned_);
    const std::string_view client_id = assigned.empty() ? connect.client_id : assigned;
    if (options_.take_over) take_over(now, id, client_id);
    if (options_.watch_placement != 0) watch_placement(client_id, cell.address);
    accept(now, id, assigned);
}

void Broker::accept(Instant now, Id id, std::string_view assigned) {
    Cell& cell = cells_[id];
    cell.phase = Phase::Connected;
    ++tally_.connects;
    tally_.peak_connected = std::max(tally_.peak_connected, ++tally_.connected);
    count_connect(now, cell.address);
    if (options_.keep_alive && cell.keep_alive != 0) {
        timers_.arm(id, now + std::chrono::milliseconds(cell.keep_alive * 1500));
    } else {
        timers_.cancel(id);
    }
    scratch_.clear();
    mqtt::write_accepted(false, assigned, version(id), scratch_);
    static_cast<void>(say(now, id));
}

void Broker::count_connect(Instant now, std::uint16_t address) {
    const auto count = [now](Instant& second, std::uint32_t& in_second, std::uint32_t& fastest) {
        if (now - second >= 1s) {
            second = now;
            in_second = 0;
        }
        fastest = std::max(fastest, ++in_second);
    };
    BrokerTally::Address& row = *addresses_[address].second;
    ++row.connects;
    ++row.connected;
    count(row.second, row.in_second, row.fastest);
    count(second_, in_second_, tally_.fastest);
}

// [MQTT-3.1.4-3]: the older connection is ended.
void Broker::take_over(Instant now, Id id, std::string_view client_id) {
    const std::uint64_t hash = hash_of(client_id);
    if (const auto other = by_client_.find(hash); other != by_client_.end()) {
        const Id older = other->second;
        ++tally_.taken_over;
        if (version(older) == mqtt::Version::V5) {
            constexpr std::uint8_t kSessionTakenOver = 0x8e;
            scratch_.clear();
            mqtt::write_server_disconnect(kSessionTakenOver, scratch_);
            static_cast<void>(say(now, older));
        }
        transport_->abort(now, older);
    }
    by_client_[hash] = id;
    client_of_[id] = hash;
}

void Broker::watch_placement(std::string_view client_id, std::uint16_t address) {
    const std::size_t digits = client_id.find_last_not_of("0123456789") + 1;
    std::uint32_t number = 0;
    const auto [end, error] =
        std::from_chars(client_id.data() + digits, client_id.data() + client_id.size(), number);
    if (error != std::errc{} || end == client_id.data() + digits || number >= placement_.size()) return;
    const auto here = static_cast<std::uint8_t>(address % 255 + 1);
    if (placement_[number] != 0 && placement_[number] != here) ++tally_.moved;
    placement_[number] = here;
}

bool Broker::say(Instant now, Id id) { return transport_->send(now, id, scratch_); }

void Broker::give_up(Instant now, Id id, const std::string& why) {
    ++tally_.protocol_errors;
    tally_.last_protocol_error = transport_->tuple(id).remote.to_string() + ": " + why;
    transport_->abort(now, id);
}

void Broker::on_end(Instant, Id id, End end) {
    Cell& cell = cells_[id];
    ++tally_.ends[static_cast<std::size_t>(end)];
    if (cell.phase == Phase::Connected) no_longer_connected(id);
    timers_.cancel(id);
    if (options_.route) router_.forget(id);
    if (const auto client = client_of_.find(id); client != client_of_.end()) {
        if (const auto entry = by_client_.find(client->second);
            entry != by_client_.end() && entry->second == id)
            by_client_.erase(entry);
        client_of_.erase(client);
    }
    cell.phase = Phase::None;
}

void Broker::no_longer_connected(Id id) {
    --tally_.connected;
    --addresses_[cells_[id].address].second->connected;
}

bool Broker::turn(Instant now) {
    return timers_.advance(
               now, [&](std::uint32_t id) { on_timer(now, id); }, kTimersAtOnce) != 0;
}

Instant Broker::next_deadline() const { return timers_.next_wakeup(); }

void Broker::on_timer(Instant now, Id id) {
    Cell& cell = cells_[id];
    switch (cell.phase) {
        case Phase::None:
        case Phase::Closing: return;
        case Phase::Greeting: return transport_->abort(now, id);
        case Phase::Connected: break;
    }
    // The timer is not moved by packets: it looks here when the last one was, and sleeps on.
    const Duration limit = std::chrono::milliseconds(cell.keep_alive * 1500);
    const Duration silent = std::chrono::milliseconds(milliseconds32(now) - cell.heard);
    if (silent < limit) {
        timers_.arm(id, now + (limit - silent));
        return;
    }
    ++tally_.silent;
    transport_->abort(now, id);
}

}  // namespace sluice::load
