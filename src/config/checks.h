// The rules of check.h, by the part of the configuration that they are about.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "draft.h"
#include "networks.h"
#include "report.h"
#include "text.h"

namespace sluice::config {

// Each port by itself and the ports among each other.
void check_ports(const Draft& draft, Report& report);
// Source addresses and backends of each pool.
void check_pools(const Draft& draft, const Networks& networks, Report& report);
// No two pools may make the same four-tuple.
void check_pool_overlaps(const Draft& draft, Report& report);
// Addresses of listeners, their pools and their conflicts with source addresses. Fills in pool_index.
void check_listeners(Draft& draft, const Networks& networks, Report& report);

// Routes' listeners and pools, and that each is reached. Fills in pool_index.
void check_routes(Draft& draft, Report& report);
// That connect_memory holds what listeners take; where it is not given, it follows them.
void check_runtime(Draft& draft, Report& report);
// What the kernel is asked for must be the kernel's.
void check_admin(const Draft& draft, const Networks& networks, Report& report);

struct Unique {
    std::string_view text;
    const std::optional<FilePosition>* place;
};
// Reports every value that an earlier one has already. what: "name", "device".
void check_unique(const std::vector<Unique>& values, std::string_view what, Report& report);

// The number of the one with this name among `all`, which are called `what`. One that is missing is reported,
// provided that all names are known.
template <typename T>
std::optional<std::uint32_t> find_named(const std::vector<T>& all, const std::string& name,
                                        std::string_view what, bool all_known, const FilePosition& place,
                                        Report& report) {
    const auto found = std::ranges::find(all, name, &T::name);
    if (found != all.end()) return static_cast<std::uint32_t>(found - all.begin());
    if (!all_known) return std::nullopt;
    std::vector<std::string_view> names;
    std::vector<std::string> words;
    for (const T& each : all) {
        names.push_back(each.name);
        words.push_back(quoted(each.name));
    }
    const auto guess = nearest(name, names);
    report.add(place, "there is no " + std::string(what) + " " + quoted(name),
               guess ? "did you mean " + quoted(*guess) + "?"
                     : "the " + std::string(what) + "s are " + listed(words));
    return std::nullopt;
}

}  // namespace sluice::config
