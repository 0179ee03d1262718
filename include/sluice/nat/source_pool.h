// The pool of upstream source addresses and ports of one worker towards the backends of one pool. A lease is
// (source address, port, backend): the same address and port may be in use towards every backend at once,
// which is what lifts the limit of 64k connections. The lease is its own reverse index: an upstream packet
// finds its connection by array slot.
//
// Slots are numbered port by port with the addresses of a family side by side, so that fresh slots taken in
// order fill the addresses evenly and touch memory from its beginning on; what was never used costs nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/lazy_array.h"
#include "sluice/base/time.h"

namespace sluice::nat {

struct PortRange {
    std::uint16_t first = 1024;  // port 0 is never leased
    std::uint16_t last = 65535;  // inclusive
};

struct Lease {
    std::uint32_t backend = 0;  // backend's index as given to acquire()
    std::uint32_t slot = 0;     // position in the backend's array
    friend bool operator==(const Lease&, const Lease&) = default;
};

inline constexpr std::uint32_t kNoConnection = 0xffffffff;
inline constexpr std::uint32_t kNoSlot = 0xffffffff;

// Where the last connection of a lease ended, in the broker's view: the next one must go on from there.
struct LastUse {
    std::uint32_t sequence = 0;   // next sequence number that it would have sent
    std::uint32_t timestamp = 0;  // last TSval sent
    friend bool operator==(const LastUse&, const LastUse&) = default;
};

class SourcePool {
  public:
    struct Options {
        std::vector<IpAddress> addresses;  // one family per backend is used; may hold both
        PortRange ports;
        std::uint32_t worker = 0;  // leases only ports p with p % workers == worker
        std::uint32_t workers = 1;
        std::uint32_t backends = 1;
        Duration quarantine = std::chrono::seconds(1);  // a released lease rests this long
    };
    // Repeated addresses count once. Throws std::length_error when addresses x ports do not fit 32 bits.
    explicit SourcePool(const Options& options);

    // Makes room for more backends; leases stay valid. Fewer than now: nothing happens.
    void grow(std::uint32_t backends);
    std::uint32_t backends() const { return static_cast<std::uint32_t>(backends_.size()); }

    // A free lease towards `backend` whose source address is of `family`; fills addresses evenly, and takes
    // the longest-rested lease when no fresh one is left. nullopt: exhausted, or all that is left is in
    // quarantine. Requires connection != kNoConnection; `now` never goes back from call to call.
    std::optional<Lease> acquire(std::uint32_t backend, IpFamily family, std::uint32_t connection,
                                 Instant now);
    // The lease rests from now on. Nothing happens to one that is not leased.
    void release(Lease lease, Instant now, const LastUse& last_use);
    // How the lease was used before; nullopt when it never was, or so long ago that no broker remembers.
    std::optional<LastUse> last_use(Lease lease, Instant now) const;
    // The lease stands for another name from now on. Requires a lease that acquire() gave.
    void rename(Lease lease, std::uint32_t connection);

    // Requires a lease that acquire() gave.
    SocketAddress source(Lease lease) const;
    // connection given to acquire(), or kNoConnection when the tuple is not leased (never, any more, or not
    // this worker's).
    std::uint32_t find(std::uint32_t backend, const SocketAddress& source) const;
    std::uint32_t connection(Lease lease) const {
        if (lease.backend >= backends_.size()) return kNoConnection;
        const Backend& b = backends_[lease.backend];
        return lease.slot < b.connection.size() ? ~b.connection[lease.slot] : kNoConnection;
    }

    // find() in steps, for packets in bursts: the address's position never changes, so it can be looked up
    // once and kept; slot_at() is arithmetic; prefetch() brings what connection() will read.
    std::optional<std::uint32_t> address_position(const IpAddress& address) const;
    // kNoSlot when the port is not this worker's.
    std::uint32_t slot_at(std::uint32_t position, std::uint16_t port) const {
        if (port < first_port_) return kNoSlot;
        const std::uint32_t distance = port - first_port_;
        const std::uint32_t step = step_ == 1 ? distance : distance / step_;
        if (step >= ports_ || step * step_ != distance) return kNoSlot;
        const Family& f = families_[position < families_[1].first_address ? 0 : 1];
        return f.first_slot + step * f.addresses + (position - f.first_address);
    }
    void prefetch(Lease lease) const {
        __builtin_prefetch(backends_[lease.backend].connection.data() + lease.slot);
    }

    struct Usage {
        std::uint64_t capacity = 0;  // leases of that family
        std::uint64_t leased = 0;
        std::uint64_t quarantined = 0;  // not yet usable at `now`
    };
    Usage usage(std::uint32_t backend, IpFamily family, Instant now) const;

  private:
    // The slots of one family within every backend's arrays.
    struct Family {
        std::uint32_t first_address = 0;  // in addresses_
        std::uint32_t addresses = 0;
        std::uint32_t first_slot = 0;
        std::uint32_t slots = 0;
    };
    // The free slots of one family towards one backend: first those never used, then a list of the released,
    // longest rested first.
    struct Free {
        std::uint32_t fresh = 0;  // of the family's slots, this many were used at least once
        std::uint32_t head = kNoSlot;
        std::uint32_t tail = kNoSlot;
        std::uint32_t resting = kNoSlot;  // the first in the list not yet known to be past its quarantine
        std::uint32_t listed = 0;         // length of the list
        std::uint32_t rested = 0;         // length of its part before `resting`
    };
    struct Backend {
        LazyArray<std::uint32_t> connection;  // inverted, so that zero pages mean kNoConnection
        LazyArray<std::uint32_t> next;        // the list of the released
        LazyArray<Instant::rep> released;     // nanoseconds on the time line; 0: never
        LazyArray<LastUse> last_use;          // meaningful once released
        std::array<Free, 2> free;             // by family
    };

    // An address as two words, so that a search reads one place and compares without a call.
    struct AddressEntry {
        std::uint64_t upper = 0;
        std::uint64_t lower = 0;
        std::uint32_t position = kNoSlot;  // in addresses_; kNoSlot: the bucket is empty
    };

    static std::size_t index_of(IpFamily family) { return family == IpFamily::V4 ? 0 : 1; }
    const Family& family_of(std::uint32_t slot) const {
        return families_[slot < families_[1].first_slot ? 0 : 1];
    }
    const AddressEntry& address_entry(const IpAddress& address) const;
    std::uint32_t slot_of(const SocketAddress& source) const;
    bool leased(Lease lease) const;
    bool past_quarantine(const Backend& backend, std::uint32_t slot, Instant now) const;
    void review(Backend& backend, Free& free, Instant now) const;

    std::vector<IpAddress> addresses_;      // IPv4 first
    std::vector<AddressEntry> by_address_;  // open addressing, a power of two of buckets
    std::array<Family, 2> families_;
    std::uint32_t first_port_ = 0;  // the worker's first; the next ones follow in steps of step_
    std::uint32_t ports_ = 0;       // how many of them
    std::uint32_t step_ = 1;        // the number of workers
    Duration quarantine_;
    std::vector<Backend> backends_;
};

}  // namespace sluice::nat
