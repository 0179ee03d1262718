#include "sluice/ctl/history.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace sluice::ctl {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
T value(const Json& object, const char* key, T otherwise) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? otherwise : found->get<T>();
}

std::uint64_t number(const Json& object, const char* key) { return value<std::uint64_t>(object, key, 0); }

const Json& member(const Json& object, const char* key) {
    static const Json kNothing = Json::object();
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? kNothing : *found;
}

Histogram histogram(const Json& latency) {
    Histogram out;
    for (const Json& bucket : member(latency, "buckets")) {
        out[{.above = value(bucket, "above_seconds", 0.0),
             .up_to = value(bucket, "up_to_seconds", Bucket{}.up_to)}] += number(bucket, "count");
    }
    return out;
}

BrokerLook broker_look(const Json& row) {
    const Json& leases = member(row, "leases");
    const Json& tally = member(row, "tally");
    BrokerLook out{.pool = value<std::string>(row, "pool", ""),
                   .name = value<std::string>(row, "name", ""),
                   .state = value<std::string>(row, "state", ""),
                   .weight = number(row, "weight"),
                   .connections = number(row, "connections"),
                   .leases_used = number(leases, "leased") + number(leases, "quarantined"),
                   .leases = number(leases, "capacity"),
                   .last_failure = value<std::string>(member(row, "health"), "last_failure", ""),
                   .connects = number(tally, "connects"),
                   .to_broker_bytes = number(tally, "to_broker_bytes"),
                   .to_client_bytes = number(tally, "to_client_bytes"),
                   .connacks = {},
                   .connack_latency = histogram(member(tally, "connack_latency"))};
    if (out.last_failure == "none") out.last_failure.clear();
    for (const Json& answer : member(tally, "connacks")) {
        out.connacks[value<std::string>(answer, "code", "")] += number(answer, "count");
    }
    return out;
}

const BrokerLook* find(const Look& look, const BrokerLook& broker) {
    const auto found = std::ranges::find_if(look.brokers, [&](const BrokerLook& other) {
        return other.pool == broker.pool && other.name == broker.name;
    });
    return found == look.brokers.end() ? nullptr : &*found;
}

// nullopt where something began anew.
std::optional<double> rate(std::uint64_t before, std::uint64_t now, double seconds) {
    if (now < before || seconds <= 0) return std::nullopt;
    return static_cast<double>(now - before) / seconds;
}

template <typename Key>
std::map<Key, std::uint64_t> since(const std::map<Key, std::uint64_t>& before,
                                   const std::map<Key, std::uint64_t>& now) {
    std::map<Key, std::uint64_t> out;
    for (const auto& [key, count] : now) {
        const auto old = before.find(key);
        const std::uint64_t known = old == before.end() ? 0 : old->second;
        if (count > known) out[key] = count - known;
    }
    return out;
}

}  // namespace

Look look(const Json& info_reply, const Json& counters, const Json& backends) {
    const Json& info = info_reply.at("info");
    Look out{.version = value<std::string>(info, "version", ""),
             .uptime = value<double>(info, "uptime_seconds", 0),
             .draining = value(info, "draining", false),
             .connections = number(info, "connections"),
             .spliced = number(info, "spliced"),
             .brokers = {}};
    for (const Json& counter : counters.at("counters")) {
        const auto name = value<std::string>(counter, "name", "");
        if (name == "connect_accepted") out.connects = number(counter, "value");
        if (name.starts_with("drop_")) out.drops += number(counter, "value");
    }
    for (const Json& row : backends.at("backends")) out.brokers.push_back(broker_look(row));
    return out;
}

void History::add(Look look) {
    if (!looks_.empty() && look.uptime < looks_.back().uptime) looks_.clear();
    looks_.push_back(std::move(look));
    while (looks_.size() > 2 && looks_.back().uptime - looks_[1].uptime >= kSpan) looks_.pop_front();
}

Figures History::figures(bool whole) const {
    const Look& now = looks_.back();
    const Look* const before = looks_.size() > 1 ? &looks_[looks_.size() - 2] : nullptr;
    const Look* const oldest = before == nullptr || whole ? nullptr : &looks_.front();
    const double seconds = before == nullptr ? 0 : now.uptime - before->uptime;
    Figures out;
    if (before != nullptr) {
        out.connects = rate(before->connects, now.connects, seconds);
        out.drops = rate(before->drops, now.drops, seconds);
    }
    if (oldest != nullptr) out.span = now.uptime - oldest->uptime;
    for (const BrokerLook& broker : now.brokers) {
        BrokerFigures figures{.connects = {},
                              .bytes_in = {},
                              .bytes_out = {},
                              .connacks = broker.connacks,
                              .connack_latency = broker.connack_latency};
        const BrokerLook* const last = before == nullptr ? nullptr : find(*before, broker);
        if (last != nullptr) {
            figures.connects = rate(last->connects, broker.connects, seconds);
            figures.bytes_in = rate(last->to_broker_bytes, broker.to_broker_bytes, seconds);
            figures.bytes_out = rate(last->to_client_bytes, broker.to_client_bytes, seconds);
        }
        const BrokerLook* const first = oldest == nullptr ? nullptr : find(*oldest, broker);
        if (first != nullptr) {
            figures.connacks = since(first->connacks, broker.connacks);
            figures.connack_latency = since(first->connack_latency, broker.connack_latency);
        }
        out.brokers.push_back(std::move(figures));
    }
    return out;
}

std::optional<Bucket> quantile(const Histogram& histogram, double share) {
    std::uint64_t total = 0;
    for (const auto& [bucket, count] : histogram) total += count;
    const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total)));
    std::uint64_t seen = 0;
    for (const auto& [bucket, count] : histogram) {
        seen += count;
        if (count != 0 && seen >= rank) return bucket;
    }
    return std::nullopt;
}

}  // namespace sluice::ctl
