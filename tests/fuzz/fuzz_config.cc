// Any text as a configuration file: either a config that keeps the promises of model.h and does not differ
// from itself, or problems that each fit one line and name a line of the file.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "check.h"
#include "sluice/config/difference.h"
#include "sluice/config/reader.h"

using namespace sluice;

namespace {

void check_problems(const std::vector<config::Problem>& problems, std::string_view text) {
    const auto lines = 2U + static_cast<unsigned>(std::ranges::count(text, '\n'));
    check(std::ranges::is_sorted(problems, {}, &config::Problem::line));
    for (const auto& problem : problems) {
        check(problem.line >= 1 && problem.line <= lines && problem.column >= 1);
        check(!problem.message.empty() && !problem.remedy.empty());
        check(config::to_string(problem).find('\n') == std::string::npos);
    }
}

void check_routes(const config::Config& config) {
    for (const auto& route : config.routes) {
        check(route.pool.empty() == route.refuse.has_value());
        if (route.pool.empty()) continue;
        check(route.pool_index < config.pools.size() && config.pools[route.pool_index].name == route.pool);
    }
}

void check_health(const config::Health& health) {
    check(health.expect_from >= 100 && health.expect_from <= health.expect_to && health.expect_to <= 599);
    check(health.path.starts_with('/') && health.password.size() <= 65535);
    const bool mqtt = health.type == config::HealthType::Mqtt;
    check(mqtt || (health.username.empty() && health.password_file.empty()));
    check(health.password.empty() || !health.username.empty() || health.version == mqtt::Version::V5);
}

void check_config(const config::Config& config) {
    check(config.runtime.workers >= 1 && config.runtime.workers <= 16);
    check(config.runtime.cores.empty() || config.runtime.cores.size() == config.runtime.workers);
    check(!config.ports.empty() && !config.listeners.empty() && !config.pools.empty());
    for (const auto& port : config.ports) {
        check(!port.addresses.empty() && port.device.empty() != port.interface.empty());
        check(port.gateways.size() <= 2);
    }
    for (const auto& listener : config.listeners) {
        check(listener.pool_index < config.pools.size());
        check(config.pools[listener.pool_index].name == listener.pool);
        check(listener.address.port != 0 && listener.max_connect_size <= listener.connect_window);
    }
    for (const auto& pool : config.pools) {
        check(!pool.backends.empty() && pool.backends.size() <= 4096);
        check(!pool.source_addresses.empty() && pool.source_addresses.size() <= 4096);
        check(pool.source_ports.first >= 1024 && pool.source_ports.size() >= config.runtime.workers);
        check(pool.bounded_load == 0 || pool.bounded_load >= 1);
        check(pool.drain_rate >= 1 && pool.slow_start.count() >= 0);
        check_health(pool.health);
        for (const auto& backend : pool.backends) check(backend.address.port != 0);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const config::LoadResult result = config::read(text, "fuzz.toml");
    check(result.config.has_value() == result.problems.empty());
    if (result.config) {
        check_config(*result.config);
        check_routes(*result.config);
        check(config::difference(*result.config, *result.config).empty());
    }
    check_problems(result.problems, text);
    return 0;
}
