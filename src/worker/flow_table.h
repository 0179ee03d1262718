// Where a packet's addresses lead: to a listener, and from there by the client index to a connection, or to a
// lease, and so straight to a connection. One per worker; sessions and records share it.
//
// What is asked for every packet is keyed by the bytes of its own headers, so that nothing is converted
// before it is looked up.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <tuple>
#include <vector>

#include "sluice/base/random.h"
#include "sluice/flow/client_index.h"
#include "sluice/nat/source_pool.h"
#include "sluice/splice/record.h"
#include "worker/context.h"
#include "worker/reference.h"
#include "worker/word_map.h"

namespace sluice::worker {

// A lease and the pool whose brokers it leads to.
struct PoolLease {
    std::uint32_t pool = 0;
    nat::Lease lease;
};

class FlowTable {
  public:
    explicit FlowTable(const WorkerContext& context);

    // Follows a snapshot whose registry has changed. Whatever a connection may still use stays where it is.
    void use(const backend::Snapshot& snapshot, const Topology& topology);

    // --- listeners ---
    // tuple.local is Sluice's end, as everywhere. nullopt: nothing listens there.
    std::optional<std::uint32_t> listener_at(const SocketAddress& address) const;
    // Of a packet that arrived by `leg` (its destination is local). false also when the packet came in by
    // another port than the one that owns the address.
    template <IpFamily kFamily>
    bool is_from_client(const splice::Ends<kFamily>& leg, std::uint16_t port) const {
        const ListenerPlace* const place = places<kFamily>().listeners.find(listener_key(leg));
        return place != nullptr && place->port == port;
    }

    // --- clients ---
    std::uint64_t hash(const FourTuple& tuple) const { return index_.hash(tuple); }
    std::uint64_t hash(const splice::Ends<IpFamily::V4>& client) const {
        const auto as_is = [](const auto& address) { return std::bit_cast<std::uint32_t>(address); };
        return index_.hash_v4(as_is(client.local), load16(client.local_port.data()), as_is(client.remote),
                              load16(client.remote_port.data()));
    }
    std::uint64_t hash(const splice::Ends<IpFamily::V6>& client) const { return index_.hash(client.tuple()); }
    void prefetch_client(std::uint64_t hash) const { index_.prefetch(hash); }
    // What find_client() will look at first, to be brought into the cache.
    std::optional<Reference> candidate(std::uint64_t hash) const {
        return Reference::from(index_.candidate(hash));
    }
    template <typename Match>
    std::optional<Reference> find_client(std::uint64_t hash, Match&& match) const {
        return Reference::from(
            index_.find(hash, [&](std::uint32_t raw) { return match(*Reference::from(raw)); }));
    }
    void insert_client(std::uint64_t hash, Reference reference) { index_.insert(hash, reference.raw()); }
    void erase_client(std::uint64_t hash, Reference reference) { index_.erase(hash, reference.raw()); }
    // The same client, by another name.
    void rename_client(std::uint64_t hash, Reference from, Reference to) {
        index_.erase(hash, from.raw());
        index_.insert(hash, to.raw());
    }

    // --- leases ---
    std::optional<PoolLease> lease_of(const FourTuple& tuple) const;
    // As is_from_client(). Writes to `lease` when there is one: an optional would be put together in memory
    // for every packet.
    template <IpFamily kFamily>
    bool find_lease(const splice::Ends<kFamily>& leg, std::uint16_t port, PoolLease& lease) const {
        const BrokerPlace* const place = places<kFamily>().brokers.find(broker_key(leg));
        if (place == nullptr || place->port != port) return false;
        lease = find_lease(*place, load16(leg.local_port.data()));
        return lease.lease.slot != nat::kNoSlot;
    }
    void prefetch(const PoolLease& lease) const { pools_[lease.pool].prefetch(lease.lease); }
    std::optional<Reference> holder(const PoolLease& lease) const {
        return Reference::from(pools_[lease.pool].connection(lease.lease));
    }
    void rename_lease(const PoolLease& lease, Reference to) {
        pools_[lease.pool].rename(lease.lease, to.raw());
    }
    void release(const PoolLease& lease, Instant now, const nat::LastUse& last_use) {
        pools_[lease.pool].release(lease.lease, now, last_use);
    }
    std::vector<nat::SourcePool>& pools() { return pools_; }
    const std::vector<nat::SourcePool>& pools() const { return pools_; }

    std::size_t memory_bytes() const { return index_.memory_bytes(); }
    // The share of those that are in it.
    std::size_t used_bytes() const {
        return index_.capacity() == 0 ? 0 : index_.memory_bytes() * index_.size() / index_.capacity();
    }

  private:
    // Keys are a packet's own header fields, packed into words.
    template <IpFamily kFamily>
    using ListenerKey = std::array<std::uint64_t, kFamily == IpFamily::V4 ? 1 : 3>;
    // A broker as seen from a source address: which pool's leases name the connection.
    template <IpFamily kFamily>
    using BrokerKey = std::array<std::uint64_t, kFamily == IpFamily::V4 ? 2 : 5>;

    static std::uint64_t word(const std::byte* from) {
        std::uint64_t w;
        std::memcpy(&w, from, sizeof w);
        return w;
    }
    template <IpFamily kFamily>
    static ListenerKey<kFamily> listener_key(const splice::Ends<kFamily>& leg) {
        const std::uint64_t port = load16(leg.local_port.data());
        if constexpr (kFamily == IpFamily::V4) {
            return {std::uint64_t{load32(leg.local.data())} << 16U | port};
        } else {
            return {word(leg.local.data()), word(leg.local.data() + 8), port};
        }
    }
    template <IpFamily kFamily>
    static BrokerKey<kFamily> broker_key(const splice::Ends<kFamily>& leg) {
        const std::uint64_t port = load16(leg.remote_port.data());
        if constexpr (kFamily == IpFamily::V4) {
            return {std::uint64_t{load32(leg.remote.data())} << 32U | load32(leg.local.data()), port};
        } else {
            return {word(leg.remote.data()), word(leg.remote.data() + 8), word(leg.local.data()),
                    word(leg.local.data() + 8), port};
        }
    }

    static constexpr std::uint32_t kNoPlace = 0xffffffff;
    struct ListenerPlace {
        std::uint32_t listener = 0;
        std::uint16_t port = 0;  // that owns the address
    };
    struct BrokerPlace {
        std::uint32_t pool = 0;
        std::uint32_t backend = 0;
        std::uint32_t position = 0;  // of the source address in the pool
        std::uint16_t port = 0;      // that owns it
        // In others_: another pool that reaches this broker from this address, by other ports.
        std::uint32_t next = kNoPlace;
    };
    template <IpFamily kFamily>
    struct Places {
        WordMap<ListenerKey<kFamily>, ListenerPlace> listeners;
        WordMap<BrokerKey<kFamily>, BrokerPlace> brokers;
    };

    template <IpFamily kFamily>
    const Places<kFamily>& places() const {
        return std::get<Places<kFamily>>(places_);
    }
    template <IpFamily kFamily>
    void add_listener(const SocketAddress& address, const ListenerPlace& place);
    template <IpFamily kFamily>
    void add_broker(const FourTuple& tuple, const BrokerPlace& place);
    void add_brokers(std::uint32_t pool, const backend::Pool& facts, const Topology& topology);
    // Its slot is kNoSlot where the port is not this worker's.
    PoolLease lease_at(const BrokerPlace& place, std::uint16_t source_port) const {
        const std::uint32_t slot = pools_[place.pool].slot_at(place.position, source_port);
        return {.pool = place.pool, .lease = {.backend = place.backend, .slot = slot}};
    }

    // As lease_at(), of the pool that has this port.
    PoolLease find_lease(const BrokerPlace& place, std::uint16_t source_port) const {
        PoolLease lease = lease_at(place, source_port);
        for (std::uint32_t next = place.next; lease.lease.slot == nat::kNoSlot && next != kNoPlace;)
            [[unlikely]] {
                lease = lease_at(others_[next], source_port);
                next = others_[next].next;
            }
        return lease;
    }
    nat::SourcePool make_source_pool(const backend::Pool& facts);

    const std::uint32_t worker_;
    const std::uint32_t workers_;
    SplitMix64 random_;
    std::vector<nat::SourcePool> pools_;
    flow::ClientIndex index_;
    std::tuple<Places<IpFamily::V4>, Places<IpFamily::V6>> places_;
    std::vector<BrokerPlace> others_;
};

}  // namespace sluice::worker
