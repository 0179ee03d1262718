// Next hops that are kept instead of asked for. A record has the MACs of both its ends, a connection with
// endpoints that of its client, so that no packet asks for a neighbor. Here it is known which neighbors those
// are: they are asked for now and then, and when one is somewhere else, everything that goes by it follows.
//
// A broker goes by the neighbor that the topology names. So does a client, whose next hop is itself or the
// gateway of its port, unless its packets come by another neighbor that is known: then it goes by that one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/host/frame_output.h"
#include "sluice/session/connection.h"
#include "sluice/splice/record.h"
#include "worker/context.h"

namespace sluice::worker {

class ConnectionTable;
class Spliced;

class Ways final : public host::NeighborNews {
  public:
    Ways(WorkerContext& context, host::FrameOutput& output);

    // --- users of each way; each join has its leave ---
    // A client's connection, in whatever form, from its SYN to its end. tuple.local is Sluice's end.
    void join_client(Instant now, const FourTuple& client);
    void leave_client(const FourTuple& client);
    // A record towards a broker. mac: of the hop.
    void join_broker(Instant now, const NextHop& hop, const MacAddress& mac);
    void leave_broker(const FourTuple& upstream);

    void neighbor_seen(const host::Sighting& sighting) override;

    // --- time ---
    // At most a portion of the connections is looked at; true when there was anything to do.
    bool on_timer(Instant now, ConnectionTable& connections, Spliced& spliced);
    Instant next_deadline() const;
    // A connection has left those at rest for those with endpoints: a pass that is under way may have met it
    // in neither place.
    void follow(session::Connection& connection) const;

  private:
    // A neighbor that connections go by, clients themselves excepted.
    struct TrackedNeighbor {
        MacAddress mac;  // zero: never heard of
        std::uint32_t users = 0;
    };
    // A neighbor that is somewhere else now.
    struct Move {
        MacAddress mac;
        std::vector<MacAddress> former;  // where it was
    };
    // Whose a MAC is, or was until just now.
    struct MacOwner {
        IpAddress neighbor;
        bool several = false;  // that one and others
    };
    // One look through all connections, for all moves that were known when it began. Those with endpoints
    // come first: one that rests or is spliced meanwhile is met again in its other form.
    struct Pass {
        enum class Stage : std::uint8_t { Connections, Resting, Records4, Records6, Over };
        Stage stage = Stage::Over;
        std::uint32_t next = 0;  // number to look at next
        Instant began;
        absl::flat_hash_map<NextHop, Move> moves;
        std::vector<NextHop> left;                            // keys of those that were somewhere else before
        absl::flat_hash_map<std::uint64_t, MacOwner> owners;  // by place()
    };

    void join(Instant now, const NextHop& hop, const MacAddress& mac);
    void leave(const NextHop& hop);
    void move(const NextHop& neighbor, const MacAddress& mac, const std::optional<MacAddress>& before);
    bool ask(Instant now);
    bool follow(Instant now, ConnectionTable& connections, Spliced& spliced);
    void begin(Instant now);
    void note_owner(const NextHop& neighbor, const MacAddress& mac);
    bool is_of_another(const NextHop& neighbor, const MacAddress& mac) const;
    bool sweep(ConnectionTable& connections);
    bool sweep_resting(ConnectionTable& connections);
    template <IpFamily kFamily>
    bool sweep(Spliced& spliced);
    // Where a client that is reached at `mac` by `port` is now; nullptr: where it was.
    const MacAddress* client_at(const FourTuple& client, std::uint16_t port, const MacAddress& mac) const;
    const MacAddress* broker_at(const FourTuple& upstream) const;
    static bool is_client_itself(const NextHop& hop, const FourTuple& client) {
        return hop.neighbor == client.remote.address;
    }

    const Topology& topology_;
    host::FrameOutput& output_;
    CounterSet& counters_;
    absl::flat_hash_map<NextHop, TrackedNeighbor> hops_;
    std::vector<std::uint32_t> at_home_;          // by port: connections whose next hop is the client itself
    Instant next_question_ = kNever;              // kNever: nobody to ask for
    absl::flat_hash_map<NextHop, Move> waiting_;  // for the next pass
    bool urgent_ = false;                         // one that others go by was elsewhere before
    Pass pass_;
    Instant rested_{};  // when a pass that is not urgent may begin
};

}  // namespace sluice::worker
