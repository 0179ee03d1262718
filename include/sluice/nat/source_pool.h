// The pool of upstream source addresses and ports of one worker towards the backends of one pool. A lease is
// (source address, port, backend): the same address and port may be in use towards every backend at once,
// which is what lifts the limit of 64k connections. The lease is its own reverse index: an upstream packet
// finds its connection by array slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/time.h"

namespace sluice::nat {

struct PortRange {
    std::uint16_t first = 1024;
    std::uint16_t last = 65535;  // inclusive
};

struct Lease {
    std::uint32_t backend = 0;  // backend's index as given to acquire()
    std::uint32_t slot = 0;     // position in the backend's array
    friend bool operator==(const Lease&, const Lease&) = default;
};

inline constexpr std::uint32_t kNoConnection = 0xffffffff;

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
    explicit SourcePool(Options options);

    // A free lease towards `backend` whose source address is of `family`; fills addresses evenly, and takes
    // the longest-rested lease when no fresh one is left. nullopt: exhausted.
    std::optional<Lease> acquire(std::uint32_t backend, IpFamily family, std::uint32_t connection,
                                 Instant now);
    void release(Lease lease, Instant now);

    SocketAddress source(Lease lease) const;
    // connection given to acquire(), or kNoConnection when the tuple is not leased (never, any more, or not
    // this worker's).
    std::uint32_t find(std::uint32_t backend, const SocketAddress& source) const;
    std::uint32_t connection(Lease lease) const;

    struct Usage {
        std::uint64_t capacity = 0;  // leases of that family
        std::uint64_t leased = 0;
        std::uint64_t quarantined = 0;  // not yet usable at `now`
    };
    Usage usage(std::uint32_t backend, IpFamily family, Instant now) const;
};

}  // namespace sluice::nat
