// The connections of one worker that have TCP endpoints, or rest until they need them again: finds the one a
// segment belongs to, drives its session, keeps its timer, and writes what the session sends as frames. Those
// that a record has replaced are Spliced's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/functional/function_ref.h>

#include "sluice/flow/slab.h"
#include "sluice/flow/timer_wheel.h"
#include "sluice/host/frame_output.h"
#include "sluice/session/session.h"
#include "sluice/session/waiting_room.h"
#include "sluice/tcp/syn_cookie.h"
#include "worker/answers.h"
#include "worker/context.h"
#include "worker/flow_table.h"
#include "worker/resting_table.h"
#include "worker/session_news.h"
#include "worker/spliced.h"
#include "worker/ways.h"

namespace sluice::worker {

class ConnectionTable final : public session::Transmitter, public host::FailedNeighbors {
  public:
    ConnectionTable(WorkerContext& context, FlowTable& flow_table, Spliced& spliced,
                    host::FrameOutput& output, Answers& answers, Ways& ways, SessionNews& news, Instant now);

    // --- input; tuple.local is Sluice's end ---
    // Both return Punt when the packet is a spliced connection's, now at the latest: to be translated.
    [[nodiscard]] host::Disposition on_client_segment(Instant now, std::uint32_t listener,
                                                      const FourTuple& tuple, const Arrival& arrival,
                                                      const tcp::Segment& segment);
    [[nodiscard]] host::Disposition on_broker_segment(Instant now, const FourTuple& tuple,
                                                      const Arrival& arrival, const tcp::Segment& segment);
    // mtu: of the hop that could not pass the packet on, in bytes.
    void on_packet_too_big(Instant now, const QuotedSegment& quoted, std::uint16_t mtu);
    void on_unreachable(Instant now, const QuotedSegment& quoted);
    void neighbor_failed(Instant now, const NextHop& neighbor, std::span<const port::Frame> waited) override;
    // A segment that reaches no connection (RFC 9293 section 3.10.7.1).
    void reset(Instant now, const FourTuple& tuple, const Arrival& arrival, const tcp::Segment& segment);

    // --- time ---
    // At most one batch of due timers a turn, so that packets are not kept waiting; true when any fired.
    bool on_timer(Instant now);
    Instant next_deadline() const { return std::min(wheel_.next_wakeup(), resting_.timers().next_wakeup()); }

    // --- control ---
    void use(const backend::Snapshot* snapshot) {
        context_.snapshot = snapshot;
        waiting_.use(snapshot->connect_memory);
    }
    void accept_no_more() { accepting_ = false; }
    void end_all(Instant now);
    // Ends a relayed connection by reset of both ends, on behalf of `reason`, once they have what they are
    // owed; of a broker that is down, at once. False when it is not established or over already, or
    // persistent and these are not wanted yet.
    // reference: not is_spliced(), here and below.
    bool evict(Instant now, Reference reference, bool persistent_too, Counter reason);
    // Ends it in whatever phase; false when it is not this client's any more.
    bool kill(Instant now, Reference reference, const FourTuple& client);
    // Those that have endpoints, and those at rest; as Spliced::list().
    std::uint32_t list(Instant now, std::uint32_t from, std::span<ListedConnection> out,
                       std::size_t& written) const;
    std::uint32_t list_resting(Instant now, std::uint32_t from, std::span<ListedConnection> out,
                               std::size_t& written) const;
    bool is_client(Reference reference, const FourTuple& client) const {
        const std::uint32_t n = reference.number();
        return (reference.kind() == Reference::Kind::Resting ? resting_[n].client : slab_[n].client) ==
               client;
    }
    std::uint32_t size() const { return slab_.size() + resting_.size(); }
    std::uint32_t resting() const { return resting_.size(); }
    // For changes of where their packets go, and nothing else.
    flow::Slab<session::Connection>& connections() { return slab_; }
    RestingTable& resting_connections() { return resting_; }
    std::uint32_t timers() const { return wheel_.size() + resting_.timers().size(); }
    // Held for clients that no broker has accepted yet.
    std::uint64_t connect_bytes() const { return waiting_.held(); }
    std::uint64_t reserved_bytes() const {
        return slab_.memory_bytes() + wheel_.memory_bytes() + resting_.reserved_bytes();
    }
    // An estimate: of many connections, some are looked at.
    std::uint64_t used_bytes() const;

    // --- session::Transmitter ---
    void to_client(const session::Connection& connection, const tcp::Segment& segment) override;
    void to_broker(const session::Connection& connection, const tcp::Segment& segment) override;
    std::uint16_t broker_mss(const IpAddress& source) const override;
    void attempt_failed(std::uint32_t backend, const backend::Outcome& outcome, Instant since) override;
    void attempt_succeeded(std::uint32_t backend) override;
    std::optional<session::LinkDestination> broker_hop(const session::Connection& connection) override;
    void learned(const session::Stay& stay) override { news_.learned(now_, stay); }
    bool splice(const session::Connection& connection, const splice::Joint& joint) override;
    bool rest(session::Connection& connection) override;

  private:
    // connection_table_open.cc: how connections begin
    void accept(Instant now, std::uint32_t listener, const FourTuple& tuple, const Arrival& arrival,
                const tcp::Segment& syn, std::uint64_t hash);
    bool complete(Instant now, std::uint32_t listener, const FourTuple& tuple, const Arrival& arrival,
                  const tcp::Segment& ack, std::uint64_t hash);
    std::optional<Counter> obstacle(std::uint32_t listener, const IpAddress& client) const;
    std::uint32_t hold(Instant now, std::uint32_t listener, const FourTuple& tuple, const Arrival& arrival,
                       const tcp::EndpointOptions& options, std::uint64_t hash);
    void answer_by_cookie(Instant now, std::uint32_t listener, const FourTuple& tuple, const Arrival& arrival,
                          const tcp::Segment& syn);
    tcp::EndpointOptions client_options(std::uint32_t listener, const FourTuple& tuple,
                                        const Arrival& arrival) const;
    tcp::SynCookies& cookies(std::uint32_t listener);
    std::uint32_t half_open_limit(std::uint32_t listener) const;
    bool let_go(std::uint32_t id);
    // connection_table_rest.cc: rests
    std::uint32_t wake(Instant now, std::uint32_t number);
    // The number of a connection that has endpoints from here on.
    std::uint32_t awake(Instant now, Reference reference);
    Instant idle_deadline(Instant now, std::uint32_t resting) const;
    void expire(Instant now, std::uint32_t resting);
    std::optional<Reference> find_client(const FourTuple& tuple, std::uint64_t hash) const;
    std::optional<Reference> find_broker(const FourTuple& tuple) const;
    // The connection with endpoints that a quoted segment belongs to; flow::kNoEntry for none.
    std::uint32_t relayed_client(const FourTuple& tuple) const;
    std::uint32_t relayed_broker(const FourTuple& tuple) const;
    bool meets_attempt(Reference found, const tcp::Segment& segment) const;
    bool makes_room_for(const session::Connection& old, const tcp::Segment& syn) const;
    bool make_room(Instant now, Reference old, std::uint64_t hash, const tcp::Segment& syn);
    host::Disposition on_spliced(Instant now, Reference spliced, splice::Direction from,
                                 const tcp::Segment& segment);
    void follow_client(session::Connection& c, const Arrival& arrival, const tcp::Segment& segment);
    // Runs `event(session)` on a connection and settles what it changed: timer, counts, removal.
    void drive(Instant now, std::uint32_t id, absl::FunctionRef<void(session::Session&)> event);
    // The same without what others must be told, or must go for.
    void run(Instant now, std::uint32_t id, absl::FunctionRef<void(session::Session&)> event);
    void relieve(Instant now);
    void drain_unreachable(Instant now);
    void tell_ending(const session::Connection& c);
    void remove(std::uint32_t id);

    const WorkerOptions& options_;
    const Topology& topology_;
    FlowTable& flow_table_;
    Spliced& spliced_;
    std::vector<ListenerLoad>& listeners_;
    std::vector<tcp::SynCookies> cookies_;  // by listener
    host::FrameOutput& output_;
    Answers& answers_;
    Ways& ways_;
    CounterSet& counters_;
    EventQueue& events_;
    SessionNews& news_;
    backend::Chooser chooser_;
    session::WaitingRoom waiting_;
    session::SessionContext context_;
    flow::Slab<session::Connection> slab_;
    flow::TimerWheel wheel_;
    RestingTable resting_;
    std::vector<Instant> succeeded_;  // by backend position: when it took a client last
    std::vector<bool> failing_;       // by backend position: an AttemptFailed was the last that control heard
    Instant now_;                     // of the event being driven; Transmitter's calls happen within it
    bool accepting_ = true;

    // Connections whose packets wait for a neighbor, so that they can be told at once when it does not
    // answer.
    absl::flat_hash_map<NextHop, std::vector<std::uint32_t>> awaiting_neighbor_;
    std::vector<std::uint32_t> unreachable_;  // found so while being driven; told afterwards
};

}  // namespace sluice::worker
