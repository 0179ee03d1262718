#include "json.h"

#include <cmath>

#include "sluice/base/terminal.h"

namespace sluice::admin {
namespace {

// Milliseconds are enough for people, microseconds for latencies; more digits are noise.
double seconds(Duration d) {
    constexpr double kMicro = 1e6;
    return std::round(std::chrono::duration<double>(d).count() * kMicro) / kMicro;
}

Json per(std::uint64_t sum, std::uint64_t count) { return count == 0 ? Json(nullptr) : Json(sum / count); }

template <typename T>
Json texts(const std::vector<T>& values) {
    Json array = Json::array();
    for (const T& value : values) array.push_back(value.to_string());
    return array;
}

template <typename T>
Json address_or_null(const std::optional<T>& value) {
    return value ? Json(value->to_string()) : Json(nullptr);
}

Json offer_json(const Offer& offer) {
    return {{"mss", offer.mss == 0 ? Json(nullptr) : Json(offer.mss)},
            {"window_bytes", offer.window},
            {"window_scale", offer.window_scale ? Json(*offer.window_scale) : Json(nullptr)},
            {"sack", offer.sack},
            {"timestamps", offer.timestamps}};
}

// A 64-bit number does not survive readers that keep numbers as doubles, so a hash is text.
Json hash_text(const std::optional<std::uint64_t>& hash) {
    if (!hash) return nullptr;
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text = "0x";
    for (unsigned shift = 64; shift != 0; shift -= 4) text.push_back(kDigits[(*hash >> (shift - 4)) & 0xfU]);
    return text;
}

Json failures_json(const backend::BackendTally& tally) {
    Json json = Json::object();
    for (std::size_t i = 0; i < backend::kFailures.size(); ++i) {
        json[backend::to_string(backend::kFailures[i])] = tally.failures[i];
    }
    return json;
}

Json connacks_json(const backend::BackendTally& tally) {
    Json array = Json::array();
    for (std::size_t cell = 0; cell < tally.connacks.size(); ++cell) {
        if (tally.connacks[cell] == 0) continue;
        const backend::ConnackName name = backend::connack_name(cell);
        array.push_back({{"version", name.version}, {"code", name.code}, {"count", tally.connacks[cell]}});
    }
    return array;
}

Json endings_json(const backend::BackendTally& tally) {
    Json json = Json::object();
    for (std::size_t i = 0; i < backend::kEndings.size(); ++i) {
        const auto id = static_cast<std::size_t>(backend::kEndings[i]);
        if (tally.endings[i] != 0) json[std::string(kCounterTable[id].name)] = tally.endings[i];
    }
    return json;
}

// The buckets that have something.
Json latencies_json(const backend::Latencies& latencies) {
    constexpr double kMicro = 1e6;
    Json buckets = Json::array();
    for (std::size_t i = 0; i < latencies.counts.size(); ++i) {
        if (latencies.counts[i] == 0) continue;
        const bool bound = i < backend::kLatencyBounds.size();
        buckets.push_back(
            {{"above_seconds", i == 0 ? 0.0 : backend::kLatencyBounds[i - 1] / kMicro},
             {"up_to_seconds", bound ? Json(backend::kLatencyBounds[i] / kMicro) : Json(nullptr)},
             {"count", latencies.counts[i]}});
    }
    return {{"sum_seconds", seconds(Duration(latencies.nanoseconds))}, {"buckets", std::move(buckets)}};
}

Json tally_json(const backend::BackendTally& tally, const backend::Traffic& traffic) {
    return {{"connects", tally.connects},
            {"failures", failures_json(tally)},
            {"connacks", connacks_json(tally)},
            {"endings", endings_json(tally)},
            {"connect_latency", latencies_json(tally.connect)},
            {"connack_latency", latencies_json(tally.connack)},
            {"to_broker_packets", traffic.to_broker.packets},
            {"to_broker_bytes", traffic.to_broker.bytes},
            {"to_client_packets", traffic.to_client.packets},
            {"to_client_bytes", traffic.to_client.bytes}};
}

}  // namespace

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

std::string text_of(const Json& json) {
    // Bytes that are no UTF-8 become U+FFFD.
    return escape_terminal(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Json to_json(const Info& info) {
    return {{"version", info.version},
            {"uptime_seconds", seconds(info.uptime)},
            {"workers", info.workers},
            {"idle", info.idle},
            {"draining", info.draining},
            {"connections", info.connections},
            {"max_connections", info.max_connections},
            {"half_open", info.half_open},
            {"timers", info.timers},
            {"frames_used", info.frames_used},
            {"frames_capacity", info.frames_capacity},
            {"spliced", info.spliced},
            {"resting", info.resting},
            {"reserved_bytes", info.reserved_bytes},
            {"reserved_bytes_per_connection", per(info.reserved_bytes, info.max_connections)},
            {"used_bytes", info.used_bytes},
            {"used_bytes_per_connection", per(info.used_bytes, info.connections)},
            {"remembered_sessions", info.remembered_sessions},
            {"remembered_bytes", info.remembered_bytes},
            {"connect_bytes", info.connect_bytes},
            {"connect_memory", info.connect_memory},
            {"dpdk", info.dpdk},
            {"memory", info.memory},
            {"snapshot_generation", info.snapshot_generation}};
}

Json to_json(const ListenerRow& row) {
    return {{"name", row.name},
            {"address", row.address.to_string()},
            {"pool", row.pool},
            {"state", row.state},
            {"connections", row.connections},
            {"max_connections", row.max_connections},
            {"half_open", row.half_open},
            {"connect_timeout_seconds", seconds(row.connect_timeout)},
            {"idle_timeout_seconds", seconds(row.idle_timeout)},
            {"max_connect_size_bytes", row.max_connect_size},
            {"connect_window_bytes", row.connect_window},
            {"allow", texts(row.allow)},
            {"deny", texts(row.deny)}};
}

Json to_json(const PoolRow& row) {
    return {{"name", row.name},         {"balance", row.balance},
            {"hash_key", row.hash_key}, {"bounded_load", row.bounded_load},
            {"retries", row.retries},   {"backends", row.backends},
            {"usable", row.usable},     {"connections", row.connections},
            {"health", row.health},     {"offer", offer_json(row.offer)}};
}

Json to_json(const BackendRow& row) {
    const Json health = {
        {"probed", row.health.probed},
        {"successes", row.health.successes},
        {"failures", row.health.failures},
        {"last_failure", row.health.last_failure},
        {"latency_seconds", seconds(row.health.latency)},
        {"since_seconds", row.health.since ? Json(seconds(*row.health.since)) : Json(nullptr)}};
    return {{"pool", row.pool},
            {"name", row.name},
            {"address", row.address.to_string()},
            {"state", row.state},
            {"weight", row.weight},
            {"connections", row.connections},
            {"max_connections", row.max_connections},
            {"leases",
             {{"leased", row.leases.leased},
              {"quarantined", row.leases.quarantined},
              {"capacity", row.leases.capacity}}},
            {"health", health},
            {"offer", row.offer ? offer_json(*row.offer) : Json(nullptr)},
            {"tally", tally_json(row.tally, row.traffic)}};
}

void add_identity(Json& json, const ConnectionDescription& connection) {
    json["listener"] = connection.listener;
    json["pool"] = text_or_null(connection.pool);
    json["backend"] = text_or_null(connection.backend);
    json["client"] = connection.client.to_string();
    json["source"] = address_or_null(connection.source);
    json["client_id"] = connection.client_id;
    json["version"] = text_or_null(connection.version);
    json["keep_alive_seconds"] = connection.keep_alive;
}

Json to_json(const ConnectionRow& row) {
    Json json = {{"worker", row.worker}, {"id", row.id}, {"phase", row.phase}};
    add_identity(json, row);
    json["from_client_bytes"] = row.bytes_from_client;
    json["from_broker_bytes"] = row.bytes_from_broker;
    json["from_client_packets"] = row.packets_from_client;
    json["from_broker_packets"] = row.packets_from_broker;
    json["age_seconds"] = seconds(row.age);
    json["idle_seconds"] = seconds(row.idle);
    if (row.client_id_cut) json["client_id_cut"] = true;
    return json;
}

Json to_json(const PortRow& row) {
    Json statistics = Json::object();
    for (const auto& [name, value] : row.statistics) statistics[name] = value;
    return {{"name", row.name},
            {"driver", row.driver},
            {"mac", to_string(row.mac)},
            {"mtu", row.mtu},
            {"queues", row.queues},
            {"queue_frames", row.queue_frames},
            {"ring_bytes", row.ring_bytes},
            {"link", row.link_up ? "up" : "down"},
            {"link_mbps", row.link_mbps == 0 ? Json(nullptr) : Json(row.link_mbps)},
            {"addresses", texts(row.addresses)},
            {"statistics", statistics}};
}

Json to_json(const NeighborRow& row) {
    return {{"worker", row.worker},
            {"port", row.port},
            {"address", row.address.to_string()},
            {"mac", row.mac.is_zero() ? Json(nullptr) : Json(to_string(row.mac))},
            {"state", row.state},
            {"age_seconds", seconds(row.age)}};
}

Json to_json(const Explanation& explanation) {
    return {{"client_id", explanation.client_id},
            {"listener", explanation.listener},
            {"route", explanation.route ? Json(*explanation.route) : Json(nullptr)},
            {"route_conditions", explanation.route_text},
            {"refused", explanation.refused},
            {"pool", text_or_null(explanation.pool)},
            {"hash", hash_text(explanation.hash)},
            {"slot", explanation.slot ? Json(*explanation.slot) : Json(nullptr)},
            {"backend", explanation.backend ? Json(*explanation.backend) : Json(nullptr)},
            {"address", address_or_null(explanation.address)},
            {"state", text_or_null(explanation.state)},
            {"by_key", explanation.by_key},
            {"displaced", explanation.displaced},
            {"session_at", explanation.session_at ? Json(*explanation.session_at) : Json(nullptr)},
            {"remembered", explanation.remembered},
            {"why", explanation.why}};
}

Json to_json(const Change& change) {
    Json json = {{"what", change.what}, {"kind", change.kind}};
    if (!change.key.empty()) json.update({{"key", change.key}, {"from", change.from}, {"to", change.to}});
    return json;
}

Json to_json(const ReloadReport& report) {
    Json changes = Json::array();
    for (const Change& change : report.changes) changes.push_back(to_json(change));
    Json moves = Json::array();
    for (const ReloadReport::Move& move : report.moves) {
        moves.push_back({{"pool", move.pool}, {"moved_share", move.share}});
    }
    return {{"applied", report.applied}, {"changes", std::move(changes)}, {"moves", std::move(moves)}};
}

}  // namespace sluice::admin
