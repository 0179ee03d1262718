// A swarm of MQTT clients on one transport: what each says and hears, and what came of it. When they connect,
// publish and leave is the caller's (conductor.h). A client is its number; what is kept of it is 20 bytes and
// a timer, so that ten millions fit.
//
// A client has at most one message of QoS 1 or 2 under way; it sends PINGREQ when it has sent nothing for its
// Keep Alive, and takes an unanswered one for a dead connection.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "latencies.h"
#include "sluice/base/lazy_array.h"
#include "sluice/flow/timer_wheel.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/packet.h"
#include "transport.h"

namespace sluice::load {

struct SwarmOptions {
    std::uint32_t clients = 1000;
    mqtt::Version version = mqtt::Version::V311;
    bool clean_start = true;  // else sessions that outlive their connections are asked for
    std::uint16_t keep_alive = 60;
    std::string client_id = "load-";  // the client's number follows
    std::optional<std::string> username;
    std::optional<std::string> password;

    std::string topic = "load/%c";  // %c: the client's number
    std::uint8_t qos = 0;
    std::uint32_t payload = 64;  // bytes; from kStampSize on it tells when it was sent
    // The first so many clients subscribe to `filter` and publish nothing.
    std::uint32_t subscribers = 0;
    std::string filter = "load/#";
    std::uint8_t filter_qos = 0;

    Duration connect_timeout = 30s;  // from the SYN to the CONNACK, or the SUBACK of a subscriber
    // Who was lost or not let in comes back after about so long; unset: stays away.
    std::optional<Duration> come_back;

    static constexpr std::uint32_t kStampSize = 16;
};

// What has happened so far.
struct SwarmTally {
    std::uint64_t attempts = 0;   // SYNs, of one client several
    std::uint64_t accepted = 0;   // CONNACKs that accept
    std::uint64_t refused = 0;    // CONNACKs that refuse
    std::uint64_t failed = 0;     // ended, or timed out, without a CONNACK
    std::uint64_t lost = 0;       // ended though nobody here wanted it
    std::uint64_t left = 0;       // ended as wanted
    std::uint64_t published = 0;  // messages
    std::uint64_t acknowledged = 0;
    std::uint64_t unacknowledged = 0;  // whose connection ended before
    std::uint64_t rejected = 0;        // answered by a reason code from 0x80 on
    std::uint64_t blocked = 0;         // not sent, because too much waits to be sent
    std::uint64_t received = 0;        // messages at subscribers
    std::uint64_t received_bytes = 0;  // of their payloads
    std::uint64_t pings = 0;
    std::uint64_t pongs = 0;
    std::uint64_t protocol_errors = 0;               // what no broker may say
    std::map<std::uint8_t, std::uint64_t> refusals;  // by code of the CONNACK
    std::array<std::uint64_t, 6> failures{};         // `failed`, by End
    std::array<std::uint64_t, 6> losses{};           // `lost`, by End
    std::string last_protocol_error;
    LatencyHistogram handshake;  // SYN to established
    LatencyHistogram connack;    // SYN to CONNACK
    LatencyHistogram answer;     // PUBLISH to PUBACK, or PUBCOMP
    LatencyHistogram
        delivery;  // PUBLISH at its sender to PUBLISH at its receiver, of senders with the same clock
    std::uint32_t connected = 0;  // now: with a CONNACK, and a SUBACK
    std::uint32_t opening = 0;    // now: on the way there
    std::uint32_t leaving = 0;    // now: on the way out
    std::uint32_t in_flight = 0;  // now: messages not yet acknowledged
    std::uint32_t peak_connected = 0;
};

// Told within the calls of the swarm and its transport. May call the swarm for any client.
class SwarmWatcher {
  public:
    virtual void on_ready(Instant now, Id client) = 0;
    // A message was acknowledged or rejected, or is on its way if nobody has to acknowledge it: the next may
    // be published.
    virtual void on_answered(Instant now, Id client) = 0;
    // The client is idle again: it left, was lost, refused, or did not get in.
    virtual void on_gone(Instant now, Id client) = 0;

  protected:
    ~SwarmWatcher() = default;
};

class Swarm final : public Events {
  public:
    Swarm(const SwarmOptions& options, Instant start);
    // Before anything else; they must outlive this.
    void use(Transport& transport) { transport_ = &transport; }
    void watch(SwarmWatcher& watcher) { watcher_ = &watcher; }

    // --- orders ---
    // False: no socket or port was left; try later. Requires an idle client.
    [[nodiscard]] bool connect(Instant now, Id client);
    bool idle(Id client) const { return cells_[client].phase == Phase::Idle; }
    bool may_publish(Id client) const {
        const Cell& cell = cells_[client];
        return cell.phase == Phase::Ready && cell.stage == Stage::None && client >= options_.subscribers;
    }
    // False: too much waits to be sent. Requires may_publish().
    bool publish(Instant now, Id client);
    // How many messages the client has published, over all its connections.
    std::uint32_t published(Id client) const { return cells_[client].published; }
    bool connected(Id client) const { return cells_[client].phase == Phase::Ready; }
    // Connected, and no message of its own is under way.
    bool at_rest(Id client) const { return connected(client) && cells_[client].stage == Stage::None; }
    // DISCONNECT and an orderly close; requires connected().
    void leave(Instant now, Id client);
    // A reset, as of a device that loses its power; requires connected().
    void drop(Instant now, Id client);
    // Nobody comes back by itself any more.
    void stay_away() { options_.come_back.reset(); }

    // Does what is due. True when there was anything.
    bool turn(Instant now);
    Instant next_deadline() const { return timers_.next_wakeup(); }

    const SwarmOptions& options() const { return options_; }
    const SwarmTally& tally() const { return tally_; }
    std::uint64_t memory_bytes() const;

    // --- Events ---
    void on_open(Instant now, Id id) override;
    std::size_t on_bytes(Instant now, Id id, ByteView bytes) override;
    void on_end(Instant now, Id id, End end) override;

  private:
    enum class Phase : std::uint8_t {
        Idle,
        Away,         // comes back by its timer
        Opening,      // the TCP handshake is under way
        Greeting,     // CONNECT is sent
        Subscribing,  // SUBSCRIBE is sent
        Ready,
        Leaving,  // closed here
        Refused,  // by the CONNACK, and closed here
    };
    // What the client's message waits for.
    enum class Stage : std::uint8_t { None, Puback, Pubrec, Pubcomp };
    struct Cell {
        Phase phase = Phase::Idle;
        Stage stage = Stage::None;
        bool pinged = false;  // PINGRESP has not come yet
        std::uint8_t spare = 0;
        std::uint16_t packet_id = 0;  // of the last message
        std::uint16_t spare2 = 0;
        std::uint32_t begun = 0;      // microseconds: the connection, then its message
        std::uint32_t published = 0;  // messages
        std::uint32_t spoke = 0;      // milliseconds: when anything was sent last
    };
    static_assert(sizeof(Cell) == 20);

    // --- swarm.cc
    bool opening(Phase phase) const;
    void enter(Id client, Phase phase);
    void on_timer(Instant now, Id client);
    void keep_alive(Instant now, Id client);
    bool say(Instant now, Id client);  // what scratch_ holds
    void ready(Instant now, Id client);
    void give_up(Instant now, Id client, const std::string& why);
    void give_up(Instant now, Id client, const char* packet, mqtt::PacketError error);
    void time_out(Instant now, Id client);
    void forget_message(Cell& cell);
    void answered(Instant now, Id client, bool taken);
    Duration jittered(Duration about);
    Duration since_begun(Instant now, Id client) const;

    // --- swarm_packets.cc
    void on_packet(Instant now, Id client, const mqtt::PacketHeader& header, ByteView packet);
    void on_connack(Instant now, Id client, ByteView packet);
    void on_suback(Instant now, Id client, const mqtt::PacketHeader& header, ByteView body);
    void on_pingresp(Instant now, Id client, const mqtt::PacketHeader& header);
    void on_disconnect(Instant now, Id client, const mqtt::PacketHeader& header, ByteView body);
    void on_publish(Instant now, Id client, const mqtt::PacketHeader& header, ByteView body);
    void acknowledge(Instant now, Id client, mqtt::PacketType type, std::uint16_t packet_id);
    void on_acknowledgement(Instant now, Id client, const mqtt::PacketHeader& header, ByteView body);
    void write_connect(Id client);
    void write_message(Instant now, Id client, std::uint16_t packet_id);

    SwarmOptions options_;
    Transport* transport_ = nullptr;
    SwarmWatcher* watcher_ = nullptr;
    LazyArray<Cell> cells_;
    flow::TimerWheel timers_;
    SwarmTally tally_;
    std::vector<std::byte> scratch_;
    std::vector<std::byte> payload_;
    std::uint64_t random_;
    bool timed_out_ = false;  // the connection that is being aborted was silent for too long
};

}  // namespace sluice::load
