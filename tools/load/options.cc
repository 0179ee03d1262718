#include "options.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <ostream>
#include <stdexcept>

#include "sluice/base/address_range.h"
#include "sluice/base/quantities.h"

namespace sluice::load {
namespace {

constexpr std::size_t kMostAddresses = 65'536;

// Texts as they come from the command line; what they mean is found out once all are there.
struct Words {
    std::vector<std::string> addresses;
    std::vector<std::string> sources;
    std::vector<std::string> gateways;
    std::vector<unsigned> ports;
    std::string version = "3.1.1";
    std::string keep_alive = "60s";
    std::string hold;
    std::string patience = "10s";
    std::string connect_timeout = "30s";
    std::string come_back;
    std::string payload = "64B";
    std::string duration;
    std::string delay = "0s";
    std::string connect_within = "30s";
    unsigned connack = 0;
    std::string username;
    std::string password;
    bool persistent = false;
    bool no_keep_alive = false;
};

class Fault : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

Duration duration_of(const std::string& option, const std::string& text) {
    const auto duration = parse_duration(text);
    if (!duration) throw Fault(option + ": \"" + text + "\" is not a duration; write 500ms, 10s, 2m or 1h");
    return *duration;
}

void add_network(CLI::App& app, Options& o, Words& w) {
    auto* const group = app.add_option_group("Network", "Kernel sockets, unless a DPDK port is named");
    group->add_option("--interface", o.network.interface, "kernel interface to use through DPDK's af_packet");
    group->add_option("--device", o.network.device, "DPDK device: PCI address, or vdev with arguments")
        ->excludes("--interface");
    group
        ->add_option("--prefix", o.network.prefix, "prefix length of the link's network (24, or 64 for IPv6)")
        ->check(CLI::Range(1U, 128U));
    group->add_option("--gateway", w.gateways, "router to other networks, at most one for each family");
    group->add_option("--mtu", o.network.mtu, "largest IP packet, in bytes")
        ->check(CLI::Range(576U, 9000U))
        ->capture_default_str();
    group->add_option("--eal", o.network.eal, "further EAL arguments, each by --eal=ARGUMENT");
    group->add_flag("--ordinary-pages", o.network.ordinary_pages, "do not use hugepages");
}

void add_output(CLI::App& app, Options& o) {
    auto* const group = app.add_option_group("Results");
    group->add_option("--json", o.json, "write the results to this file; - is standard output");
    group->add_option("--expect", o.expectations,
                      "fail unless this holds, such as connects.failed==0 or messages.answer_us.p99<=5000");
    group->add_flag("-q,--quiet", o.quiet, "print no progress");
}

void add_clients(CLI::App& app, Options& o, Words& w) {
    auto* const group = app.add_option_group("Clients");
    group->add_option("-t,--target", w.addresses, "ADDRESS:PORT to connect to; several are taken in turn")
        ->required();
    group->add_option("-s,--source", w.sources, "addresses to connect from, such as 10.1.0.2-10.1.0.25");
    group->add_option("--ports", w.ports, "first and last source port (not with kernel sockets)")
        ->expected(2);
    group->add_option("-n,--clients", o.swarm.clients, "number of clients")
        ->check(CLI::Range(1U, 100'000'000U));
    group->add_option("-r,--rate", o.plan.arrivals, "new connections a second; 0: as fast as possible");
    group->add_option("-w,--window", o.plan.window, "most clients that connect or leave at the same time")
        ->check(CLI::Range(1U, 10'000'000U));
    group->add_option("--mqtt", w.version, "version: 3.1, 3.1.1 or 5")->capture_default_str();
    group->add_option("-k,--keep-alive", w.keep_alive, "Keep Alive; 0s: none")->capture_default_str();
    group->add_option("-i,--client-id", o.swarm.client_id, "prefix of the client IDs, followed by a number")
        ->capture_default_str();
    group->add_option("-u,--username", w.username, "user name");
    group->add_option("-P,--password", w.password, "password")->needs("--username");
    group->add_flag("--persistent", w.persistent, "ask for persistent sessions");
    group->add_option("--connect-timeout", w.connect_timeout, "longest time from SYN to CONNACK")
        ->capture_default_str();
    group->add_option("--come-back", w.come_back,
                      "a client that was lost or refused connects again after about this long");
    group->add_option("-d,--hold", w.hold, "how long the clients stay, publish, or leave and connect again");
    group->add_option("--patience", w.patience, "how long to wait for late answers")->capture_default_str();
}

void add_messages(CLI::App& app, Options& o, Words& w) {
    auto* const group = app.add_option_group("Messages");
    group->add_option("-m,--message-rate", o.plan.message_rate,
                      "messages a second, of all clients together; 0: each client sends its next as soon as "
                      "one is answered");
    group->add_option("--messages", o.plan.messages,
                      "messages of each client; 0: as many as --hold has time for");
    group->add_option("--in-flight", o.plan.in_flight, "most unanswered messages at a time; 0: no limit");
    group->add_option("-Q,--qos", o.swarm.qos, "0, 1 or 2")->check(CLI::Range(0, 2));
    group->add_option("-p,--payload", w.payload, "size of a message")->capture_default_str();
    group->add_option("--topic", o.swarm.topic, "topic; %c is the client's number")->capture_default_str();
    group->add_option("--subscribers", o.swarm.subscribers,
                      "this many clients, the first ones, subscribe and do not publish");
    group->add_option("--filter", o.swarm.filter, "topic filter of subscribers")->capture_default_str();
    group->add_option("--filter-qos", o.swarm.filter_qos, "QoS of subscribers")->check(CLI::Range(0, 2));
    group->add_flag("--at-once", o.plan.publish_at_once, "publish while other clients still connect");
}

void add_churn(CLI::App& app, Options& o) {
    app.add_option("--churn-rate", o.plan.churn_rate,
                   "clients a second that leave and connect again; 0: as fast as possible");
}

mqtt::Version version_of(const std::string& text) {
    for (const mqtt::Version version : {mqtt::Version::V31, mqtt::Version::V311, mqtt::Version::V5}) {
        if (text == mqtt::to_string(version)) return version;
    }
    throw Fault("--mqtt: \"" + text + "\" is not a version; write 3.1, 3.1.1 or 5");
}

std::vector<IpAddress> addresses_of(const std::vector<std::string>& texts) {
    std::vector<IpAddress> all;
    for (const std::string& text : texts) {
        const auto range = parse_address_range(text);
        const auto some = range ? expand(*range, kMostAddresses) : std::nullopt;
        if (!some)
            throw Fault("--source: \"" + text + "\" is not a range of addresses; write 10.1.0.2-10.1.0.25");
        all.insert(all.end(), some->begin(), some->end());
    }
    std::vector<IpAddress> sorted = all;
    std::ranges::sort(sorted);
    const auto twice = std::ranges::adjacent_find(sorted);
    if (twice != sorted.end()) throw Fault("--source: " + twice->to_string() + " is given twice");
    return all;
}

std::vector<SocketAddress> socket_addresses_of(const std::string& option,
                                               const std::vector<std::string>& texts) {
    std::vector<SocketAddress> all;
    for (const std::string& text : texts) {
        const auto address = SocketAddress::parse(text);
        if (!address) throw Fault(option + ": \"" + text + "\" is not ADDRESS:PORT, such as 10.1.0.1:1883");
        if (std::ranges::find(all, *address) != all.end())
            throw Fault(option + ": " + text + " is given twice");
        all.push_back(*address);
    }
    return all;
}

// The network's part that both roles have.
void understand_network(Options& o, const Words& w) {
    for (const std::string& text : w.gateways) {
        const auto address = IpAddress::parse(text);
        if (!address) throw Fault("--gateway: \"" + text + "\" is not an address");
        o.network.gateways.push_back(*address);
    }
    if (w.ports.empty()) return;
    if (w.ports[0] < 1 || w.ports[1] > 65535 || w.ports[0] > w.ports[1])
        throw Fault("--ports: give the first and the last of them, 1 to 65535");
    o.network.first_port = static_cast<std::uint16_t>(w.ports[0]);
    o.network.last_port = static_cast<std::uint16_t>(w.ports[1]);
}

// Every target can be reached from every source, and there is a four-tuple for everybody.
void check_network(const Options& o) {
    const IpFamily family = o.addresses.front().address.family();
    const auto other = [&](const IpAddress& address) { return address.family() != family; };
    if (std::ranges::any_of(o.addresses, [&](const SocketAddress& a) { return other(a.address); }) ||
        std::ranges::any_of(o.network.sources, other))
        throw Fault("sources and targets must all be of one family, IPv4 or IPv6");
    if (o.network.sockets()) return;
    if (o.network.sources.empty()) throw Fault("--source: a DPDK port needs source addresses");
    const std::uint64_t tuples = std::uint64_t{o.network.sources.size()} * o.addresses.size() *
                                 (o.network.last_port - o.network.first_port + 1U);
    if (tuples < o.swarm.clients)
        throw Fault("--source: these addresses and ports are enough for " + std::to_string(tuples) +
                    " clients");
}

void understand_clients(Options& o, const Words& w) {
    o.addresses = socket_addresses_of("--target", w.addresses);
    o.network.sources = addresses_of(w.sources);
    understand_network(o, w);
    check_network(o);
    o.swarm.version = version_of(w.version);
    const auto keep_alive =
        std::chrono::duration_cast<std::chrono::seconds>(duration_of("--keep-alive", w.keep_alive));
    if (keep_alive.count() > 65535) throw Fault("--keep-alive: 65535s at most");
    o.swarm.keep_alive = static_cast<std::uint16_t>(keep_alive.count());
    if (!w.username.empty()) o.swarm.username = w.username;
    if (!w.password.empty()) o.swarm.password = w.password;
    o.swarm.clean_start = !w.persistent;
    o.swarm.connect_timeout = duration_of("--connect-timeout", w.connect_timeout);
    if (!w.come_back.empty()) o.swarm.come_back = duration_of("--come-back", w.come_back);
    if (!w.hold.empty()) o.plan.hold = duration_of("--hold", w.hold);
    o.plan.patience = duration_of("--patience", w.patience);
    const auto payload = parse_size(w.payload);
    if (!payload || *payload > 200'000'000)
        throw Fault("--payload: \"" + w.payload + "\" is not a size; write 64B or 2KiB");
    o.swarm.payload = static_cast<std::uint32_t>(*payload);
    if (o.swarm.subscribers > o.swarm.clients) throw Fault("--subscribers: more than there are clients");
    o.capacity = o.swarm.clients;
}

// A return code of 3.x stands for what v5 has for it; 0 lets everybody in.
std::optional<std::uint8_t> connack_of(unsigned code) {
    static constexpr std::array<std::uint8_t, 5> kReasons{0x84, 0x85, 0x88, 0x86, 0x87};
    if (code == 0) return std::nullopt;
    if (code <= kReasons.size()) return kReasons[code - 1];
    if (code < 0x80 || code > 0xff)
        throw Fault(
            "--connack: give a return code of MQTT 3.1.1, 1 to 5, or a reason code of MQTT 5 from 128 on");
    return static_cast<std::uint8_t>(code);
}

void understand_broker(Options& o, const Words& w) {
    o.broker = true;
    o.plan.name = "broker";
    o.addresses = socket_addresses_of("--listen", w.addresses);
    understand_network(o, w);
    for (const SocketAddress& address : o.addresses) {
        if (std::ranges::find(o.network.sources, address.address) == o.network.sources.end())
            o.network.sources.push_back(address.address);
    }
    o.sink.keep_alive = !w.no_keep_alive;
    o.sink.connack_code = connack_of(w.connack);
    o.sink.delay = duration_of("--connack-delay", w.delay);
    o.sink.connect_timeout = duration_of("--connect-timeout", w.connect_within);
    if (!w.duration.empty()) o.duration = duration_of("--duration", w.duration);
}

// What each scenario is, as far as nothing else is said.
struct Scenario {
    const char* name;
    const char* what;
    void (*begin)(Options&);
};

constexpr Scenario kScenarios[] = {
    {"connect", "all clients connect and disconnect", [](Options&) {}},
    {"hold", "all clients connect and stay, kept alive by PINGREQ", [](Options& o) { o.plan.hold = 60s; }},
    {"publish", "all clients connect and publish",
     [](Options& o) {
         o.plan.publish = true;
         o.plan.hold = 10s;
         o.swarm.qos = 1;
     }},
    {"churn", "all clients connect; then one after the other leaves and connects again",
     [](Options& o) {
         o.plan.churn = true;
         o.plan.hold = 10s;
     }},
    {"reconnect", "all clients connect, are cut off together, and connect again together",
     [](Options& o) {
         o.plan.rounds = 1;
         o.plan.patience = 120s;
     }},
};

constexpr Scenario kStories[] = {
    {"courier", "a million clients, 1,000 a second leave and connect again, 4,680 messages a second",
     [](Options& o) {
         o.swarm.clients = 1'000'000;
         o.swarm.qos = 1;
         o.plan.arrivals = 1000;
         o.plan.hold = 60s;
         o.plan.churn = true;
         o.plan.churn_rate = 1000;
         o.plan.publish = true;
         o.plan.message_rate = 4680;
         o.plan.in_flight = 1000;
     }},
    {"thingsphere",
     "a million clients connect, 1,000 a second, each publishes 100 messages of QoS 1; a tenth connects "
     "again",
     [](Options& o) {
         o.swarm.clients = 1'000'000;
         o.swarm.qos = 1;
         o.plan.arrivals = 1000;
         o.plan.hold = 1h;
         o.plan.publish = true;
         o.plan.publish_at_once = true;
         o.plan.messages = 100;
         o.plan.message_rate = 100'000;
         o.plan.in_flight = 1000;
         o.plan.share_again = 0.1;
     }},
};

void add_scenario(CLI::App& parent, const Scenario& scenario, Options& o, Words& w) {
    CLI::App* const app = parent.add_subcommand(scenario.name, scenario.what);
    add_clients(*app, o, w);
    add_messages(*app, o, w);
    add_churn(*app, o);
    app->add_option("--rounds", o.plan.rounds, "how many times all are cut off and connect again");
    app->add_option("--again", o.plan.share_again,
                    "share of the clients that leaves and connects again at the end")
        ->check(CLI::Range(0.0, 1.0));
    add_network(*app, o, w);
    add_output(*app, o);
    // Its defaults stand before any option is read.
    app->preparse_callback([&o, &scenario](std::size_t) {
        scenario.begin(o);
        o.plan.name = scenario.name;
    });
}

CLI::App* add_broker(CLI::App& parent, Options& o, Words& w) {
    CLI::App* const app =
        parent.add_subcommand("broker", "a broker that accepts, acknowledges and counts messages");
    app->add_option("-l,--listen", w.addresses, "ADDRESS:PORT to listen on; several may be given")
        ->required();
    app->add_option("-n,--connections", o.capacity, "most connections at a time")
        ->check(CLI::Range(1U, 100'000'000U))
        ->default_val(20'000U);
    app->add_option("-d,--duration", w.duration, "end after this long; without it, at SIGTERM or SIGINT");
    app->add_flag("--route", o.sink.route, "deliver messages to subscribers");
    app->add_flag("--take-over", o.sink.take_over,
                  "a second connection with the same client ID ends the first");
    app->add_flag("--no-keep-alive", w.no_keep_alive, "do not disconnect silent clients");
    app->add_option(
        "--connack", w.connack,
        "refuse all clients with this code, of MQTT 3.1.1 or 5; translated for clients of the other version");
    app->add_option("--connack-delay", w.delay, "how long to wait before each CONNACK")
        ->capture_default_str();
    app->add_option("--accept-rate", o.sink.accept_rate,
                    "most clients accepted a second, others are refused; 0: no limit");
    app->add_flag("--delay-above-rate", o.sink.delay_above_rate,
                  "let clients above --accept-rate wait instead")
        ->needs("--accept-rate");
    app->add_option("--connect-timeout", w.connect_within,
                    "longest time from handshake to CONNECT; 0s: no limit")
        ->capture_default_str();
    app->add_option("--queue-limit", o.sink.queue_limit, "most messages queued for one subscriber")
        ->capture_default_str();
    app->add_option("--watch-placement", o.sink.numbered_clients,
                    "among client IDs that end in a number below this, count those that connect to another "
                    "address than before");
    add_network(*app, o, w);
    add_output(*app, o);
    return app;
}

}  // namespace

std::variant<Options, int> parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
    Options options;
    Words words;
    CLI::App app("Puts a load of clients on MQTT brokers and load balancers, or acts as a broker.",
                 "sluice-load");
    app.set_version_flag("--version", "sluice-load " SLUICE_VERSION);
    app.require_subcommand(1);
    for (const Scenario& scenario : kScenarios) add_scenario(app, scenario, options, words);
    CLI::App* const story = app.add_subcommand("story", "scenarios reported from real fleets");
    story->require_subcommand(1);
    for (const Scenario& scenario : kStories) add_scenario(*story, scenario, options, words);
    const CLI::App* const broker = add_broker(app, options, words);
    try {
        app.parse(argc, argv);
        if (broker->parsed()) {
            understand_broker(options, words);
        } else {
            understand_clients(options, words);
        }
        return options;
    } catch (const CLI::Success& asked) {  // --help, --version
        return app.exit(asked, out, err);
    } catch (const CLI::ParseError& error) {
        err << "sluice-load: " << error.what() << "; see sluice-load --help\n";
    } catch (const Fault& fault) {
        err << "sluice-load: " << fault.what() << "\n";
    }
    return kExitUsage;
}

}  // namespace sluice::load
