#include "worker/ways.h"

#include <algorithm>
#include <utility>

#include "worker/connection_table.h"
#include "worker/spliced.h"

namespace sluice::worker {
namespace {

using splice::Direction;

constexpr std::uint32_t kSweepPerTurn = 2048;
// How often the table of neighbors is told that they are in use; it asks itself when it is time.
constexpr Duration kAskNeighbors = 10s;
// Anybody announces itself as he likes, and where a client was Sluice does not know. A pass for the sake of
// such words alone, of at most so many clients, begins at least a tenth of a second after the last one and
// nine times what that took.
constexpr Duration kRest = 100ms;
constexpr int kRestFactor = 9;
constexpr std::size_t kClientsAtOnce = 16384;
// Where a neighbor was before it is looked for: what goes to and fro faster is not followed everywhere.
constexpr std::size_t kStations = 16;

bool has(const std::vector<MacAddress>& list, const MacAddress& mac) {
    return std::ranges::find(list, mac) != list.end();
}

// A MAC on a port, as a key.
std::uint64_t place(std::uint16_t port, const MacAddress& mac) {
    std::uint64_t key = port;
    for (const std::uint8_t byte : mac.bytes) key = key << 8U | byte;
    return key;
}

}  // namespace

Ways::Ways(WorkerContext& context, host::FrameOutput& output)
    : topology_(context.topology),
      output_(output),
      counters_(context.counters),
      at_home_(context.ports.size()) {
    output_.tell(*this);
}

// --- users of each way ---

void Ways::join_client(Instant now, const FourTuple& client) {
    const auto hop = topology_.route(client.local.address, client.remote.address);
    if (!hop) return;
    if (is_client_itself(*hop, client)) {
        ++at_home_[hop->port];
        return;
    }
    TrackedNeighbor& gateway = hops_[*hop];
    // Its clients' packets say where they come from, not where it is: that is asked at once, to know it when
    // it moves.
    if (gateway.users++ == 0) gateway.mac = output_.resolve(now, *hop).value_or(MacAddress{});
    next_question_ = std::min(next_question_, now + kAskNeighbors);
}

void Ways::leave_client(const FourTuple& client) {
    const auto hop = topology_.route(client.local.address, client.remote.address);
    if (!hop) return;
    if (is_client_itself(*hop, client)) {
        --at_home_[hop->port];
    } else {
        leave(*hop);
    }
}

void Ways::join_broker(Instant now, const NextHop& hop, const MacAddress& mac) {
    TrackedNeighbor& broker = hops_[hop];
    broker.mac = mac;
    ++broker.users;
    next_question_ = std::min(next_question_, now + kAskNeighbors);
}

void Ways::leave_broker(const FourTuple& upstream) {
    if (const auto hop = topology_.route(upstream.local.address, upstream.remote.address)) leave(*hop);
}

void Ways::leave(const NextHop& hop) {
    const auto known = hops_.find(hop);
    if (known != hops_.end() && --known->second.users == 0) hops_.erase(known);
}

// --- news ---

void Ways::neighbor_seen(const host::Sighting& s) {
    const auto hop = hops_.find(s.neighbor);
    if (hop == hops_.end()) {
        if (s.before) return move(s.neighbor, s.mac, s.before);
        if (!s.to_everybody || at_home_[s.neighbor.port] == 0) return;  // no client
        if (waiting_.size() < kClientsAtOnce || waiting_.contains(s.neighbor)) {
            move(s.neighbor, s.mac, std::nullopt);
        }
        return;
    }
    const MacAddress before = std::exchange(hop->second.mac, s.mac);
    if (before != s.mac && !before.is_zero()) return move(s.neighbor, s.mac, before);
    // The first answer says where it has been all the time. What it tells everybody is that it is there now,
    // in the place of another router perhaps whose own MAC its clients' packets carried, and even if the MAC
    // that they share is the same.
    if (s.to_everybody) move(s.neighbor, s.mac, std::nullopt);
}

void Ways::move(const NextHop& neighbor, const MacAddress& mac, const std::optional<MacAddress>& before) {
    Move& move = waiting_[neighbor];
    move.mac = mac;
    if (!before) return;
    urgent_ = true;
    if (move.former.size() < kStations && !has(move.former, *before)) move.former.push_back(*before);
}

// --- time ---

bool Ways::on_timer(Instant now, ConnectionTable& connections, Spliced& spliced) {
    const bool asked = ask(now);
    return follow(now, connections, spliced) || asked;
}

Instant Ways::next_deadline() const {
    if (pass_.stage != Pass::Stage::Over || urgent_) return Instant{};
    return waiting_.empty() ? next_question_ : std::min(next_question_, rested_);
}

// Packets ask for no neighbor, so its entry would grow old as if nobody used it: nothing would notice that it
// is gone, and its announcement from elsewhere would be about a stranger.
bool Ways::ask(Instant now) {
    if (now < next_question_) return false;
    next_question_ = hops_.empty() ? kNever : now + kAskNeighbors;
    for (auto& [neighbor, hop] : hops_) {
        const auto mac = output_.resolve(now, neighbor);
        if (mac && hop.mac.is_zero()) hop.mac = *mac;
    }
    return true;
}

bool Ways::follow(Instant now, ConnectionTable& connections, Spliced& spliced) {
    if (pass_.stage == Pass::Stage::Over) {
        if (waiting_.empty() || (!urgent_ && now < rested_)) return false;
        begin(now);
    }
    using Stage = Pass::Stage;
    const auto go_on = [&](bool at_end, Stage next) {
        if (at_end) pass_.next = 0, pass_.stage = next;
    };
    switch (pass_.stage) {
        case Stage::Connections: go_on(sweep(connections), Stage::Resting); break;
        case Stage::Resting: go_on(sweep_resting(connections), Stage::Records4); break;
        case Stage::Records4: go_on(sweep<IpFamily::V4>(spliced), Stage::Records6); break;
        case Stage::Records6: go_on(sweep<IpFamily::V6>(spliced), Stage::Over); break;
        case Stage::Over: break;
    }
    if (pass_.stage == Stage::Over) {
        const Instant began = pass_.began;
        pass_ = {};
        rested_ = now + std::max<Duration>(kRest, kRestFactor * (now - began));
    }
    return true;
}

void Ways::begin(Instant now) {
    pass_.began = now;
    pass_.stage = Pass::Stage::Connections;
    pass_.moves = std::exchange(waiting_, {});
    urgent_ = false;
    for (const auto& [neighbor, move] : pass_.moves) {
        if (!move.former.empty()) pass_.left.push_back(neighbor);
        for (const MacAddress& mac : move.former) note_owner(neighbor, mac);
    }
    for (const auto& [neighbor, hop] : hops_) note_owner(neighbor, hop.mac);
    for (std::size_t i = 0; i < topology_.ports().size(); ++i) {
        const auto port = static_cast<std::uint16_t>(i);
        for (const neighbor::Table::Entry& entry : output_.neighbors(port).entries()) {
            note_owner({.port = port, .neighbor = entry.address}, entry.mac);
        }
    }
}

void Ways::note_owner(const NextHop& neighbor, const MacAddress& mac) {
    const auto [owner, is_new] =
        pass_.owners.try_emplace(place(neighbor.port, mac), MacOwner{neighbor.neighbor});
    if (!is_new && owner->second.neighbor != neighbor.neighbor) owner->second.several = true;
}

bool Ways::is_of_another(const NextHop& neighbor, const MacAddress& mac) const {
    const auto owner = pass_.owners.find(place(neighbor.port, mac));
    return owner != pass_.owners.end() &&
           (owner->second.several || owner->second.neighbor != neighbor.neighbor);
}

// All sweeps: true at the end.
bool Ways::sweep(ConnectionTable& table) {
    flow::Slab<session::Connection>& connections = table.connections();
    for (std::uint32_t n = 0; n < kSweepPerTurn; ++n) {
        const std::uint32_t id = connections.next(pass_.next);
        if (id == flow::kNoEntry) return true;
        pass_.next = id + 1;
        follow(connections[id]);
    }
    return false;
}

bool Ways::sweep_resting(ConnectionTable& table) {
    RestingTable& connections = table.resting_connections();
    for (std::uint32_t n = 0; n < kSweepPerTurn; ++n) {
        const std::uint32_t id = connections.next(pass_.next);
        if (id == flow::kNoEntry) return true;
        pass_.next = id + 1;
        session::RestingConnection& c = connections[id];
        if (const MacAddress* const mac = client_at(c.client, c.path.port, c.path.mac)) c.path.mac = *mac;
    }
    return false;
}

void Ways::follow(session::Connection& c) const {
    if (pass_.stage == Pass::Stage::Over) return;
    if (const MacAddress* const mac = client_at(c.client, c.path.port, c.path.mac)) c.path.mac = *mac;
}

template <IpFamily kFamily>
bool Ways::sweep(Spliced& spliced) {
    splice::Table<kFamily>& records = spliced.table<kFamily>();
    const auto follow = [&](splice::DirectionState& way, const MacAddress* mac) {
        if (mac == nullptr || way.mac == *mac) return;
        way.mac = *mac;
        counters_.add(Counter::SplicePathsMoved);
    };
    for (std::uint32_t n = 0; n < kSweepPerTurn; ++n) {
        const std::uint32_t id = records.next(pass_.next);
        if (id == flow::kNoEntry) return true;
        pass_.next = id + 1;
        splice::Record<kFamily>& record = records[id];
        splice::DirectionState& to_client = record.core.way(Direction::ToClient);
        follow(to_client, client_at(record.leg(Direction::ToClient).tuple(), to_client.port, to_client.mac));
        follow(record.core.way(Direction::ToBroker), broker_at(record.leg(Direction::ToBroker).tuple()));
    }
    return false;
}

const MacAddress* Ways::client_at(const FourTuple& client, std::uint16_t port, const MacAddress& mac) const {
    const auto hop = topology_.route(client.local.address, client.remote.address);
    const auto own = hop ? pass_.moves.find(*hop) : pass_.moves.end();
    const Move* const move = own == pass_.moves.end() ? nullptr : &own->second;
    if (hop && is_client_itself(*hop, client)) return move == nullptr ? nullptr : &move->mac;
    if (move != nullptr && (has(move->former, mac) || !is_of_another(*hop, mac))) return &move->mac;
    // Where its packets come from its gateway, nobody else has anything to say.
    const auto gateway = hop ? hops_.find(*hop) : hops_.end();
    if (gateway != hops_.end() && gateway->second.mac == mac) return nullptr;
    for (const NextHop& left : pass_.left) {
        const Move& other = pass_.moves.find(left)->second;
        if (left.port == port && has(other.former, mac)) return &other.mac;
    }
    return nullptr;
}

const MacAddress* Ways::broker_at(const FourTuple& upstream) const {
    const auto hop = topology_.route(upstream.local.address, upstream.remote.address);
    const auto found = hop ? pass_.moves.find(*hop) : pass_.moves.end();
    return found == pass_.moves.end() ? nullptr : &found->second.mac;
}

}  // namespace sluice::worker
