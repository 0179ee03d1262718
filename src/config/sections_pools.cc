// What clients are brought to: pools and their backends.
#include <string>
#include <utility>

#include "readers.h"
#include "text.h"

namespace sluice::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kMostSources = 4096;
constexpr std::uint16_t kFirstSourcePort = 1024;

void read_source_addresses(Section& section, Pool& pool, PoolDraft& draft) {
    const std::size_t problems = section.report().count();
    for (const auto& [text, place] : section.texts("source_addresses", Need::Required)) {
        const auto range = parse_address_range(text);
        if (!range) {
            section.report().add(place, quoted(text) + " is not an address or a range of addresses",
                                 R"(write "10.2.0.10" or "10.2.0.10-10.2.0.33")");
            continue;
        }
        const auto addresses = expand(*range, kMostSources - pool.source_addresses.size());
        if (!addresses) {
            section.report().add(place, "makes more than 4096 source addresses",
                                 "give a pool at most 4096 in total");
            break;
        }
        const std::size_t begin = pool.source_addresses.size();
        pool.source_addresses.insert(pool.source_addresses.end(), addresses->begin(), addresses->end());
        draft.sources.push_back({place, begin, pool.source_addresses.size()});
    }
    draft.sources_good = section.report().count() == problems;
}

void read_source_ports(Section& section, Pool& pool, PoolDraft& draft) {
    draft.source_ports = section.place_of("source_ports");
    std::string text;
    const auto place = section.text("source_ports", text);
    if (!place) {
        if (section.has("source_ports")) draft.source_ports.reset();
        return;
    }
    draft.source_ports = place;
    const auto range = parse_port_range(text);
    if (range && range->first >= kFirstSourcePort) {
        pool.source_ports = *range;
        return;
    }
    section.report().add(*place, range ? "begins below 1024" : quoted(text) + " is not a range of ports",
                         range ? "begin at 1024 or above: health probes leave from the ports below"
                               : R"(write "first-last" within 1024 to 65535, such as "1024-65535")");
    draft.source_ports.reset();
}

void read_backend(Section section, Pool& pool, PoolDraft& draft) {
    Backend& backend = pool.backends.emplace_back();
    BackendDraft& places = draft.backends.emplace_back();
    places.section = section.place();
    places.name = section.name("name", backend.name);
    places.address = section.address("address", backend.address);
    section.integer("weight", backend.weight, 0U, 1000U);
    section.integer("max_connections", backend.max_connections, 0U, kMostConnections);
    section.choice("state", backend.state, kStateWords);
    section.finish({"connect_rate"});
}

void read_balance(Section& section, Pool& pool) {
    section.choice("balance", pool.balance, kBalanceWords);
    const auto key = section.choice("hash_key", pool.hash_key, kHashKeyWords);
    if (const auto place = section.text("hash_pattern", pool.hash_pattern)) {
        check_pattern(pool.hash_pattern, 1, *place, section.report());
        if (key && pool.hash_key != HashKey::ClientId) {
            section.report().add(*place, "hash_key is not \"client_id\", to which alone the pattern applies",
                                 "remove one of the two");
        }
    }
    const auto place = section.number("bounded_load", pool.bounded_load);
    // Written so that NaN is refused too.
    const bool good = pool.bounded_load == 0 || (pool.bounded_load >= 1 && pool.bounded_load <= 1000);
    if (place && !good) {
        section.report().add(*place, "is out of range",
                             "must be 0 (off) or 1 to 1000 times the mean load, such as 1.25");
    }
}

}  // namespace

void read_pool(Section section, Draft& draft) {
    Pool& pool = draft.config.pools.emplace_back();
    PoolDraft& places = draft.pools.emplace_back();
    places.section = section.place();
    places.name = section.name("name", pool.name);
    read_balance(section, pool);
    read_source_addresses(section, pool, places);
    read_source_ports(section, pool, places);
    section.integer("retries", pool.retries, 0U, 10U);
    section.duration("attempt_timeout", pool.attempt_timeout, milliseconds(10), minutes(10));
    section.integer("drain_rate", pool.drain_rate, 1U, 1'000'000U);
    section.duration("slow_start", pool.slow_start, seconds(0), hours(24));
    section.choice("on_down", pool.on_down, kOnDownWords);
    if (auto health = section.table("health")) read_health(std::move(*health), pool.health);
    const std::size_t problems = section.report().count();
    for (auto& backend : section.tables("backend")) read_backend(std::move(backend), pool, places);
    if (pool.backends.empty() && section.report().count() == problems) {
        section.report().add(section.place_of("backend"), "the pool has no backend",
                             "add a [[pool.backend]] section with name and address");
    }
    section.finish({"queue_timeout", "queue_size", "tls", "send_proxy"});
    draft.pools_good = draft.pools_good && places.name.has_value();
}

}  // namespace sluice::config
