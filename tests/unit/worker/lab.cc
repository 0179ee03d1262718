#include "worker/lab.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "sluice/config/reader.h"
#include "sluice/flow/slab.h"
#include "sluice/mqtt/writer.h"

namespace sluice::test {
namespace {

IpAddress broker_address(unsigned i, const Setup& setup) {
    return setup.ipv6 ? *IpAddress::parse("fd00:2::" + std::to_string(2 + i))
                      : IpAddress::v4(10, setup.distant ? 9 : 2, 0, static_cast<std::uint8_t>(2 + i));
}

// A port's extra lines, with its usual addresses where they name none.
std::string with_addresses(const std::string& lines, const std::string& usual) {
    const bool named = lines.find("addresses") != std::string::npos;
    return (named ? "" : "addresses = [" + usual + "]\n") + lines;
}

config::Config read(const std::string& text) {
    const config::LoadResult result = config::read(text, "lab.toml");
    if (result.config) return *result.config;
    std::string all;
    for (const config::Problem& p : result.problems) all += to_string(p) + "\n";
    throw std::runtime_error(all);
}

}  // namespace

std::string configuration(const Setup& s) {
    std::ostringstream t;
    t << "[runtime]\nworkers = " << s.workers << "\nmax_connections = " << s.max_connections << "\n"
      << "[[port]]\nname = \"front\"\ndevice = \"memory0\"\n"
      << with_addresses(s.front, "\"10.1.0.1/16\", \"fd00:1::1/64\"")
      << "\n[[port]]\nname = \"back\"\ndevice = \"memory1\"\n"
      << with_addresses(s.back, "\"10.2.0.1/24\", \"fd00:2::1/64\"")
      << (s.distant ? "gateway = [\"10.2.0.254\"]\n" : "")
      << "\n[[listener]]\nname = \"mqtt\"\npool = \"brokers\"\naddress = \""
      << (s.ipv6 || s.ipv6_clients ? "[fd00:1::1]:1883" : "10.1.0.1:1883") << "\"\n"
      << s.listener << "\n[[pool]]\nname = \"brokers\"\n";
    if (s.pool.find("source_addresses") == std::string::npos) {
        t << "source_addresses = [\"" << (s.ipv6 ? "fd00:2::10-fd00:2::13" : "10.2.0.10-10.2.0.13")
          << "\"]\n";
    }
    t << s.pool << "\n[pool.health]\n" << s.health << "\n";
    for (unsigned i = 0; i < s.brokers; ++i) {
        t << "[[pool.backend]]\nname = \"broker-" << i + 1 << "\"\naddress = \""
          << SocketAddress{broker_address(i, s), 1883}.to_string() << "\"\n"
          << (s.backend ? s.backend(i) : "") << "\n";
    }
    return t.str();
}

std::string connect_packet(const std::string& client_id, mqtt::Version version, std::uint16_t keep_alive) {
    return std::string(as_text(mqtt::write_connect({.version = version,
                                                    .client_id = client_id,
                                                    .keep_alive = keep_alive,
                                                    .username = {},
                                                    .password = {}})));
}

Broker::Broker(std::vector<IpAddress> addresses, std::uint8_t number)
    : host(MacAddress{{0x02, 0, 0, 0, 3, number}}, std::move(addresses)) {
    host.listen(1883, [this](Socket& s) { on_data(s); });
}

void Broker::on_data(Socket& socket) {
    for (const Session& s : sessions_) {
        if (s.socket == &socket) return serve_on(socket);
    }
    const auto result = mqtt::read_connect(as_bytes(socket.received), 1 << 20);
    const auto* connect = std::get_if<mqtt::Connect>(&result);
    if (connect == nullptr) return;
    visits.push_back({std::string(connect->client_id), socket.tuple.remote});
    sessions_.push_back({std::string(connect->client_id), connect->size, &socket});
    socket.hold = holds;
    if (!answers) return;
    std::string connack;
    if (sessions != nullptr) {
        connack = answer_with_session(*connect);
    } else if (connect->version != mqtt::Version::V5) {
        connack = {'\x20', '\x02', '\x00', static_cast<char>(connack_code)};
    } else if (server_keep_alive == 0) {
        connack = {'\x20', '\x03', '\x00', static_cast<char>(connack_code), '\x00'};
    } else {
        connack = {'\x20',
                   '\x06',
                   '\x00',
                   static_cast<char>(connack_code),
                   '\x03',
                   '\x13',
                   static_cast<char>(server_keep_alive >> 8U),
                   static_cast<char>(server_keep_alive & 0xffU)};
    }
    socket.write(
        std::string_view(connack).substr(0, closes_after.value_or(resets_after.value_or(connack.size()))));
    if (closes_after) socket.shutdown();
    if (resets_after) socket.abort();
}

std::string Broker::answer_with_session(const mqtt::Connect& connect) {
    std::string id(connect.client_id);
    mqtt::ConnackFields fields{.assigned_client_id = {}, .session_expiry = session_expiry};
    if (id.empty()) {
        id = assigns + std::to_string(++assigned_);
        fields.assigned_client_id = id;
    }
    const bool present = sessions->contains(id) && !connect.clean_start;
    const bool kept = connect.version == mqtt::Version::V5
                          ? session_expiry.value_or(connect.session_expiry) != 0
                          : !connect.clean_start;
    sessions->erase(id);
    if (kept) sessions->insert(id);
    std::vector<std::byte> bytes;
    mqtt::append_connack(bytes, connect.version, 0, present && connect.version != mqtt::Version::V31, fields);
    return std::string(as_text(bytes));
}

void Broker::serve_on(Socket& socket) const {
    if (!serves_on) return;
    if (socket.received.ends_with(std::string("\xc0\x00", 2))) socket.write(std::string_view("\xd0\x00", 2));
    if (socket.received.ends_with(std::string("\xe0\x00", 2))) socket.shutdown();
}

std::string Broker::after_connect(const std::string& client_id) const {
    for (auto s = sessions_.rbegin(); s != sessions_.rend(); ++s) {
        if (s->client_id == client_id) return s->socket->received.substr(s->connect_size);
    }
    return {};
}

Socket* Broker::socket_of(const std::string& client_id) {
    for (auto s = sessions_.rbegin(); s != sessions_.rend(); ++s) {
        if (s->client_id == client_id) return s->socket;
    }
    return nullptr;
}

void Broker::forget_finished() {
    std::erase_if(sessions_, [](const Session& s) {
        const tcp::State state = s.socket->endpoint.state();
        return state == tcp::State::Closed || state == tcp::State::TimeWait;
    });
    host.forget_finished();
}

Lab::Lab(const Setup& setup)
    : clients(MacAddress{{0x02, 0, 0, 0, 1, 99}}, {}),
      config(read(configuration(setup))),
      on_sent(setup.on_sent),
      setup_(setup) {
    frames = std::make_unique<port::HeapFramePool>(16384);
    const std::array<MacAddress, 2> macs{kFrontMac, kBackMac};
    for (std::uint16_t i = 0; i < 2; ++i) {
        ports.push_back(std::make_unique<port::MemoryPort>(
            port::MemoryPortOptions{.name = config.ports[i].name,
                                    .index = i,
                                    .mac = macs[i],
                                    .mtu = config.ports[i].mtu,
                                    .queues = static_cast<std::uint16_t>(setup.workers)},
            *frames));
        devices_.push_back(ports.back().get());
    }
    for (unsigned i = 0; i < setup.brokers; ++i) {
        std::vector addresses{broker_address(i, setup)};
        if (setup.distant && i == 0) addresses.push_back(IpAddress::v4(10, 2, 0, 254));
        brokers.push_back(std::make_unique<Broker>(std::move(addresses), static_cast<std::uint8_t>(i + 1)));
    }
    topologies_.push_back(std::make_unique<worker::Topology>(config, macs));
    handover_ = std::make_unique<worker::HandoverRings>(setup.workers, 4096);
    load_ = std::make_unique<backend::LoadTable>(setup.workers, backend::kMaxBackends);
    registry = backend::assign(config, nullptr);
    health = std::make_unique<backend::HealthTracker>(registry, now);
    snapshots_.push_back(
        backend::build_snapshot(registry, roster_generation_, health->conditions(), 1, nullptr));
    for (std::uint32_t i = 0; i < setup.workers; ++i) {
        workers.push_back(std::make_unique<worker::Worker>(
            worker::WorkerOptions{.index = i,
                                  .workers = setup.workers,
                                  .max_connections = setup.max_connections / setup.workers,
                                  .isn_key = {1, 2},
                                  .index_key = {3, 4},
                                  .seed = 5 + i},
            worker::WorkerResources{*topologies_.back(), devices_, *frames, *handover_, *load_,
                                    connect_memory_, snapshots_.back().get(), setup.codecs},
            now));
    }
    settle();
}

Lab::~Lab() = default;

SocketAddress Lab::listener() const { return config.listeners[0].address; }

SocketAddress Lab::next_client_address() {
    const std::uint32_t n = clients_made_++;
    const std::uint32_t host = 256 + n / 1000;
    const auto port = static_cast<std::uint16_t>(20000 + n % 1000);
    const IpAddress address = setup_.ipv6 || setup_.ipv6_clients
                                  ? *IpAddress::parse("fd00:1::1:" + std::to_string(host))
                                  : IpAddress::v4(0x0a010000U + host);
    return {address, port};
}

Socket& Lab::client() { return client(next_client_address()); }

Socket& Lab::client(const SocketAddress& from) {
    clients.now = now;
    if (std::ranges::find(clients.addresses, from.address) == clients.addresses.end()) {
        clients.addresses.push_back(from.address);
    }
    return clients.connect(from, listener(), kFrontMac);
}

Socket& Lab::connect(const std::string& client_id) {
    Socket& socket = client();
    settle();
    socket.write(std::string_view(connect_packet(client_id)));
    settle();
    return socket;
}

void Lab::inject(std::uint16_t port, ByteView frame) {
    // Queues in turn, so that with several workers most frames arrive at the wrong one.
    ports[port]->inject(frame, static_cast<std::uint16_t>(spread_++ % setup_.workers));
}

bool Lab::move_frames() {
    bool any = false;
    const auto to_sluice = [&](std::uint16_t port, Host& host) {
        while (!host.out.empty()) {
            const std::vector<std::byte> frame = std::move(host.out.front());
            host.out.pop_front();
            any = true;
            if (!lose_received || !lose_received(port, frame)) inject(port, frame);
        }
    };
    to_sluice(0, clients);
    for (const auto& b : brokers) to_sluice(1, b->host);
    for (const auto& w : workers) any = w->step(now) || any;
    for (std::uint16_t p = 0; p < 2; ++p) {
        for (const std::vector<std::byte>& frame : ports[p]->take()) {
            any = true;
            if (on_sent) on_sent(p, frame);
            if (lose_sent && lose_sent(p, frame)) continue;
            if (p == 0) clients.on_frame(now, frame);
            for (const auto& b : brokers) {
                if (p == 1) b->host.on_frame(now, frame);
            }
        }
    }
    return (take_mail && take_events()) || any;
}

bool Lab::take_events() {
    bool any = false;
    std::array<worker::Event, 64> batch;
    for (const auto& w : workers) {
        const std::size_t n = w->receive(batch);
        any = any || n != 0;
        for (std::size_t i = 0; i < n; ++i) {
            const worker::Event& e = batch[i];
            events.push_back(e);
            bool changed = false;
            if (e.kind == worker::Event::Kind::ProbeResult) {
                changed = health->on_probe(e.backend, {e.failure, e.code}, e.offer, e.latency, now);
            } else if (e.kind == worker::Event::Kind::AttemptFailed) {
                changed = health->on_attempt_failed(e.backend, {e.failure, e.code}, now);
            } else if (e.kind == worker::Event::Kind::AttemptSucceeded) {
                health->on_attempt_succeeded(e.backend);
            } else if (e.kind == worker::Event::Kind::SnapshotRetired &&
                       ++retired_[e.generation] == workers.size()) {
                // Freed as control frees it, so that a sanitizer sees who still looks at it.
                snapshots_[e.generation - 1].reset();
            }
            if (changed && follow_health) publish();
        }
    }
    return any;
}

void Lab::publish() {
    std::vector<backend::Condition> conditions = health->conditions();
    for (const unsigned b : forced_down_) conditions[b].healthy = false;
    snapshots_.push_back(backend::build_snapshot(registry, roster_generation_, conditions,
                                                 snapshots_.size() + 1, snapshots_.back().get()));
    command({.kind = worker::Command::Kind::SetSnapshot,
             .snapshot = snapshots_.back().get(),
             .topology = topologies_.back().get()});
}

void Lab::follow_roster() {
    ++roster_generation_;
    topologies_.push_back(std::make_unique<worker::Topology>(topologies_.back()->with(registry)));
    health->use(registry, now);
}

void Lab::reload_unheard(const std::string& text) { go_over_to(read(text)); }

void Lab::go_over_to(config::Config wanted) {
    registry = backend::assign(wanted, &registry);
    config = std::move(wanted);
    follow_roster();
}

void Lab::reload(const std::string& text) { reload(read(text)); }

void Lab::reload(config::Config wanted) {
    go_over_to(std::move(wanted));
    publish();
    settle();
}

bool Lab::forget_the_gone() {
    backend::Use use;
    use.listeners.resize(registry.listeners.size());
    use.sources.resize(registry.pools.size());
    for (const auto& pool : registry.pools) use.backends.emplace_back(pool.backends.size());
    for (const auto& w : workers) {
        const worker::Worker::Usage u = w->usage();
        for (std::size_t i = 0; i < u.listeners.size(); ++i) use.listeners[i] += u.listeners[i];
        for (std::size_t p = 0; p < u.backends.size(); ++p) {
            use.sources[p].insert(use.sources[p].end(), u.used_sources[p].begin(), u.used_sources[p].end());
            for (std::size_t b = 0; b < u.backends[p].size(); ++b)
                use.backends[p][b] += u.backends[p][b].leased;
        }
    }
    if (!backend::reclaim(registry, use)) return false;
    follow_roster();
    publish();
    settle();
    return true;
}

const backend::Registry::Backend& Lab::seat_of(unsigned broker) const {
    const SocketAddress address{brokers[broker]->host.addresses.front(), 1883};
    const auto& places = registry.pools.front().backends;
    return *std::ranges::find_if(places, [&](const auto& b) {
        return b.standing != backend::Standing::Vacant && b.config.address == address;
    });
}

void Lab::command(const worker::Command& command) {
    for (const auto& w : workers) {
        if (!w->send(command)) throw std::runtime_error("a worker's mailbox is full");
    }
}

void Lab::set_down(const std::set<unsigned>& down) {
    forced_down_ = down;
    publish();
    settle();
}

void Lab::settle() {
    clients.on_timer(now);
    for (const auto& b : brokers) b->host.on_timer(now);
    for (int turns = 0; move_frames(); ++turns) {
        if (turns > 1'000'000) throw std::runtime_error("the lab never comes to rest");
    }
}

Instant Lab::next_deadline() const {
    Instant earliest = clients.next_deadline();
    for (const auto& b : brokers) earliest = std::min(earliest, b->host.next_deadline());
    for (const auto& w : workers) earliest = std::min(earliest, w->next_deadline());
    return earliest;
}

void Lab::run(Duration duration) {
    const Instant end = now + duration;
    settle();
    while (now < end) {
        // The wheel's bound may lie before its next timer, so time moves by a millisecond at least.
        now = std::min(end, std::max(next_deadline(), now + std::chrono::milliseconds(1)));
        settle();
    }
}

std::uint64_t Lab::count(Counter id) const {
    std::uint64_t sum = 0;
    for (const auto& w : workers) sum += w->counters().get(id);
    return sum;
}

std::vector<worker::ListedConnection> Lab::rows() const {
    std::vector<worker::ListedConnection> all;
    for (const auto& w : workers) {
        for (std::uint32_t from = 0; from != flow::kNoEntry;) {
            std::vector<worker::ListedConnection> chunk(16);
            std::size_t written = 0;
            from = w->list_connections(from, chunk, written);
            all.insert(all.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(written));
        }
    }
    return all;
}

worker::Worker::Usage Lab::usage() const {
    worker::Worker::Usage sum;
    sum.backends.resize(1);
    for (const auto& w : workers) {
        const auto u = w->usage();
        sum.connections += u.connections;
        sum.spliced += u.spliced;
        sum.resting += u.resting;
        sum.capacity += u.capacity;
        sum.half_open += u.half_open;
        sum.backends.resize(std::max(sum.backends.size(), u.backends.size()));
        for (std::size_t p = 0; p < u.backends.size(); ++p) {
            auto& backends = sum.backends[p];
            backends.resize(std::max(backends.size(), u.backends[p].size()));
            for (std::size_t i = 0; i < u.backends[p].size(); ++i) {
                backends[i].leases += u.backends[p][i].leases;
                backends[i].leased += u.backends[p][i].leased;
                backends[i].quarantined += u.backends[p][i].quarantined;
            }
        }
    }
    return sum;
}

Broker* Lab::broker_of(const std::string& client_id) {
    for (const auto& b : brokers) {
        for (const Broker::Visit& v : b->visits) {
            if (v.client_id == client_id) return b.get();
        }
    }
    return nullptr;
}

void expect_nothing_left(Lab& lab) {
    const worker::Worker::Usage usage = lab.usage();
    EXPECT_EQ(usage.connections, 0U);
    EXPECT_EQ(usage.half_open, 0U);
    for (const auto& pool : usage.backends) {
        for (const auto& b : pool) EXPECT_EQ(b.leased, 0U);
    }
    for (unsigned b = 0; b < lab.brokers.size(); ++b) EXPECT_EQ(lab.load(b), 0U);
    EXPECT_EQ(lab.count(Counter::LeasesAcquired), lab.count(Counter::LeasesReleased));
    EXPECT_EQ(lab.count(Counter::DropNoFrame), 0U);
    EXPECT_EQ(lab.count(Counter::DropTxFull), 0U);
    lab.workers.clear();
    EXPECT_EQ(lab.frames->outstanding(), 0U);
}

}  // namespace sluice::test
