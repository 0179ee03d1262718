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
#include <type_traits>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "sluice/flow/client_index.h"
#include "sluice/nat/source_pool.h"
#include "sluice/splice/record.h"
#include "sluice/worker/worker.h"
#include "worker/reference.h"

namespace sluice::worker {

// A lease and the pool whose brokers it leads to.
struct PoolLease {
    std::uint32_t pool = 0;
    nat::Lease lease;
};

class Directory {
  public:
    Directory(const WorkerOptions& options, const WorkerResources& resources);

    // --- listeners ---
    // tuple.local is Sluice's end, as everywhere. nullopt: nothing listens there.
    std::optional<std::uint32_t> listener_at(const SocketAddress& address) const;
    // Of a packet that arrived by `leg` (its destination is local). false also when the packet came in by
    // another port than the one that owns the address.
    template <IpFamily kFamily>
    bool is_from_client(const splice::Ends<kFamily>& leg, std::uint16_t port) const {
        const auto& listeners = places<kFamily>().listeners;
        const auto entry = listeners.find({leg.local, leg.local_port});
        return entry != listeners.end() && entry->second.port == port;
    }

    // --- clients ---
    std::uint64_t hash(const FourTuple& tuple) const { return index_.hash(tuple); }
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
    // As is_from_client().
    template <IpFamily kFamily>
    std::optional<PoolLease> lease_at(const splice::Ends<kFamily>& leg, std::uint16_t port) const {
        const auto& brokers = places<kFamily>().brokers;
        const auto entry = brokers.find({leg.remote, leg.local, leg.remote_port});
        if (entry == brokers.end() || entry->second.port != port) return std::nullopt;
        return lease_at(entry->second, load16(leg.local_port.data()));
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
    // Keys as packets carry them. Neither is an outsider's choice, so a plain multiplicative hash does.
    template <IpFamily kFamily>
    struct ListenerKey {
        std::array<std::byte, splice::kAddressSize<kFamily>> address;
        std::array<std::byte, 2> port;
        friend bool operator==(const ListenerKey&, const ListenerKey&) = default;
    };
    // A broker as seen from a source address: which pool's leases name the connection.
    template <IpFamily kFamily>
    struct BrokerKey {
        std::array<std::byte, splice::kAddressSize<kFamily>> broker;
        std::array<std::byte, splice::kAddressSize<kFamily>> source;
        std::array<std::byte, 2> port;
        friend bool operator==(const BrokerKey&, const BrokerKey&) = default;
    };
    struct WordHash {
        template <typename Key>
        std::size_t operator()(const Key& key) const {
            static_assert(std::has_unique_object_representations_v<Key>);
            std::array<std::uint64_t, (sizeof(Key) + 7) / 8> words{};
            std::memcpy(words.data(), &key, sizeof(Key));
            std::uint64_t sum = 0;
            for (const std::uint64_t word : words) sum = (std::rotl(sum, 29) ^ word) * 0x9e3779b97f4a7c15U;
            return static_cast<std::size_t>(sum ^ sum >> 32U);
        }
    };
    struct ListenerPlace {
        std::uint32_t listener = 0;
        std::uint16_t port = 0;  // that owns the address
    };
    struct BrokerPlace {
        std::uint32_t pool = 0;
        std::uint32_t backend = 0;
        std::uint32_t position = 0;  // of the source address in the pool
        std::uint16_t port = 0;      // that owns it
    };
    template <IpFamily kFamily>
    struct Places {
        absl::flat_hash_map<ListenerKey<kFamily>, ListenerPlace, WordHash> listeners;
        absl::flat_hash_map<BrokerKey<kFamily>, BrokerPlace, WordHash> brokers;
    };

    template <IpFamily kFamily>
    const Places<kFamily>& places() const {
        return std::get<Places<kFamily>>(places_);
    }
    template <IpFamily kFamily>
    void add_listener(const SocketAddress& address, const ListenerPlace& place);
    template <IpFamily kFamily>
    void add_broker(const FourTuple& tuple, const BrokerPlace& place);
    std::optional<PoolLease> lease_at(const BrokerPlace& place, std::uint16_t source_port) const {
        const auto lease = pools_[place.pool].lease_at(place.backend, place.position, source_port);
        return lease ? std::optional(PoolLease{place.pool, *lease}) : std::nullopt;
    }

    std::vector<nat::SourcePool> pools_;
    flow::ClientIndex index_;
    std::tuple<Places<IpFamily::V4>, Places<IpFamily::V6>> places_;
};

}  // namespace sluice::worker
