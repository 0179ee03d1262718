// `show connections`: rows are fetched from each worker in chunks, so that no inspection holds a worker up
// for long, and filtered here, on control's time.
#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "sluice/daemon/controller.h"
#include "sluice/flow/slab.h"
#include "sluice/mqtt/connect.h"
#include "sluice/session/connection.h"

namespace sluice::daemon {
namespace {

constexpr std::size_t kChunk = 512;          // rows of one inspection
constexpr std::size_t kLoggedClientId = 64;  // bytes of a client ID in the connection log

class ListInspection final : public worker::Inspection {
  public:
    ListInspection() : rows_(kChunk) {}
    void run(worker::Worker& worker) override { next_ = worker.list_connections(next_, rows_, written_); }

    bool at_end() const { return next_ == flow::kNoEntry; }
    std::span<const worker::ListedConnection> rows() const { return std::span(rows_).first(written_); }

  private:
    std::uint32_t next_ = 0;
    std::size_t written_ = 0;
    std::vector<worker::ListedConnection> rows_;
};

// Some of them at a time: each is two packets to be sent.
class KillInspection final : public worker::Inspection {
  public:
    using Victim = std::pair<std::uint32_t, FourTuple>;  // as ListedConnection has id and client

    explicit KillInspection(std::vector<Victim> victims) : victims_(std::move(victims)) {}
    void run(worker::Worker& worker) override {
        constexpr std::size_t kAtOnce = 64;
        for (std::size_t n = 0; n < kAtOnce && !at_end(); ++n, ++next_) {
            killed_ += worker.kill_connection(victims_[next_].first, victims_[next_].second) ? 1 : 0;
        }
    }

    bool at_end() const { return next_ == victims_.size(); }
    std::uint64_t killed() const { return killed_; }

  private:
    std::vector<Victim> victims_;
    std::size_t next_ = 0;
    std::uint64_t killed_ = 0;
};

constexpr std::array kPhases{session::Phase::Handshake,  session::Phase::AwaitConnect,
                             session::Phase::Connecting, session::Phase::Replaying,
                             session::Phase::Relayed,    session::Phase::Resting,
                             session::Phase::Spliced,    session::Phase::Delivering,
                             session::Phase::Refusing,   session::Phase::Closing};

bool is_leased(const session::ConnectionSummary& connection) {
    return !connection.upstream.local.address.is_unspecified();
}

// A filter whose names have been looked up.
class Matcher {
  public:
    Matcher(const admin::ConnectionFilter& filter, const backend::Snapshot& snapshot) : filter_(filter) {
        if (filter.phase) find_phase(*filter.phase);
        if (filter.backend) find_backend(*filter.backend, snapshot);
    }

    bool operator()(const worker::ListedConnection& row) const {
        if (phase_ && row.phase != *phase_) return false;
        if (filter_.backend && !is_wanted_backend(row)) return false;
        if (filter_.address && !is_wanted(row.identity) &&
            (!is_leased(row) || !is_wanted(row.upstream.local))) {
            return false;
        }
        // Before its CONNECT a client has no client ID, which is not an empty one.
        if (filter_.client_id && row.mqtt_version == 0) return false;
        // Of a longer client ID only the beginning is known; it is compared as far as it goes.
        const std::string_view shown = row.shown_client_id();
        if (filter_.client_id && (filter_.client_id->size() != row.client_id_size ||
                                  shown != std::string_view(*filter_.client_id).substr(0, shown.size()))) {
            return false;
        }
        if (filter_.client_id_prefix) {
            const std::string_view prefix = *filter_.client_id_prefix;
            if (prefix.size() > row.client_id_size) return false;
            if (!shown.starts_with(prefix.substr(0, shown.size()))) return false;
        }
        return true;
    }
    // Whether the client ID of a row that fits may go on otherwise than was asked.
    bool is_guess(const worker::ListedConnection& row) const {
        const std::size_t asked = std::max(filter_.client_id ? filter_.client_id->size() : 0,
                                           filter_.client_id_prefix ? filter_.client_id_prefix->size() : 0);
        return asked > row.client_id_shown;
    }
    // Pools that have a backend of the name.
    std::size_t pools() const {
        std::set<std::uint32_t> pools;
        for (const auto& [pool, backend] : wanted_) pools.insert(pool);
        return pools.size();
    }

  private:
    void find_phase(const std::string& name) {
        std::string known;
        for (const session::Phase phase : kPhases) {
            if (name == session::to_string(phase)) phase_ = phase;
            known.append(known.empty() ? "" : ", ").append(session::to_string(phase));
        }
        if (!phase_) throw admin::Refused("no phase is named '" + name + "'; known phases: " + known);
    }

    void find_backend(const std::string& name, const backend::Snapshot& snapshot) {
        for (std::uint32_t p = 0; p < snapshot.pools.size(); ++p) {
            const backend::Pool& pool = snapshot.pools[p];
            for (std::uint32_t b = 0; b < pool.backends.size(); ++b) {
                if (pool.backends[b].standing == backend::Standing::Vacant) continue;
                const std::string& own = pool.backends[b].config.name;
                if (own == name || pool.config.name + "/" + own == name) wanted_.emplace_back(p, b);
            }
        }
        if (wanted_.empty()) throw admin::Refused("no backend is named '" + name + "'; see show backends");
    }

    bool is_wanted_backend(const worker::ListedConnection& row) const {
        return std::ranges::find(wanted_, std::pair(row.pool, row.backend)) != wanted_.end();
    }

    bool is_wanted(const SocketAddress& address) const {
        return address.address == filter_.address->address &&
               (filter_.address->port == 0 || address.port == filter_.address->port);
    }

    const admin::ConnectionFilter& filter_;
    std::optional<session::Phase> phase_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> wanted_;  // pools and indexes of the backends
};

std::string version_name(std::uint8_t level) {
    switch (level) {
        case 3: return mqtt::to_string(mqtt::Version::V31);
        case 4: return mqtt::to_string(mqtt::Version::V311);
        case 5: return mqtt::to_string(mqtt::Version::V5);
        default: return "";
    }
}

}  // namespace

// Numbers become names here, and nowhere else. client_id_bytes: how much of the client ID is told.
admin::ConnectionDescription Controller::describe(const session::ConnectionSummary& connection,
                                                  std::size_t client_id_bytes) const {
    const backend::Snapshot& snapshot = state_.snapshot();
    const backend::Pool& pool = snapshot.pools[connection.pool];
    const std::string_view client_id = connection.shown_client_id().substr(0, client_id_bytes);
    return {.listener = snapshot.listeners[connection.listener].config.name,
            .pool = pool.config.name,
            .backend = connection.backend == session::kNoBackend
                           ? ""
                           : pool.backends[connection.backend].config.name,
            .client = connection.identity,
            .source = is_leased(connection) ? std::optional(connection.upstream.local) : std::nullopt,
            .client_id = std::string(client_id),
            .client_id_cut = connection.client_id_size > client_id.size(),
            .version = version_name(connection.mqtt_version),
            .keep_alive = connection.keep_alive,
            .persistent = connection.persistent,
            .bytes_from_client = connection.bytes_from_client,
            .bytes_from_broker = connection.bytes_from_broker,
            .age = connection.age};
}

admin::ConnectionRow Controller::row_of(const worker::ListedConnection& listed, std::uint32_t worker) const {
    return {describe(listed, listed.kShownClientId),
            listed.id,
            worker,
            session::to_string(listed.phase),
            listed.packets_from_client,
            listed.packets_from_broker,
            listed.idle};
}

admin::ConnectionEnd Controller::end_of(const worker::EndedConnection& ended) const {
    admin::ConnectionEnd end{describe(ended, kLoggedClientId), options_.wall_clock(),
                             std::string(kCounterTable[static_cast<std::size_t>(ended.reason)].name)};
    if (ended.mqtt_version == 0) end.pool.clear();  // it was not led to one
    return end;
}

// Calls visit(row, worker) for connections that fit, until it returns false.
void Controller::each_connection(
    const admin::ConnectionFilter& filter,
    const std::function<bool(const worker::ListedConnection& row, std::uint32_t worker)>& visit) {
    const Matcher matches(filter, state_.snapshot());
    for (std::uint32_t w = 0; w < channel_.size(); ++w) {
        const auto inspection = std::make_shared<ListInspection>();
        do {
            channel_.inspect(w, inspection);
            for (const worker::ListedConnection& row : inspection->rows()) {
                if (matches(row) && !visit(row, w)) return;
            }
        } while (!inspection->at_end());
    }
}

admin::ConnectionList Controller::connections(const admin::ConnectionFilter& filter) {
    admin::ConnectionList list;
    each_connection(filter, [&](const worker::ListedConnection& row, std::uint32_t worker) {
        list.truncated = list.rows.size() == filter.limit;
        if (!list.truncated) list.rows.push_back(row_of(row, worker));
        return !list.truncated;
    });
    return list;
}

// Showing too many does no harm; ending one that was not meant does.
std::uint64_t Controller::kill_connections(const admin::ConnectionFilter& filter) {
    if (filter.client_id_prefix && filter.client_id_prefix->empty()) {
        throw admin::Refused("an empty client_id_prefix= matches every connection; use another filter");
    }
    const Matcher matches(filter, state_.snapshot());
    if (matches.pools() > 1) {
        throw admin::Refused("several pools have a backend named '" + *filter.backend + "'; write POOL/" +
                             *filter.backend);
    }
    std::vector<std::vector<KillInspection::Victim>> victims(channel_.size());
    std::size_t found = 0;
    std::size_t guesses = 0;
    each_connection(filter, [&](const worker::ListedConnection& row, std::uint32_t worker) {
        victims[worker].emplace_back(row.id, row.client);
        guesses += matches.is_guess(row) ? 1 : 0;
        return ++found < filter.limit;
    });
    if (guesses > 1) {
        throw admin::Refused(
            std::to_string(guesses) +
            " connections match as far as their client IDs are known; choose one by address=");
    }
    std::uint64_t killed = 0;
    for (std::uint32_t w = 0; w < channel_.size(); ++w) {
        const auto inspection = std::make_shared<KillInspection>(std::move(victims[w]));
        while (!inspection->at_end()) channel_.inspect(w, inspection);
        killed += inspection->killed();
    }
    return killed;
}

}  // namespace sluice::daemon
