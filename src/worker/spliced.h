// The spliced connections of one worker: makes their records, ends them, and answers what is asked about
// them. Their packets pass through the forwarder, which tells what came of each.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "sluice/host/frame_output.h"
#include "sluice/session/summary.h"
#include "sluice/splice/icmp_quote.h"
#include "sluice/splice/make_record.h"
#include "sluice/splice/table.h"
#include "sluice/splice/translate.h"
#include "sluice/wire/icmp.h"
#include "worker/context.h"
#include "worker/flow_table.h"
#include "worker/icmp_errors.h"
#include "worker/liveness.h"
#include "worker/narrow.h"
#include "worker/session_news.h"
#include "worker/ways.h"

namespace sluice::worker {

class Spliced {
  public:
    Spliced(WorkerContext& context, FlowTable& flow_table, host::FrameOutput& output, Ways& ways,
            SessionNews& news, Instant now);

    // What is told of a connection's session when it ends; of most, nothing.
    struct Memory {
        session::Stay stay;        // its key is 0 where the session is not remembered
        std::uint32_t expiry = 0;  // seconds
    };

    // Makes the record of a connection that was known as `relayed` so far, and takes over its lease and its
    // place in the client index. False when there is no room. hop: the neighbor that joint.broker.mac is of.
    bool adopt(Instant now, Reference relayed, const splice::Joint& joint, const splice::Label& label,
               const Memory& memory, const NextHop& hop, const SocketAddress& identity);
    // Whether reference, which is_spliced(), is the connection of this client.
    bool is_client(Reference reference, const FourTuple& client) const;

    template <IpFamily kFamily>
    splice::Table<kFamily>& table() {
        return const_cast<splice::Table<kFamily>&>(std::as_const(*this).table<kFamily>());
    }
    template <IpFamily kFamily>
    const splice::Table<kFamily>& table() const {
        if constexpr (kFamily == IpFamily::V4) {
            return table4_;
        } else {
            return table6_;
        }
    }

    // What translating a packet of the record came to, if it was more than Forward and no drop. sequence: the
    // packet's, as it left.
    template <IpFamily kFamily>
    void on_verdict(Instant now, std::uint32_t id, splice::Direction direction, splice::Verdict verdict,
                    tcp::Seq sequence);
    // Somebody opens a connection's tuple anew, from the end that `from` comes from. Such a packet passes to
    // nobody: it is answered by a challenge ACK, and its end is asked whether the connection is still there.
    void on_syn(Instant now, Reference connection, splice::Direction from);
    // A client's SYN may open anew what only waits for stragglers: ends the old connection and returns true
    // if its timestamp or, without one on both, its sequence number lies after everything used (RFC 6191).
    bool make_room(Instant now, Reference old, const tcp::Segment& syn);
    // What a packet may have that leaves by this way of the record, whose port has that MTU.
    template <IpFamily kFamily>
    Room room(Instant now, std::uint32_t id, splice::Direction direction, std::uint16_t mtu) {
        splice::DirectionState& way = table<kFamily>()[id].core.way(direction);
        if (!way.has(splice::DirectionState::kNarrow)) [[likely]] {
            return {.size = mtu};
        }
        return paths_.room(now, {kSplicedKind<kFamily>, id}, direction, way, mtu);
    }
    // A router's word that the path of a packet takes no more than mtu bytes. It changes what Sluice sends by
    // that path and is told nobody. False when the packet is no spliced connection's.
    bool on_packet_too_big(Instant now, const QuotedSegment& quoted, std::uint16_t mtu);
    // Passes another ICMP error on to the end whose packet it is about; false likewise.
    bool on_icmp_error(Instant now, const QuotedSegment& quoted, const wire::IcmpMessage& message);
    IcmpErrors& errors() { return errors_; }

    // At most one batch a turn; true when there was anything to do.
    bool on_timer(Instant now);
    Instant next_deadline() const;

    // Resets both ends of all of them.
    void end_all(Instant now);
    // As ConnectionTable has them; of connections that are not over.
    bool evict(Instant now, Reference reference, bool persistent_too, Counter reason);
    bool kill(Instant now, Reference reference, const FourTuple& client);
    std::uint32_t size() const { return table4_.size() + table6_.size(); }
    // Grows whenever a record ends: what was found before is to be found again.
    std::uint64_t ended() const { return ended_; }
    std::uint32_t timers() const { return table4_.timers().size() + table6_.timers().size(); }
    // Rows of the references `from` and up; returns the one to go on from, or flow::kNoEntry at the end.
    std::uint32_t list(Instant now, std::uint32_t from, std::span<ListedConnection> out,
                       std::size_t& written) const;
    std::uint64_t reserved_bytes() const;
    std::uint64_t used_bytes() const;

  private:
    template <IpFamily kFamily>
    void remove(Instant now, std::uint32_t id);
    template <IpFamily kFamily>
    void forget(Instant now, std::uint32_t id);
    template <IpFamily kFamily>
    void tell_ending(Instant now, std::uint32_t id, Counter reason);
    template <IpFamily kFamily>
    void expire(Instant now, std::uint32_t id);
    template <IpFamily kFamily>
    void reset_both(const splice::Record<kFamily>& record);
    template <IpFamily kFamily>
    void end(Instant now, std::uint32_t id, Counter reason);
    template <IpFamily kFamily>
    ListedConnection listed(Instant now, std::uint32_t id) const;
    // Who the quoted packet is of, and where it was going.
    struct Passing {
        Reference connection;
        splice::Direction direction;
    };
    std::optional<Passing> find(const QuotedSegment& quoted) const;
    template <IpFamily kFamily>
    splice::QuoteVerdict pass_error(Instant now, std::uint32_t id, splice::Direction direction,
                                    const wire::IcmpMessage& message);
    Instant deadline(Instant now, const splice::Core& core) const;
    template <IpFamily kFamily>
    session::ConnectionSummary summary(Instant now, std::uint32_t id) const;
    LazyArray<Memory>& memories(IpFamily family) { return memories_[family == IpFamily::V4 ? 0 : 1]; }
    Instant next_look(Instant now, const splice::Core& core) const;
    // spliced_liveness.cc: whether an end is still there
    template <IpFamily kFamily>
    void send_ack(std::uint32_t id, splice::Direction direction, splice::Ask ask);
    template <IpFamily kFamily>
    LivenessCheck* ask(std::uint32_t id, splice::Direction asked, LivenessCheck::Why why, Counter verdict);
    template <IpFamily kFamily>
    void stop_asking(std::uint32_t id);
    template <IpFamily kFamily>
    void probe(Instant now, std::uint32_t id, LivenessCheck& check);
    template <IpFamily kFamily>
    void doubt_reset(Instant now, std::uint32_t id, splice::Direction direction, tcp::Seq at);
    template <IpFamily kFamily>
    Counter reason_of_reset(std::uint32_t id, splice::Direction direction);
    template <IpFamily kFamily>
    void on_answer(Instant now, std::uint32_t id);
    template <IpFamily kFamily>
    void go_on_asking(Instant now, std::uint32_t id, LivenessCheck& check);
    template <IpFamily kFamily>
    void ask_silent_broker(Instant now, std::uint32_t id);
    bool check_liveness(Instant now);
    // Of the record's broker, over all pools.
    std::uint32_t position(const splice::Core& core) const {
        return context_.snapshot->pools[core.pool].backends[core.backend].position;
    }

    const WorkerContext& context_;
    const Topology& topology_;
    FlowTable& flow_table_;
    host::FrameOutput& output_;
    Ways& ways_;
    std::vector<ListenerLoad>& listeners_;
    backend::LoadTable& load_;
    CounterSet& counters_;
    backend::BackendStats& stats_;
    EventQueue& events_;
    SessionNews& news_;
    const std::uint32_t worker_;
    splice::Table<IpFamily::V4> table4_;
    splice::Table<IpFamily::V6> table6_;
    // By reference: of clients whose stream named somebody else than its sender.
    absl::flat_hash_map<std::uint32_t, SocketAddress> identities_;
    std::array<LazyArray<Memory>, 2> memories_;  // by family, as the records are numbered
    IcmpErrors errors_;
    NarrowPaths paths_;
    LivenessChecks checks_;
    std::uint64_t ended_ = 0;
};

}  // namespace sluice::worker
