#include "worker/directory.h"

namespace sluice::worker {
namespace {

std::vector<nat::SourcePool> make_source_pools(const config::Config& config, const WorkerOptions& options) {
    std::vector<nat::SourcePool> pools;
    pools.reserve(config.pools.size());
    for (const config::Pool& p : config.pools) {
        pools.emplace_back(nat::SourcePool::Options{
            .addresses = p.source_addresses,
            .ports = {p.source_ports.first, p.source_ports.last},
            .worker = options.index,
            .workers = options.workers,
            .backends = static_cast<std::uint32_t>(p.backends.size()),
        });
    }
    return pools;
}

template <IpFamily kFamily>
splice::Ends<kFamily> local_end(const SocketAddress& address) {
    return splice::Ends<kFamily>::of({.local = address, .remote = address});
}

}  // namespace

Directory::Directory(const WorkerOptions& options, const WorkerResources& resources)
    : pools_(make_source_pools(resources.config, options)),
      index_(options.max_connections, options.index_key) {
    const config::Config& config = resources.config;
    const auto port_of = [&](const IpAddress& address) { return resources.topology.owned(address)->port; };
    for (std::uint32_t i = 0; i < config.listeners.size(); ++i) {
        const SocketAddress& address = config.listeners[i].address;
        with_family(address.address.family(), [&]<IpFamily kFamily>() {
            add_listener<kFamily>(address, {.listener = i, .port = port_of(address.address)});
        });
    }
    for (std::uint32_t p = 0; p < config.pools.size(); ++p) {
        const config::Pool& pool = config.pools[p];
        for (std::uint32_t b = 0; b < pool.backends.size(); ++b) {
            const SocketAddress& broker = pool.backends[b].address;
            for (const IpAddress& source : pool.source_addresses) {
                if (source.family() != broker.address.family()) continue;
                const BrokerPlace place{.pool = p,
                                        .backend = b,
                                        .position = *pools_[p].address_position(source),
                                        .port = port_of(source)};
                with_family(source.family(), [&]<IpFamily kFamily>() {
                    add_broker<kFamily>({.local = {source, 0}, .remote = broker}, place);
                });
            }
        }
    }
}

template <IpFamily kFamily>
void Directory::add_listener(const SocketAddress& address, const ListenerPlace& place) {
    std::get<Places<kFamily>>(places_).listeners.insert(listener_key(local_end<kFamily>(address)), place);
}

template <IpFamily kFamily>
void Directory::add_broker(const FourTuple& tuple, const BrokerPlace& place) {
    std::get<Places<kFamily>>(places_).brokers.insert(broker_key(splice::Ends<kFamily>::of(tuple)), place);
}

std::optional<std::uint32_t> Directory::listener_at(const SocketAddress& address) const {
    return with_family(address.address.family(), [&]<IpFamily kFamily>() -> std::optional<std::uint32_t> {
        const auto* const place = places<kFamily>().listeners.find(listener_key(local_end<kFamily>(address)));
        return place == nullptr ? std::nullopt : std::optional(place->listener);
    });
}

std::optional<PoolLease> Directory::lease_of(const FourTuple& tuple) const {
    if (tuple.local.address.family() != tuple.remote.address.family()) return std::nullopt;
    return with_family(tuple.local.address.family(), [&]<IpFamily kFamily>() -> std::optional<PoolLease> {
        const auto* const place =
            places<kFamily>().brokers.find(broker_key(splice::Ends<kFamily>::of(tuple)));
        if (place == nullptr) return std::nullopt;
        const PoolLease lease = lease_at(*place, tuple.local.port);
        return lease.lease.slot == nat::kNoSlot ? std::nullopt : std::optional(lease);
    });
}

}  // namespace sluice::worker
