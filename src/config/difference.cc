#include "sluice/config/difference.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string_view>
#include <utility>

#include "entries.h"

namespace sluice::config {
namespace {

class Differences {
  public:
    template <typename T>
    void keys(const std::string& what, const T& running, const T& wanted) {
        const auto before = entries(running);
        const auto after = entries(wanted);
        for (std::size_t i = 0; i < after.size(); ++i) {
            const bool same_value = before[i].value == after[i].value;
            if (same_value && before[i].secret == after[i].secret) continue;
            changes_.push_back({what, std::string(after[i].key), before[i].value,
                                after[i].value + (same_value ? " (other content)" : ""), ChangeKind::Changed,
                                reason(after[i].restart)});
        }
    }

    void whole(const std::string& what, ChangeKind kind, const char* restart = nullptr) {
        changes_.push_back({what, "", "", "", kind, reason(restart)});
    }

    // prefix: what comes before the name ("port "). both: is called for those that both have.
    template <typename T, typename Both>
    void named(const std::string& prefix, const std::vector<T>& running, const std::vector<T>& wanted,
               const Both& both, const char* restart = nullptr) {
        const auto before = by_name(running);
        const auto after = by_name(wanted);
        for (const T& each : wanted) {
            const auto old = before.find(each.name);
            if (old == before.end()) {
                whole(prefix + each.name, ChangeKind::Added, restart);
            } else {
                both(prefix + each.name, *old->second, each);
            }
        }
        for (const T& each : running) {
            if (!after.contains(each.name)) whole(prefix + each.name, ChangeKind::Removed, restart);
        }
    }

    std::vector<Change> take() { return std::move(changes_); }

  private:
    template <typename T>
    static std::map<std::string_view, const T*> by_name(const std::vector<T>& all) {
        std::map<std::string_view, const T*> out;
        for (const T& each : all) out.emplace(each.name, &each);
        return out;
    }

    static std::optional<std::string> reason(const char* restart) {
        return restart == nullptr ? std::nullopt : std::optional<std::string>(restart);
    }

    std::vector<Change> changes_;
};

void compare_routes(const std::vector<Route>& running, const std::vector<Route>& wanted, Differences& out) {
    for (std::size_t i = 0; i < std::max(running.size(), wanted.size()); ++i) {
        const std::string what = "route " + std::to_string(i + 1);
        if (i >= running.size()) {
            out.whole(what, ChangeKind::Added);
        } else if (i >= wanted.size()) {
            out.whole(what, ChangeKind::Removed);
        } else {
            out.keys(what, running[i], wanted[i]);
        }
    }
}

}  // namespace

std::vector<Change> difference(const Config& running, const Config& wanted) {
    Differences out;
    const auto keys = [&](const std::string& what, const auto& before, const auto& after) {
        out.keys(what, before, after);
    };
    out.keys("runtime", running.runtime, wanted.runtime);
    out.named("port ", running.ports, wanted.ports, keys, kPortRestart);
    out.keys("admin", running.admin, wanted.admin);
    out.named("listener ", running.listeners, wanted.listeners, keys);
    compare_routes(running.routes, wanted.routes, out);
    out.named("pool ", running.pools, wanted.pools,
              [&](const std::string& what, const Pool& before, const Pool& after) {
                  out.keys(what, before, after);
                  out.named("backend " + after.name + "/", before.backends, after.backends, keys);
              });
    return out.take();
}

}  // namespace sluice::config
