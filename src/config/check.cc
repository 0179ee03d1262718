#include "check.h"

#include "checks.h"
#include "networks.h"

namespace sluice::config {

void check_unique(const std::vector<Unique>& values, std::string_view what, Report& report) {
    std::map<std::string_view, const FilePosition*> seen;
    for (const Unique& value : values) {
        if (!*value.place) continue;
        const auto [first, fresh] = seen.emplace(value.text, &**value.place);
        if (fresh) continue;
        report.add(**value.place, "the " + std::string(what) + " " + quoted(value.text) + " is taken",
                   "it is used on " + on_line(*first->second) + " already; choose another");
    }
}

void check(Draft& draft, Report& report) {
    const Networks networks(draft.config);
    check_ports(draft, report);
    check_pools(draft, networks, report);
    check_pool_overlaps(draft, report);
    check_listeners(draft, networks, report);
    check_routes(draft, report);
    check_admin(draft, networks, report);
    check_runtime(draft, report);
}

}  // namespace sluice::config
