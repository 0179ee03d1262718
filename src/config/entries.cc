#include "entries.h"

#include "text.h"
#include "written.h"

namespace sluice::config {
namespace {

constexpr const char* kRuntimeRestart = "workers, memory and DPDK's EAL are set up at start";
constexpr const char* kAdminRestart = "the address is bound at start";
constexpr const char* kSourcePortsRestart = "source ports are shared out among the workers at start";

std::string write_versions(const std::vector<mqtt::Version>& versions) {
    std::vector<std::string> words;
    for (const auto version : versions) words.emplace_back(word(version, kVersionWords));
    return words.empty() ? "" : write(words);
}

std::string write_expect(const Health& health) {
    if (health.expect_from == health.expect_to) return write(health.expect_from);
    return write(PortRange{health.expect_from, health.expect_to});
}

void add_health(std::vector<Entry>& out, const Health& health) {
    out.insert(out.end(),
               {{"health.type", write(health.type, kHealthTypeWords)},
                {"health.interval", write(health.interval)},
                {"health.timeout", write(health.timeout)},
                {"health.rise", write(health.rise)},
                {"health.fall", write(health.fall)},
                {"health.username", write_or_nothing(health.username)},
                {"health.password_file", write_or_nothing(health.password_file), nullptr, health.password},
                {"health.version", write(health.version, kVersionWords)},
                {"health.path", write(health.path)},
                {"health.port", write(health.port)},
                {"health.expect", write_expect(health)},
                {"health.expect_body", write_or_nothing(health.expect_body)}});
}

}  // namespace

std::vector<Entry> entries(const Runtime& runtime) {
    const bool pinned = !runtime.cores.empty();
    return {{"workers", pinned ? "" : write(runtime.workers), kRuntimeRestart},
            {"cores", pinned ? write_cpus(runtime.cores) : "", kRuntimeRestart},
            {"idle", write(runtime.idle, kIdleWords), kRuntimeRestart},
            {"max_connections", write(runtime.max_connections), kRuntimeRestart},
            {"connect_memory", write_size(runtime.connect_memory)},
            {"memory", write(runtime.memory, kMemoryWords), kRuntimeRestart},
            {"eal", write(runtime.eal), kRuntimeRestart},
            {"shutdown_timeout", write(runtime.shutdown_timeout)}};
}

std::vector<Entry> entries(const Port& port) {
    return {{"device", write_or_nothing(port.device), kPortRestart},
            {"interface", write_or_nothing(port.interface), kPortRestart},
            {"driver", port.device.empty() ? write(port.driver, kDriverWords) : "", kPortRestart},
            {"addresses", write(port.addresses), kPortRestart},
            {"gateway", write(port.gateways), kPortRestart},
            {"mtu", write(port.mtu), kPortRestart}};
}

std::vector<Entry> entries(const Admin& admin) {
    return {{"socket", write(admin.socket), kAdminRestart},
            {"log", write(admin.log, kLogWords)},
            {"metrics", admin.metrics ? write(*admin.metrics) : "", kAdminRestart},
            {"connection_log", write_or_nothing(admin.connection_log)}};
}

std::vector<Entry> entries(const Listener& listener) {
    return {{"address", write(listener.address)},
            {"pool", write(listener.pool)},
            {"connect_timeout", write(listener.connect_timeout)},
            {"max_connect_size", write_size(listener.max_connect_size)},
            {"connect_window", write_size(listener.connect_window)},
            {"allow", write_or_nothing(listener.allow)},
            {"deny", write(listener.deny)},
            {"max_connections", write(listener.max_connections)},
            {"half_open", write(listener.half_open)},
            {"idle_timeout", write(listener.idle_timeout)}};
}

std::vector<Entry> entries(const Route& route) {
    return {{"listener", write_or_nothing(route.listener)},
            {"client_id_prefix", write_or_nothing(route.client_id_prefix)},
            {"client_id_pattern", write_or_nothing(route.client_id_pattern)},
            {"username", route.username ? write(*route.username) : ""},
            {"version", write_versions(route.versions)},
            {"network", write_or_nothing(route.networks)},
            {"pool", write_or_nothing(route.pool)},
            {"refuse", route.refuse ? write(*route.refuse, kRefusalWords) : ""}};
}

std::vector<Entry> entries(const Pool& pool) {
    std::vector<Entry> out{{"balance", write(pool.balance, kBalanceWords)},
                           {"hash_key", write(pool.hash_key, kHashKeyWords)},
                           {"hash_pattern", write_or_nothing(pool.hash_pattern)},
                           {"source_addresses", write_ranges(pool.source_addresses)},
                           {"source_ports", write(pool.source_ports), kSourcePortsRestart},
                           {"retries", write(pool.retries)},
                           {"attempt_timeout", write(pool.attempt_timeout)},
                           {"bounded_load", write(pool.bounded_load)},
                           {"drain_rate", write(pool.drain_rate)},
                           {"slow_start", write(pool.slow_start)},
                           {"on_down", write(pool.on_down, kOnDownWords)}};
    add_health(out, pool.health);
    return out;
}

std::vector<Entry> entries(const Backend& backend) {
    return {{"address", write(backend.address)},
            {"weight", write(backend.weight)},
            {"max_connections", write(backend.max_connections)},
            {"state", write(backend.state, kStateWords)}};
}

}  // namespace sluice::config
