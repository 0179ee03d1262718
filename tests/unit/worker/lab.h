// A whole balancer in a unit test: workers over two memory ports, a host of clients on the front, hosts of
// brokers on the back, and one virtual clock. No thread, no privilege, no sleep; a run can be repeated to the
// bit.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sluice/backend/health_tracker.h"
#include "sluice/backend/load_table.h"
#include "sluice/backend/snapshot.h"
#include "sluice/config/model.h"
#include "sluice/port/memory_port.h"
#include "sluice/session/codec.h"
#include "sluice/worker/worker.h"
#include "worker/host.h"

namespace sluice::test {

// An MQTT broker on a host: answers every CONNECT with a CONNACK, echoes nothing, remembers who came.
struct Broker {
    explicit Broker(std::vector<IpAddress> addresses, std::uint8_t number);

    struct Visit {
        std::string client_id;
        SocketAddress source;  // as the broker sees it
    };
    // Sockets whose CONNECT has been answered.
    std::vector<Visit> visits;
    std::uint8_t connack_code = 0;
    bool answers = true;  // false: takes the CONNECT and stays silent
    // Sends so many bytes of its answer to a CONNECT, then closes, or resets.
    std::optional<std::size_t> closes_after;
    std::optional<std::size_t> resets_after;
    bool holds = false;      // reads nothing behind the CONNECT by itself
    bool serves_on = false;  // answers PINGREQ, and closes on DISCONNECT
    // Keeps sessions that outlive their connection, says in the CONNACK whether it has one, and gives a
    // client without an ID this text with a number as one (MQTT 5).
    std::string assigns = {};
    std::set<std::string>* sessions = nullptr;         // of whom it keeps them; may be several brokers'
    std::optional<std::uint32_t> session_expiry = {};  // in its CONNACKs (MQTT 5)
    std::uint16_t server_keep_alive = 0;               // MQTT 5 only; 0: none
    Host host;

    // What the clients' sockets sent behind their CONNECT, by client ID, newest connection.
    std::string after_connect(const std::string& client_id) const;
    Socket* socket_of(const std::string& client_id);
    // Drops what belongs to connections that are over.
    void forget_finished();

  private:
    void on_data(Socket& socket);
    void serve_on(Socket& socket) const;
    std::string answer_with_session(const mqtt::Connect& connect);
    struct Session {
        std::string client_id;
        std::size_t connect_size = 0;
        Socket* socket = nullptr;
    };
    std::vector<Session> sessions_;
    std::uint32_t assigned_ = 0;
};

// The usual configuration, with lines that a test wants to add to a section.
struct Setup {
    unsigned workers = 1;
    unsigned brokers = 3;
    std::string front = {};     // extra lines in [[port]] of the clients' side, replacing addresses likewise
    std::string back = {};      // and of the brokers'
    std::string listener = {};  // extra lines in [[listener]]
    std::string pool = {};      // extra lines in [[pool]], replacing source_addresses when it names them
    std::string health = "type = \"none\"";
    bool ipv6 = false;          // clients and brokers speak IPv6
    bool ipv6_clients = false;  // clients do, whatever brokers speak
    bool distant = false;  // brokers are in 10.9.0.0/24, and the first one's host is the gateway 10.2.0.254
    std::uint32_t max_connections = 4096;
    std::function<std::string(unsigned)> backend = {};  // extra lines in [[pool.backend]]
    std::function<void(std::uint16_t port, ByteView frame)> on_sent =
        {};                                  // Lab::on_sent from the first turn on
    session::CodecSource* codecs = nullptr;  // of all workers; borrowed
};

// The text of it; a test that goes over to another one changes it as an operator would.
std::string configuration(const Setup& setup);

class Lab {
  public:
    explicit Lab(const Setup& setup = {});
    ~Lab();

    // Runs until nothing is under way and no timer is due within `duration`, or until `duration` has passed.
    void run(Duration duration = std::chrono::milliseconds(10));
    // Moves frames and fires what is due now, without letting time pass.
    void settle();

    // A client with an own address and port; its handshake is under way.
    Socket& client();
    Socket& client(const SocketAddress& from);
    // client(), run, CONNECT, run.
    Socket& connect(const std::string& client_id);
    SocketAddress next_client_address();
    // The frame arrives on Sluice's port, front (0) or back (1).
    void inject(std::uint16_t port, ByteView frame);

    // To every worker.
    void command(const worker::Command& command);

    std::uint64_t count(Counter id) const;
    std::vector<worker::ListedConnection> rows() const;
    worker::Worker::Usage usage() const;  // summed over workers
    // The broker that answered this client ID first.
    Broker* broker_of(const std::string& client_id);
    std::uint64_t load(unsigned broker) const { return load_->connections(broker); }
    // Publishes the picture in which the named brokers are down.
    void set_down(const std::set<unsigned>& brokers);

    // Goes over to another configuration as control does. Throws what assign() throws, and then nothing has
    // changed.
    void reload(const std::string& configuration);
    void reload(config::Config wanted);
    // The same without telling the workers: they hear of it with what is published next.
    void reload_unheard(const std::string& configuration);
    // What control does from time to time: gives up what was removed and is not used any more. False when
    // there was nothing.
    bool forget_the_gone();
    // Of the first pool, by number of the host.
    const backend::Registry::Backend& seat_of(unsigned broker) const;

    SocketAddress listener() const;
    MacAddress front_mac() const { return kFrontMac; }

    static constexpr MacAddress kFrontMac{{0x02, 0, 0, 0, 1, 1}};
    static constexpr MacAddress kBackMac{{0x02, 0, 0, 0, 2, 1}};

    Instant now = Instant{} + std::chrono::hours(1);
    Host clients;
    std::vector<std::unique_ptr<Broker>> brokers;
    config::Config config;
    std::unique_ptr<port::HeapFramePool> frames;
    std::vector<std::unique_ptr<port::MemoryPort>> ports;
    std::vector<std::unique_ptr<worker::Worker>> workers;
    std::vector<worker::Event> events;  // from all workers, oldest first
    std::unique_ptr<backend::HealthTracker> health;
    backend::Registry registry;  // of `config`, and what was before
    bool follow_health = true;   // publish a new snapshot when health changes, as control does
    // Sees every frame that Sluice sends, before it can be lost.
    std::function<void(std::uint16_t port, ByteView frame)> on_sent;
    bool take_mail = true;  // false: the workers' event mailboxes fill up
    // True for frames that are lost; from Sluice: which port, and the frame.
    std::function<bool(std::uint16_t port, ByteView frame)> lose_sent;
    std::function<bool(std::uint16_t port, ByteView frame)> lose_received;

  private:
    bool move_frames();
    bool take_events();
    void publish();
    void follow_roster();
    void go_over_to(config::Config wanted);
    Instant next_deadline() const;

    Setup setup_;
    std::vector<port::Port*> devices_;                           // the workers' view of `ports`
    std::vector<std::unique_ptr<worker::Topology>> topologies_;  // newest last
    std::uint64_t roster_generation_ = 1;
    std::unique_ptr<worker::HandoverRings> handover_;
    std::unique_ptr<backend::LoadTable> load_;
    session::CommonMemory connect_memory_;
    std::vector<std::unique_ptr<const backend::Snapshot>> snapshots_;  // by generation - 1; null once retired
    std::map<std::uint64_t, unsigned> retired_;  // workers that have said so, by generation
    std::set<unsigned> forced_down_;
    std::uint32_t clients_made_ = 0;
    std::uint16_t spread_ = 0;  // queue for the next injected frame
};

// A 3.1.1 CONNECT, or of another version.
std::string connect_packet(const std::string& client_id, mqtt::Version version = mqtt::Version::V311,
                           std::uint16_t keep_alive = 60);
inline const std::string kConnackAccepted("\x20\x02\x00\x00", 4);
inline const std::string kConnackUnavailable("\x20\x02\x00\x03", 4);

// No connection, no lease, no load and no frame is held any more. Ends the lab's workers.
void expect_nothing_left(Lab& lab);

}  // namespace sluice::test
