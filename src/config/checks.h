// The rules of check.h, by the part of the configuration that they are about.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "draft.h"
#include "networks.h"
#include "report.h"

namespace sluice::config {

// Each port by itself and the ports among each other.
void check_ports(const Draft& draft, Report& report);
// Source addresses and backends of each pool.
void check_pools(const Draft& draft, const Networks& networks, Report& report);
// No two pools may make the same four-tuple.
void check_pool_overlaps(const Draft& draft, Report& report);
// Addresses of listeners, their pools and their conflicts with source addresses. Fills in pool_index.
void check_listeners(Draft& draft, const Networks& networks, Report& report);

struct Unique {
    std::string_view text;
    const std::optional<Place>* place;
};
// Reports every value that an earlier one has already. what: "name", "device".
void check_unique(const std::vector<Unique>& values, std::string_view what, Report& report);

}  // namespace sluice::config
