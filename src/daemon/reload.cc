// The controller's side of `reload` and of everything that changes a backend: the state goes over, the
// workers are sent what comes of it.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "sluice/config/difference.h"
#include "sluice/config/words.h"
#include "sluice/daemon/controller.h"

namespace sluice::daemon {
namespace {

const char* name(config::ChangeKind kind) {
    switch (kind) {
        case config::ChangeKind::Added: return "added";
        case config::ChangeKind::Removed: return "removed";
        case config::ChangeKind::Changed: return "changed";
    }
    return "?";
}

std::string text_of(const config::Change& change) {
    if (change.key.empty()) return fmt::format("{} {}", change.what, name(change.kind));
    return fmt::format("{}: {}: {} -> {}", change.what, change.key, change.from, change.to);
}

}  // namespace

config::Config Controller::load_changed() {
    config::LoadResult loaded = options_.load_configuration();
    if (!loaded.config) {
        std::vector<std::string> problems;
        for (const config::Problem& problem : loaded.problems) problems.push_back(config::to_string(problem));
        throw admin::ReloadRefused(fmt::format("the configuration has {} problem{}; nothing has changed",
                                               problems.size(), problems.size() == 1 ? "" : "s"),
                                   std::move(problems));
    }
    std::vector<std::string> problems;
    for (const config::Change& change : config::difference(state_.file(), *loaded.config)) {
        if (change.needs_restart) {
            problems.push_back(fmt::format("{}; {}", text_of(change), *change.needs_restart));
        }
    }
    if (!problems.empty()) {
        throw admin::ReloadRefused("some changes need a restart; nothing has changed", std::move(problems));
    }
    return std::move(*loaded.config);
}

admin::ReloadReport Controller::reload(bool dry_run) {
    if (dry_run) return go_over_to_file(true);
    last_reload_ = now_;
    reloads_.last_applied = false;
    try {
        admin::ReloadReport report = go_over_to_file(false);
        reloads_.last_applied = true;
        ++reloads_.applied;
        return report;
    } catch (const admin::Refused&) {
        ++reloads_.refused;
        throw;
    }
}

admin::ReloadReport Controller::go_over_to_file(bool dry_run) {
    config::Config file = load_changed();
    const config::Config wanted = state_.wanted_by(file);
    admin::ReloadReport report{.applied = !dry_run, .changes = {}, .moves = state_.moves_to(wanted)};
    for (const config::Change& change : config::difference(state_.config(), wanted)) {
        report.changes.push_back({.what = change.what,
                                  .kind = name(change.kind),
                                  .key = change.key,
                                  .from = change.from,
                                  .to = change.to});
        if (!dry_run) spdlog::info("reload: {}", text_of(change));
    }
    if (dry_run) return report;
    if (report.changes.empty()) spdlog::info("reload: nothing has changed");
    if (wanted.admin.log != state_.config().admin.log)
        set_log_level(std::string(config::word(wanted.admin.log)));
    state_.adopt_file(std::move(file), now_);
    channel_.flush();
    open_connection_log();  // by its new name, or the same one after it was moved away
    return report;
}

void Controller::reload_on_signal() {
    try {
        reload(false);
    } catch (const admin::ReloadRefused& refused) {
        spdlog::error("reload: {}", refused.what());
        for (const std::string& problem : refused.problems) spdlog::error("reload: {}", problem);
    } catch (const admin::Refused& refused) {
        spdlog::error("reload: {}", refused.what());
    }
}

// --- one backend ---

void Controller::set_state(const std::string& backend, admin::Wish wish) {
    state_.set_state(backend, wish, now_);
    channel_.flush();
}

void Controller::set_weight(const std::string& backend, std::uint32_t weight) {
    state_.set_weight(backend, weight, now_);
    channel_.flush();
}

void Controller::add_backend(const std::string& pool, const std::string& name, const SocketAddress& address,
                             std::uint32_t weight) {
    state_.add_backend(pool, name, address, weight, now_);
    channel_.flush();
}

void Controller::remove_backend(const std::string& backend) {
    state_.remove_backend(backend, now_);
    channel_.flush();
}

}  // namespace sluice::daemon
