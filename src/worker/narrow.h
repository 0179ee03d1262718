// Paths of spliced connections that take less than the port at their beginning, and how packets pass them:
// cut into smaller ones here, so that neither end has to know. The limit belongs to one connection. The end
// that sends would keep it for an address instead, and many clients share the one that a broker sees.
#pragma once

#include <cstdint>

#include <absl/container/flat_hash_map.h>

#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/host/frame_output.h"
#include "sluice/splice/packet.h"
#include "sluice/splice/record.h"
#include "worker/reference.h"

namespace sluice::worker {

// What a path takes.
struct Room {
    std::uint32_t size = 0;  // bytes of an IP packet
    bool fragments = false;  // some links take still less: routers have to fragment

    friend bool operator==(const Room&, const Room&) = default;
};

class NarrowPaths {
  public:
    // After this a larger path is tried again (RFC 1191 section 6.3, RFC 8201 section 4).
    static constexpr Duration kBelieved = std::chrono::minutes(10);
    // The smallest packets that are cut for an IPv4 path, the size of slow serial lines in RFC 1191: a
    // message that claims less makes packets fragmentable instead, so that nobody can have one made into
    // dozens.
    static constexpr std::uint16_t kSmallest = 296;

    // way: of `connection`, in `direction`. mtu: of the port that it leaves by.
    // Requires way.has(DirectionState::kNarrow), which is cleared when the limit has grown old.
    Room room(Instant now, Reference connection, splice::Direction direction, splice::DirectionState& way,
              std::uint16_t mtu);
    // A router says that the path takes `told` bytes. False when that is nothing new.
    bool narrow(Instant now, Reference connection, splice::Direction direction, splice::DirectionState& way,
                std::uint16_t mtu, std::uint16_t told);
    // The connection is over.
    void erase(Reference connection);
    std::size_t size() const { return limits_.size(); }

  private:
    struct Limit {
        Room room;
        Instant until;
    };
    static std::uint64_t key(Reference connection, splice::Direction direction) {
        return std::uint64_t{connection.raw()} << 1U | static_cast<std::uint64_t>(direction);
    }

    absl::flat_hash_map<std::uint64_t, Limit> limits_;
};

// Whether send_narrow() can bring the packet into such a room.
template <IpFamily kFamily>
bool fits_narrow(const splice::Packet<kFamily>& packet, const Room& room);
// Sends a packet that is ready to leave, in pieces where it is too large; frame is its own.
template <IpFamily kFamily>
void send_narrow(host::FrameOutput& output, CounterSet& counters, std::uint16_t port,
                 const port::Frame& frame, const splice::Packet<kFamily>& packet, const Room& room);

}  // namespace sluice::worker
