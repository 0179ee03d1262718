#include "worker/flow_table.h"

#include <algorithm>
#include <utility>

namespace sluice::worker {
namespace {

template <IpFamily kFamily>
splice::Ends<kFamily> local_end(const SocketAddress& address) {
    return splice::Ends<kFamily>::of({.local = address, .remote = address});
}

}  // namespace

FlowTable::FlowTable(const WorkerContext& context)
    : worker_(context.options.index),
      workers_(context.options.workers),
      random_(SplitMix64(context.options.seed).next()),  // not the numbers that others draw from the seed
      index_(context.options.max_connections, context.options.index_key) {
    use(*context.snapshot, context.topology);
}

void FlowTable::use(const backend::Snapshot& snapshot, const Topology& topology) {
    places_ = {};
    others_.clear();
    for (std::uint32_t i = 0; i < snapshot.listeners.size(); ++i) {
        const backend::Listener& listener = snapshot.listeners[i];
        if (listener.standing == backend::Standing::Vacant) continue;
        const std::uint16_t port = topology.owned(listener.config.address.address)->port;
        with_family(listener.config.address.address.family(), [&]<IpFamily kFamily>() {
            add_listener<kFamily>(listener.config.address, {.listener = i, .port = port});
        });
    }
    for (std::uint32_t p = 0; p < snapshot.pools.size(); ++p) {
        const backend::Pool& pool = snapshot.pools[p];
        const auto backends = static_cast<std::uint32_t>(pool.backends.size());
        const bool vacant = pool.standing == backend::Standing::Vacant;
        if (p == pools_.size()) {
            pools_.push_back(make_source_pool(pool));
        } else if (vacant && pools_[p].backends() != 0) {
            pools_[p] = make_source_pool(pool);  // its place is never taken again: give its memory back
        } else if (!vacant) {
            pools_[p].grow(backends);
            pools_[p].set_addresses(pool.config.source_addresses);
        }
        if (!vacant) add_brokers(p, pool, topology);
    }
}

nat::SourcePool FlowTable::make_source_pool(const backend::Pool& facts) {
    nat::SourcePool::Options options;
    options.ports = {facts.config.source_ports.first, facts.config.source_ports.last};
    options.worker = worker_;
    options.workers = workers_;
    options.backends = 0;
    options.begin = random_.next();
    if (facts.standing != backend::Standing::Vacant) {
        options.addresses = facts.config.source_addresses;
        options.backends = static_cast<std::uint32_t>(facts.backends.size());
    }
    return nat::SourcePool(options);
}

void FlowTable::add_brokers(std::uint32_t pool, const backend::Pool& facts, const Topology& topology) {
    for (std::uint32_t b = 0; b < facts.backends.size(); ++b) {
        if (facts.backends[b].standing == backend::Standing::Vacant) continue;
        const SocketAddress& broker = facts.backends[b].config.address;
        const auto add = [&](const IpAddress& source) {
            if (source.family() != broker.address.family()) return;
            // One that came and went before this worker heard of it has no leases here.
            const auto position = pools_[pool].address_position(source);
            if (!position) return;
            const BrokerPlace place{
                .pool = pool, .backend = b, .position = *position, .port = topology.owned(source)->port};
            with_family(source.family(), [&]<IpFamily kFamily>() {
                add_broker<kFamily>({.local = {source, 0}, .remote = broker}, place);
            });
        };
        std::ranges::for_each(facts.config.source_addresses, add);
        std::ranges::for_each(facts.retained_sources, add);
    }
}

template <IpFamily kFamily>
void FlowTable::add_listener(const SocketAddress& address, const ListenerPlace& place) {
    std::get<Places<kFamily>>(places_).listeners.insert(listener_key(local_end<kFamily>(address)), place);
}

template <IpFamily kFamily>
void FlowTable::add_broker(const FourTuple& tuple, const BrokerPlace& place) {
    auto& brokers = std::get<Places<kFamily>>(places_).brokers;
    const auto key = broker_key(splice::Ends<kFamily>::of(tuple));
    BrokerPlace* const first = brokers.find(key);
    if (first == nullptr) return brokers.insert(key, place);
    others_.push_back(place);
    others_.back().next = std::exchange(first->next, static_cast<std::uint32_t>(others_.size() - 1));
}

std::optional<std::uint32_t> FlowTable::listener_at(const SocketAddress& address) const {
    return with_family(address.address.family(), [&]<IpFamily kFamily>() -> std::optional<std::uint32_t> {
        const auto* const place = places<kFamily>().listeners.find(listener_key(local_end<kFamily>(address)));
        return place == nullptr ? std::nullopt : std::optional(place->listener);
    });
}

std::optional<PoolLease> FlowTable::lease_of(const FourTuple& tuple) const {
    if (tuple.local.address.family() != tuple.remote.address.family()) return std::nullopt;
    return with_family(tuple.local.address.family(), [&]<IpFamily kFamily>() -> std::optional<PoolLease> {
        const auto* const place =
            places<kFamily>().brokers.find(broker_key(splice::Ends<kFamily>::of(tuple)));
        if (place == nullptr) return std::nullopt;
        const PoolLease lease = find_lease(*place, tuple.local.port);
        return lease.lease.slot == nat::kNoSlot ? std::nullopt : std::optional(lease);
    });
}

}  // namespace sluice::worker
