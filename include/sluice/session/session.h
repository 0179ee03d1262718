// What a connection does with what happens to it: the life of a connection from the client's SYN to both
// ends' close (doc/connection.md). A Session is a short-lived view over one Connection and its surroundings,
// made for one event.
//
//   Handshake -> AwaitConnect -> Connecting -> Replaying -> Relayed -> Spliced (a record goes on alone)
//                     |              |            |            |   <-> Resting (until something happens)
//                     +--------------+------------+            +-> Delivering -> Ended
//                                    |                         |
//                                    +-> Refusing -------------+-> Closing -> Ended
//
// No clock, no I/O: segments leave through Transmitter, the caller fires on_timer() at deadline().
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/backend/backend_stats.h"
#include "sluice/backend/chooser.h"
#include "sluice/backend/health_tracker.h"
#include "sluice/backend/load_table.h"
#include "sluice/backend/snapshot.h"
#include "sluice/base/counters.h"
#include "sluice/base/siphash.h"
#include "sluice/mqtt/connack.h"
#include "sluice/mqtt/writer.h"
#include "sluice/nat/source_pool.h"
#include "sluice/session/connection.h"
#include "sluice/session/waiting_room.h"
#include "sluice/session/whereabouts.h"
#include "sluice/splice/make_record.h"
#include "sluice/tcp/syn_cookie.h"

namespace sluice::session {

// Where frames to somebody are handed to.
struct LinkDestination {
    std::uint16_t port = 0;
    MacAddress mac;
};

// What a session needs from the owner of the network side.
class Transmitter {
  public:
    virtual void to_client(const Connection& connection, const tcp::Segment& segment) = 0;
    virtual void to_broker(const Connection& connection, const tcp::Segment& segment) = 0;
    // Largest TCP payload, without options, that the way from `source` to a broker takes.
    virtual std::uint16_t broker_mss(const IpAddress& source) const = 0;
    // A broker refused or ignored a client's connection, or said that it is unavailable; or it took one.
    // backend: position over all pools. since: when the attempt that failed was begun; kNever: not known.
    virtual void attempt_failed(std::uint32_t backend, const backend::Outcome& outcome, Instant since) = 0;
    virtual void attempt_succeeded(std::uint32_t backend) = 0;
    // The way to the connection's broker; nullopt while its neighbor is being asked for.
    virtual std::optional<LinkDestination> broker_hop(const Connection& connection) = 0;
    // Something was learned of a session: for this worker's table and for the others'.
    virtual void learned(const Stay& stay) = 0;
    // Makes the record that replaces the two endpoints, and gives it the lease. False when there is no room.
    virtual bool splice(const Connection& connection, const splice::Joint& joint) = 0;
    // Keeps of the connection what resting.h says until something happens to it; its codecs are taken.
    // False when there is no room, and then nothing has changed.
    virtual bool rest(Connection& connection) = 0;

  protected:
    ~Transmitter() = default;
};

// One worker's state that its sessions share. Borrowed.
struct SessionContext {
    const backend::Snapshot* snapshot;  // replaced by control between two events
    backend::Chooser& chooser;
    backend::LoadTable& load;
    std::vector<nat::SourcePool>& source_pools;  // by pool
    CounterSet& counters;
    backend::BackendStats& stats;
    Transmitter& transmitter;
    const Whereabouts& whereabouts;
    const WaitingRoom& waiting;
    CodecSource* codecs;  // nullptr: no leg has any
    SipKey isn_key;
    SipKey session_key;
    std::uint32_t worker = 0;
};

// SessionName::scope of a client that has this balancing key in the pool.
std::uint64_t session_scope(const backend::Pool& pool, std::optional<std::uint64_t> key);

class Session {
  public:
    Session(Connection& connection, SessionContext& surroundings) : c_(connection), s_(surroundings) {}

    // The SYN that made this connection, answered with that initial sequence number.
    void open(Instant now, const tcp::Segment& syn, tcp::Seq initial);
    // In place of it, where a cookie took the SYN's place: the next segment is the one that brought it.
    void open(Instant now, const tcp::SynCookies::Opening& opening);
    // Both may splice the connection (phase Spliced). They return false when that happened before the
    // segment's text and FIN were taken: the packet is then the record's to translate.
    [[nodiscard]] bool on_client_segment(Instant now, const tcp::Segment& segment);
    [[nodiscard]] bool on_broker_segment(Instant now, const tcp::Segment& segment);
    // The broker's address cannot be reached: ICMP unreachable that quotes our SYN, or no answer to ARP or
    // NDP.
    void on_broker_unreachable(Instant now);
    void on_client_path_mss(Instant now, std::uint16_t mss);
    void on_broker_path_mss(Instant now, std::uint16_t mss);
    void on_timer(Instant now);
    // Ends a connection that only waits for stragglers (Closing), because its tuple opens anew.
    void make_room(Instant now) { end(now); }
    // Ends both legs by reset, on behalf of `reason`: at once, whatever either end was acknowledged and the
    // other has not got yet.
    void terminate(Instant now, Counter reason);
    // Likewise of a relayed connection, but either end is reset when it has got that.
    void conclude(Instant now, Counter reason);

    // When on_timer() is due; kNever for none. It may put the connection to rest (phase Resting).
    Instant deadline() const;

  private:
    // session.cc: which phase's step to take
    void advance(Instant now);
    void step_handshake(Instant now);
    void step_closing(Instant now);
    Instant phase_deadline() const;
    Instant idle_deadline() const;
    void on_phase_deadline(Instant now);
    // connect.cc: the CONNECT and refusals
    void step_await_connect(Instant now);
    void make_room_for_codecs();
    void make_room_for_connect(ByteView bytes);
    void accept_connect(Instant now, const mqtt::Connect& connect, ByteView packet);
    void refuse(Instant now, std::optional<mqtt::Version> version, mqtt::Refusal refusal, Counter reason);
    void step_refusing(Instant now);
    // upstream.cc: choice, attempt, replay, CONNACK
    void try_next(Instant now);
    bool attempt(Instant now, std::uint32_t backend);
    void attempt_failed(Instant now, backend::ProbeFailure failure);
    bool another_broker_left(Instant now);
    void give_up_upstream(Instant now);
    void step_connecting(Instant now);
    void step_replaying(Instant now);
    bool left_without_answer(Instant now);
    void replay(Instant now);
    void let_go_of_replayed(Instant now);
    bool read_connack(Instant now);
    bool pass_auth(Instant now, ByteView packet);
    // remember.cc: sessions that the pool's method would not find again
    SessionName session_name() const;
    void recall(Instant now);
    std::optional<std::uint32_t> remembered_broker() const;
    void remember(Instant now, const mqtt::Connack& connack);
    bool found_without(bool known, bool session_present) const;
    // relay.cc: bytes between the legs
    void step_relayed(Instant now);
    bool holds_answer(Instant now);
    void follow_windows();
    void update_windows(Instant now);
    void move_to_broker(Instant now);
    void move_to_client(Instant now);
    std::optional<Counter> failed_leg() const;
    bool handle_failed_leg(Instant now);
    // ending.cc: what is still owed to either end, and the end
    void begin_delivering(Instant now, Counter reason);
    void step_delivering(Instant now);
    bool may_close_in_order() const;
    void give_up(Instant now);
    void count_undelivered();
    void end(Instant now);
    // resting.cc: what is kept while nothing happens
    bool may_rest() const;
    bool try_rest(Instant now);
    // quiet_point.cc: from two endpoints to one record
    bool splice_before(Instant now, Leg& receiver, tcp::Output& out, const tcp::Segment& segment);
    bool can_be_one_record();
    bool try_splice(Instant now);
    splice::Joint joint(const LinkDestination& broker_hop) const;

    const backend::Listener& listener() const { return s_.snapshot->listeners[c_.listener]; }
    const backend::Pool& pool() const { return s_.snapshot->pools[c_.pool]; }
    const backend::Backend& broker() const { return pool().backends[c_.backend]; }
    void count_load(std::int32_t change) { s_.load.add(s_.worker, broker().position, change, c_.persistent); }
    void count(Counter id, std::uint64_t n = 1) { s_.counters.add(id, n); }
    void count_ending(Counter reason);

    struct ClientOutput final : tcp::Output {
        explicit ClientOutput(Session& session) : session_(session) {}
        void send(const tcp::Segment& segment) override;
        Session& session_;
    };
    struct BrokerOutput final : tcp::Output {
        explicit BrokerOutput(Session& session) : session_(session) {}
        void send(const tcp::Segment& segment) override {
            session_.s_.transmitter.to_broker(session_.c_, segment);
        }
        Session& session_;
    };

    Connection& c_;
    SessionContext& s_;
    ClientOutput to_client_{*this};
    BrokerOutput to_broker_{*this};
};

}  // namespace sluice::session
