#include "sections.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "section.h"
#include "text.h"

namespace sluice::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint32_t kMostConnections = 50'000'000;
constexpr unsigned kMostWorkers = 16;
constexpr std::size_t kMostSources = 4096;
constexpr std::uint16_t kFirstSourcePort = 1024;

void read_cores(Section& section, Runtime& runtime) {
    std::string text;
    const auto place = section.text("cores", text);
    if (!place) return;
    auto cpus = parse_cpu_list(text);
    if (!cpus) {
        section.report().add(*place, quoted(text) + " is no list of CPU numbers",
                             R"(write "1-3" or "1,4-5", with numbers of 0 to 1023)");
        return;
    }
    if (cpus->size() > kMostWorkers) {
        section.report().add(*place, "names " + std::to_string(cpus->size()) + " CPUs",
                             "name 1 to " + std::to_string(kMostWorkers));
        return;
    }
    auto sorted = *cpus;
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) != sorted.end()) {
        section.report().add(*place, quoted(text) + " names a CPU twice", "name each CPU once");
        return;
    }
    if (section.has("workers")) {
        section.report().add(*place, "cores and workers are both given",
                             "give one of them: cores makes one worker for each CPU");
        return;
    }
    runtime.cores = std::move(*cpus);
    runtime.workers = static_cast<unsigned>(runtime.cores.size());
}

void read_runtime(Section section, Runtime& runtime) {
    static constexpr Word<Idle> kIdle[] = {{"adaptive", Idle::Adaptive}, {"poll", Idle::Poll}};
    static constexpr Word<Memory> kMemory[] = {
        {"auto", Memory::Auto}, {"hugepages", Memory::Hugepages}, {"pages", Memory::Ordinary}};
    section.integer("workers", runtime.workers, 1U, kMostWorkers);
    read_cores(section, runtime);
    section.choice("idle", runtime.idle, kIdle);
    section.integer("max_connections", runtime.max_connections, 1U, kMostConnections);
    section.choice("memory", runtime.memory, kMemory);
    for (auto& argument : section.texts("eal")) {
        if (argument.value.empty() || argument.value.find('\0') != std::string::npos) {
            section.report().add(argument.place, quoted(argument.value) + " is no argument",
                                 "write each EAL argument as one string, such as \"--no-telemetry\"");
        }
        runtime.eal.push_back(std::move(argument.value));
    }
    section.duration("shutdown_timeout", runtime.shutdown_timeout, seconds(0), hours(24));
    section.finish({"user"});
}

void read_admin(Section section, Admin& admin) {
    static constexpr Word<LogLevel> kLevels[] = {{"debug", LogLevel::Debug},
                                                 {"info", LogLevel::Info},
                                                 {"warning", LogLevel::Warning},
                                                 {"error", LogLevel::Error}};
    constexpr std::size_t kLongestPath = 107;  // of a UNIX socket's address, less its final zero: unix(7)
    const auto place = section.text("socket", admin.socket);
    if (place && (admin.socket.front() != '/' || admin.socket.size() > kLongestPath)) {
        section.report().add(*place, quoted(admin.socket) + " cannot be the admin socket",
                             "write an absolute path of at most 107 bytes");
    }
    section.choice("log", admin.log, kLevels);
    section.finish({"metrics"});
}

void read_device(Section& section, Port& port, PortDraft& draft) {
    constexpr std::size_t kLongestInterface = 15;  // IFNAMSIZ less its final zero
    draft.device = section.text("device", port.device);
    draft.interface = section.text("interface", port.interface);
    if (section.has("device") == section.has("interface")) {
        const bool both = section.has("device");
        section.report().add(
            both ? section.place_of("interface") : draft.section,
            both ? "device and interface are both given" : "neither device nor interface is given",
            R"(give one of them: device = "0000:03:00.0" for DPDK, or interface = "eth1" for the kernel's)");
    }
    if (draft.interface && (port.interface.size() > kLongestInterface ||
                            port.interface.find_first_of("/, \t\r\n") != std::string::npos)) {
        section.report().add(*draft.interface, quoted(port.interface) + " is no interface name",
                             "write a name that `ip link` shows, of at most 15 bytes");
        draft.interface.reset();
    }
}

void read_port_addresses(Section& section, Port& port, PortDraft& draft) {
    const std::size_t problems = section.report().count();
    for (const auto& [text, place] : section.texts("addresses", Need::Required)) {
        const auto prefix = IpPrefix::parse(text);
        if (!prefix || prefix->length == 0 || text.find('/') == std::string::npos) {
            section.report().add(place, quoted(text) + " is no interface address",
                                 R"(write the address with its network's length, such as "10.1.0.1/24")");
            continue;
        }
        port.addresses.push_back(*prefix);
        draft.addresses.push_back(place);
    }
    draft.addresses_good = section.report().count() == problems;
    for (const auto& [text, place] : section.texts("gateway")) {
        const auto address = IpAddress::parse(text);
        if (!address) {
            section.report().add(place, quoted(text) + " is no address", R"(write it as "10.1.0.254")");
            continue;
        }
        port.gateways.push_back(*address);
        draft.gateways.push_back(place);
    }
}

void read_port(Section section, Draft& draft) {
    Port& port = draft.config.ports.emplace_back();
    PortDraft& places = draft.ports.emplace_back();
    places.section = section.place();
    places.name = section.name("name", port.name);
    read_device(section, port, places);
    read_port_addresses(section, port, places);
    places.mtu = section.integer<std::uint16_t>("mtu", port.mtu, 576, 9000);
    section.finish();
    draft.ports_good = draft.ports_good && places.addresses_good;
}

// nullopt when the key is absent or an element is bad.
std::optional<Place> read_prefixes(Section& section, std::string_view key, std::vector<IpPrefix>& out) {
    const std::size_t problems = section.report().count();
    for (const auto& [text, place] : section.texts(key)) {
        const auto prefix = IpPrefix::parse(text);
        if (prefix) {
            out.push_back(*prefix);
        } else {
            section.report().add(place, quoted(text) + " is no network",
                                 R"(write "10.0.0.0/8", "fd00::/16" or a single address)");
        }
    }
    if (!section.has(key) || section.report().count() != problems) return std::nullopt;
    return section.place_of(key);
}

// A CONNECT must fit the window, or it never arrives whole: of the two limits, one that is not given follows
// the other.
void read_connect_limits(Section& section, Listener& listener) {
    constexpr std::uint32_t kLargest = 16U << 20U;
    const auto size = section.size<std::size_t>("max_connect_size", listener.max_connect_size, 64, kLargest);
    const auto window =
        section.size<std::uint32_t>("connect_window", listener.connect_window, 1024, kLargest);
    if (listener.max_connect_size <= listener.connect_window) return;
    if (size && window) {
        section.report().add(
            *window, size_to_string(listener.connect_window) + " cannot hold a CONNECT of max_connect_size",
            "write at least " + quoted(size_to_string(listener.max_connect_size)) +
                ", or lower max_connect_size");
    } else if (size) {
        listener.connect_window = static_cast<std::uint32_t>(listener.max_connect_size);
    } else {
        listener.max_connect_size = listener.connect_window;
    }
}

void read_listener(Section section, Draft& draft) {
    Listener& listener = draft.config.listeners.emplace_back();
    ListenerDraft& places = draft.listeners.emplace_back();
    places.name = section.name("name", listener.name);
    places.address = section.address("address", listener.address);
    places.pool = section.text("pool", listener.pool, Need::Required);
    section.duration("connect_timeout", listener.connect_timeout, milliseconds(100), minutes(10));
    read_connect_limits(section, listener);
    places.allow = read_prefixes(section, "allow", listener.allow);
    read_prefixes(section, "deny", listener.deny);
    section.integer("max_connections", listener.max_connections, 0U, kMostConnections);
    section.integer("half_open", listener.half_open, 1U, 1U << 24U);
    section.duration("idle_timeout", listener.idle_timeout, seconds(0), hours(24 * 30));
    section.finish({"connect_rate", "per_network", "accept_proxy_from", "tls"});
}

void read_health(Section section, Health& health) {
    static constexpr Word<HealthType> kTypes[] = {{"none", HealthType::None}, {"tcp", HealthType::Tcp}};
    static constexpr std::string_view kLaterTypes[] = {"mqtt", "http"};
    section.choice("type", health.type, kTypes, kLaterTypes);
    section.duration("interval", health.interval, milliseconds(100), hours(1));
    section.duration("timeout", health.timeout, milliseconds(10), minutes(10));
    section.integer("rise", health.rise, 1U, 1000U);
    section.integer("fall", health.fall, 1U, 1000U);
    section.finish({"username", "password_file", "version", "path", "expect"});
}

void read_source_addresses(Section& section, Pool& pool, PoolDraft& draft) {
    const std::size_t problems = section.report().count();
    for (const auto& [text, place] : section.texts("source_addresses", Need::Required)) {
        const auto range = parse_address_range(text);
        if (!range) {
            section.report().add(place, quoted(text) + " is no address or range of addresses",
                                 R"(write "10.2.0.10" or "10.2.0.10-10.2.0.33")");
            continue;
        }
        const auto addresses = expand(*range, kMostSources - pool.source_addresses.size());
        if (!addresses) {
            section.report().add(place, "makes more than 4096 source addresses",
                                 "give a pool at most 4096 in total");
            break;
        }
        const std::size_t begin = pool.source_addresses.size();
        pool.source_addresses.insert(pool.source_addresses.end(), addresses->begin(), addresses->end());
        draft.sources.push_back({place, begin, pool.source_addresses.size()});
    }
    draft.sources_good = section.report().count() == problems;
}

void read_source_ports(Section& section, Pool& pool, PoolDraft& draft) {
    draft.source_ports = section.place_of("source_ports");
    std::string text;
    const auto place = section.text("source_ports", text);
    if (!place) {
        if (section.has("source_ports")) draft.source_ports.reset();
        return;
    }
    draft.source_ports = place;
    const auto range = parse_port_range(text);
    if (range && range->first >= kFirstSourcePort) {
        pool.source_ports = *range;
        return;
    }
    section.report().add(*place, range ? "begins below 1024" : quoted(text) + " is no range of ports",
                         range ? "begin at 1024 or above: health probes leave from the ports below"
                               : R"(write "first-last" within 1024 to 65535, such as "1024-65535")");
    draft.source_ports.reset();
}

void read_backend(Section section, Pool& pool, PoolDraft& draft) {
    static constexpr Word<BackendState> kStates[] = {
        {"up", BackendState::Up}, {"drain", BackendState::Drain}, {"maintenance", BackendState::Maintenance}};
    Backend& backend = pool.backends.emplace_back();
    BackendDraft& places = draft.backends.emplace_back();
    places.name = section.name("name", backend.name);
    places.address = section.address("address", backend.address);
    section.integer("weight", backend.weight, 0U, 1000U);
    section.integer("max_connections", backend.max_connections, 0U, kMostConnections);
    section.choice("state", backend.state, kStates);
    section.finish({"connect_rate"});
}

void read_balance(Section& section, Pool& pool) {
    static constexpr Word<Balance> kBalances[] = {{"maglev", Balance::Maglev},
                                                  {"least_connections", Balance::LeastConnections},
                                                  {"two_choices", Balance::TwoChoices},
                                                  {"round_robin", Balance::RoundRobin}};
    static constexpr Word<HashKey> kHashKeys[] = {
        {"client_id", HashKey::ClientId}, {"username", HashKey::Username}, {"client_ip", HashKey::ClientIp}};
    section.choice("balance", pool.balance, kBalances);
    section.choice("hash_key", pool.hash_key, kHashKeys);
    const auto place = section.number("bounded_load", pool.bounded_load);
    // Written so that NaN is refused too.
    const bool good = pool.bounded_load == 0 || (pool.bounded_load >= 1 && pool.bounded_load <= 1000);
    if (place && !good) {
        section.report().add(*place, "is out of range",
                             "must be 0 (off) or 1 to 1000 times the mean load, such as 1.25");
    }
}

void read_pool(Section section, Draft& draft) {
    Pool& pool = draft.config.pools.emplace_back();
    PoolDraft& places = draft.pools.emplace_back();
    places.section = section.place();
    places.name = section.name("name", pool.name);
    read_balance(section, pool);
    read_source_addresses(section, pool, places);
    read_source_ports(section, pool, places);
    section.integer("retries", pool.retries, 0U, 10U);
    section.duration("attempt_timeout", pool.attempt_timeout, milliseconds(10), minutes(10));
    if (auto health = section.table("health")) read_health(std::move(*health), pool.health);
    const std::size_t problems = section.report().count();
    for (auto& backend : section.tables("backend")) read_backend(std::move(backend), pool, places);
    if (pool.backends.empty() && section.report().count() == problems) {
        section.report().add(section.place_of("backend"), "the pool has no backend",
                             "add a [[pool.backend]] section with name and address");
    }
    section.finish(
        {"drain_rate", "slow_start", "queue_timeout", "queue_size", "on_down", "tls", "send_proxy"});
    draft.pools_good = draft.pools_good && places.name.has_value();
}

// Reads each [[key]] of the file, of which there must be one.
template <typename Read>
bool read_all(Section& file, std::string_view key, Report& report, const Read& read) {
    const std::size_t problems = report.count();
    auto sections = file.tables(key);
    const bool good = report.count() == problems;
    if (sections.empty() && good) {
        report.add(file.place_of(key), "there is no " + std::string(key),
                   "add a [[" + std::string(key) + "]] section");
    }
    const bool complete = good && !sections.empty();
    for (auto& section : sections) read(std::move(section));
    return complete;
}

}  // namespace

Draft read_sections(const toml::table& table, Report& report) {
    Draft draft;
    Section file(table, "", report);
    if (auto runtime = file.table("runtime")) read_runtime(std::move(*runtime), draft.config.runtime);
    const bool all_ports =
        read_all(file, "port", report, [&](Section section) { read_port(std::move(section), draft); });
    if (auto admin = file.table("admin")) read_admin(std::move(*admin), draft.config.admin);
    read_all(file, "listener", report, [&](Section section) { read_listener(std::move(section), draft); });
    const bool all_pools =
        read_all(file, "pool", report, [&](Section section) { read_pool(std::move(section), draft); });
    draft.ports_good = draft.ports_good && all_ports;
    draft.pools_good = draft.pools_good && all_pools;
    file.finish({"route"});
    return draft;
}

}  // namespace sluice::config
