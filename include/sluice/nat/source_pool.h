// The pool of upstream source addresses and ports of one worker towards the backends of one pool. A lease is
// (source address, port, backend): the same address and port may be in use towards every backend at once,
// which is what lifts the limit of 64k connections. The lease is its own reverse index: an upstream packet
// finds its connection by array slot.
//
// Slots are numbered in blocks, one for each family and each time that new addresses came; within a block
// port by port with its addresses side by side, so that leases taken evenly touch one stretch of memory;
// what was never used costs nothing. A slot keeps its number and an address its position for ever.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
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
        // Leases begin this many of the worker's own ports behind its first one, and go around; any number.
        // Random in each process: brokers still know connections of the one before.
        std::uint64_t begin = 0;
    };
    // Repeated addresses count once. Throws std::length_error when addresses x ports do not fit 32 bits.
    explicit SourcePool(const Options& options);

    // From now on new leases come from these addresses only. Leases in use stay as they are. An address that
    // is not listed any more keeps its position and slots, and its free slots rest until it is listed again.
    // Throws std::length_error when all addresses there ever were x ports do not fit 32 bits, and
    // std::bad_alloc; then nothing has changed.
    void set_addresses(std::span<const IpAddress> addresses);
    // Makes room for more backends; leases stay valid. Fewer than now: nothing happens.
    void grow(std::uint32_t backends);
    std::uint32_t backends() const { return static_cast<std::uint32_t>(backends_.size()); }

    // A free lease towards `backend` whose source address is of `family`; fills addresses evenly, and takes
    // an address's longest-rested lease when it has no fresh one left. nullopt: exhausted, or all that is
    // left is in quarantine. Requires connection != kNoConnection; `now` never goes back from call to call.
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
    // kNoSlot when the port is not this worker's. Requires a position that address_position() gave.
    std::uint32_t slot_at(std::uint32_t position, std::uint16_t port) const {
        if (port < first_port_) return kNoSlot;
        const std::uint32_t distance = port - first_port_;
        const std::uint32_t step = step_ == 1 ? distance : distance / step_;
        if (step >= ports_ || step * step_ != distance) return kNoSlot;
        const Column& column = columns_[position];
        return column.first_slot + step * column.stride;
    }
    void prefetch(Lease lease) const {
        __builtin_prefetch(backends_[lease.backend].connection.data() + lease.slot);
    }

    // capacity - leased - quarantined is what could be leased at `now`.
    // Of each backend, numbered from 0: what an index of all leases runs over.
    std::uint32_t slots() const { return slots_; }

    struct Usage {
        std::uint64_t capacity = 0;  // of the addresses listed, and leases still in use at others
        std::uint64_t leased = 0;
        std::uint64_t quarantined = 0;  // of the addresses listed: not yet usable at `now`
    };
    Usage usage(std::uint32_t backend, IpFamily family, Instant now) const;

    struct AddressUsage {
        IpAddress address;
        bool active = true;  // listed; if not, its capacity is what is still leased
        std::uint64_t capacity = 0;
        std::uint64_t leased = 0;
        std::uint64_t quarantined = 0;
    };
    // Every address that is listed or still has leases towards the backend, of both families.
    std::vector<AddressUsage> usage_by_address(std::uint32_t backend, Instant now) const;
    // No lease towards the backend is in use.
    bool idle(std::uint32_t backend) const {
        return backend >= backends_.size() || backends_[backend].leased == 0;
    }

  private:
    // Addresses of one family that came together.
    struct Block {
        std::uint32_t first_slot = 0;
        std::uint32_t first_position = 0;
        std::uint32_t addresses = 0;  // never none
    };
    // Where the slots of an address lie: one for each port, `stride` apart.
    struct Column {
        std::uint32_t first_slot = 0;
        std::uint32_t stride = 0;
    };
    struct Address {
        IpAddress address;
        bool listed = false;
    };
    // The slots of one address towards one backend. Free are first those never used, in turn from begin_ on,
    // then a list of the released, longest rested first.
    struct Slots {
        std::uint32_t leased = 0;
        std::uint32_t fresh = 0;  // how many ports have been used, as a number of steps from begin_
        std::uint32_t head = kNoSlot;
        std::uint32_t tail = kNoSlot;
        std::uint32_t resting = kNoSlot;  // the first in the list not yet known to be past its quarantine
        std::uint32_t listed = 0;         // length of the list
        std::uint32_t rested = 0;         // length of its part before `resting`
        Instant::rep resting_since = 0;   // when `resting` was released, so that a query need not go there
    };
    // Whose turn it is among the addresses listed of one family.
    struct AddressRotation {
        std::uint32_t next = 0;    // in listed_
        std::uint32_t leased = 0;  // of the addresses listed
    };
    struct Backend {
        LazyArray<std::uint32_t> connection;   // inverted, so that zero pages mean kNoConnection
        LazyArray<std::uint32_t> next;         // the list of the released
        LazyArray<Instant::rep> released;      // nanoseconds on the time line; 0: never
        LazyArray<LastUse> last_use;           // meaningful once released
        std::vector<Slots> slots;              // by the address's position
        std::array<AddressRotation, 2> turns;  // by family
        std::uint32_t leased = 0;              // of all addresses
    };

    // An address as two words, so that a search reads one place and compares without a call.
    struct AddressEntry {
        std::uint64_t upper = 0;
        std::uint64_t lower = 0;
        std::uint32_t position = kNoSlot;  // in addresses_; kNoSlot: the bucket is empty
    };

    static std::size_t index_of(IpFamily family) { return family == IpFamily::V4 ? 0 : 1; }
    const AddressEntry& address_entry(const IpAddress& address) const;
    void enter(const IpAddress& address, std::uint32_t position);
    void add(const std::vector<IpAddress>& addresses);
    void list(std::span<const IpAddress> addresses);
    std::uint32_t slot_of(const SocketAddress& source) const;
    const Block& block_of(std::uint32_t slot) const;
    std::uint32_t position_of(std::uint32_t slot) const;
    bool leased(Lease lease) const;
    bool past_quarantine(Instant::rep released, Instant now) const {
        return now - Instant(Duration(released)) >= quarantine_;
    }
    bool available(const Slots& slots, Instant now) const;
    std::uint32_t choose_position(Backend& backend, IpFamily family, Instant now) const;
    void set_resting(const Backend& backend, Slots& slots, std::uint32_t slot) const;
    void review(const Backend& backend, Slots& slots, Instant now) const;
    AddressUsage usage_at(const Backend& backend, std::uint32_t position, Instant now) const;

    std::vector<Address> addresses_;                        // by position
    std::vector<Column> columns_;                           // by position
    std::vector<Block> blocks_;                             // by first slot
    std::array<std::vector<std::uint32_t>, 2> listed_;      // positions that leases come from, by family
    std::vector<AddressEntry> by_address_{AddressEntry{}};  // open addressing, a power of two of buckets
    std::uint32_t slots_ = 0;                               // of every backend
    std::uint32_t first_port_ = 0;  // the worker's first; the next ones follow in steps of step_
    std::uint32_t ports_ = 0;       // how many of them
    std::uint32_t step_ = 1;        // the number of workers
    std::uint32_t begin_ = 0;       // the port leased first, as a number of steps from first_port_
    Duration quarantine_;
    std::vector<Backend> backends_;
};

}  // namespace sluice::nat
