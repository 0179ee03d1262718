#include "sections.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "readers.h"
#include "text.h"

namespace sluice::config {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr unsigned kMostWorkers = 16;
constexpr std::size_t kMostNumbered = 65535;  // listeners, and pools: their numbers have 16 bits

void read_cores(Section& section, Runtime& runtime) {
    std::string text;
    const auto place = section.text("cores", text);
    if (!place) return;
    auto cpus = parse_cpu_list(text);
    if (!cpus) {
        section.report().add(*place, quoted(text) + " is not a list of CPU numbers",
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

void read_runtime(Section section, Runtime& runtime, Draft& draft) {
    section.integer("workers", runtime.workers, 1U, kMostWorkers);
    read_cores(section, runtime);
    section.choice("idle", runtime.idle, kIdleWords);
    section.integer("max_connections", runtime.max_connections, 1U, kMostConnections);
    draft.connect_memory = section.size<std::uint64_t>("connect_memory", runtime.connect_memory,
                                                       std::uint64_t{1} << 20U, std::uint64_t{1} << 40U);
    section.choice("memory", runtime.memory, kMemoryWords);
    for (auto& argument : section.texts("eal")) {
        if (argument.value.empty() || argument.value.find('\0') != std::string::npos) {
            section.report().add(argument.place, quoted(argument.value) + " is not an argument",
                                 "write each EAL argument as one string, such as \"--no-telemetry\"");
        }
        runtime.eal.push_back(std::move(argument.value));
    }
    section.duration("shutdown_timeout", runtime.shutdown_timeout, seconds(0), hours(24));
    section.finish({"user"});
}

void read_admin(Section section, Admin& admin, Draft& draft) {
    constexpr std::size_t kLongestPath = 107;  // of a UNIX socket's address, less its final zero: unix(7)
    const auto place = section.text("socket", admin.socket);
    if (place && (admin.socket.front() != '/' || admin.socket.size() > kLongestPath)) {
        section.report().add(*place, quoted(admin.socket) + " cannot be the admin socket",
                             "write an absolute path of at most 107 bytes");
    }
    section.choice("log", admin.log, kLogWords);
    SocketAddress metrics;
    draft.metrics = section.address("metrics", metrics, Need::Optional);
    if (draft.metrics) admin.metrics = metrics;
    section.path("connection_log", admin.connection_log);
    section.finish();
}

void read_device(Section& section, Port& port, PortDraft& draft) {
    constexpr std::size_t kLongestInterface = 15;  // IFNAMSIZ less its final zero
    draft.device = section.text("device", port.device);
    draft.interface = section.text("interface", port.interface);
    const auto driver = section.choice("driver", port.driver, kDriverWords);
    if (driver && !section.has("interface")) {
        section.report().add(*driver, "driver is given without interface",
                             "leave it out: a device string names its driver itself");
    }
    if (section.has("device") == section.has("interface")) {
        const bool both = section.has("device");
        section.report().add(
            both ? section.place_of("interface") : draft.section,
            both ? "device and interface are both given" : "neither device nor interface is given",
            R"(give one of them: device = "0000:03:00.0" for DPDK, or interface = "eth1" for the kernel's)");
    }
    if (draft.interface && (port.interface.size() > kLongestInterface ||
                            port.interface.find_first_of("/, \t\r\n") != std::string::npos)) {
        section.report().add(*draft.interface, quoted(port.interface) + " is not an interface name",
                             "write a name that `ip link` shows, of at most 15 bytes");
        draft.interface.reset();
    }
}

void read_port_addresses(Section& section, Port& port, PortDraft& draft) {
    const std::size_t problems = section.report().count();
    for (const auto& [text, place] : section.texts("addresses", Need::Required)) {
        const auto prefix = IpPrefix::parse(text);
        if (!prefix || prefix->length == 0 || text.find('/') == std::string::npos) {
            section.report().add(
                place, quoted(text) + " is not an interface address",
                R"(write the address with the prefix length of its network, such as "10.1.0.1/24")");
            continue;
        }
        port.addresses.push_back(*prefix);
        draft.addresses.push_back(place);
    }
    draft.addresses_good = section.report().count() == problems;
    for (const auto& [text, place] : section.texts("gateway")) {
        const auto address = IpAddress::parse(text);
        if (!address) {
            section.report().add(place, quoted(text) + " is not an address", R"(write it as "10.1.0.254")");
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

// Reads each [[key]] of the file, of which there must be one, but not more than kMostNumbered.
template <typename Read>
bool read_all(Section& file, std::string_view key, Report& report, const Read& read) {
    const std::size_t problems = report.count();
    auto sections = file.tables(key);
    if (report.count() != problems) return false;
    if (sections.empty()) {
        report.add(file.place_of(key), "there is no " + std::string(key),
                   "add a [[" + std::string(key) + "]] section");
        return false;
    }
    if (sections.size() > kMostNumbered) {
        report.add(sections[kMostNumbered].place(), "is one too many",
                   "give at most " + std::to_string(kMostNumbered) + " in one file");
        return false;
    }
    for (auto& section : sections) read(std::move(section));
    return true;
}

}  // namespace

Draft read_sections(const toml::table& table, Report& report) {
    Draft draft;
    Section file(table, "", report);
    if (auto runtime = file.table("runtime")) read_runtime(std::move(*runtime), draft.config.runtime, draft);
    const bool all_ports =
        read_all(file, "port", report, [&](Section section) { read_port(std::move(section), draft); });
    if (auto admin = file.table("admin")) read_admin(std::move(*admin), draft.config.admin, draft);
    const bool all_listeners = read_all(file, "listener", report,
                                        [&](Section section) { read_listener(std::move(section), draft); });
    for (auto& route : file.tables("route")) read_route(std::move(route), draft);
    const bool all_pools =
        read_all(file, "pool", report, [&](Section section) { read_pool(std::move(section), draft); });
    draft.ports_good = draft.ports_good && all_ports;
    draft.listeners_good = draft.listeners_good && all_listeners;
    draft.pools_good = draft.pools_good && all_pools;
    file.finish();
    return draft;
}

}  // namespace sluice::config
