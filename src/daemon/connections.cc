// `show connections`: rows are fetched from each worker in chunks, so that no inspection holds a worker up
// for long, and filtered here, on control's time.
#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "sluice/daemon/control.h"
#include "sluice/flow/slab.h"
#include "sluice/mqtt/connect.h"
#include "sluice/session/connection.h"

namespace sluice::daemon {
namespace {

constexpr std::size_t kChunk = 512;  // rows of one inspection

class ListInspection final : public worker::Inspection {
  public:
    ListInspection() : rows_(kChunk) {}
    void run(worker::Worker& worker) override { next_ = worker.list_connections(next_, rows_, written_); }

    bool at_end() const { return next_ == flow::kNoEntry; }
    std::span<const worker::ConnectionRow> rows() const { return std::span(rows_).first(written_); }

  private:
    std::uint32_t next_ = 0;
    std::size_t written_ = 0;
    std::vector<worker::ConnectionRow> rows_;
};

constexpr std::array kPhases{session::Phase::Handshake,  session::Phase::AwaitConnect,
                             session::Phase::Connecting, session::Phase::Replaying,
                             session::Phase::Relayed,    session::Phase::Spliced,
                             session::Phase::Refusing,   session::Phase::Closing};

std::string_view shown_client_id(const worker::ConnectionRow& row) {
    return {row.client_id.data(), row.client_id_shown};
}

// A filter whose names have been looked up.
class Matcher {
  public:
    Matcher(const admin::ConnectionFilter& filter, const config::Config& config) : filter_(filter) {
        if (filter.phase) find_phase(*filter.phase);
        if (filter.backend) find_backend(*filter.backend, config);
    }

    bool operator()(const worker::ConnectionRow& row) const {
        if (phase_ && row.phase != *phase_) return false;
        if (filter_.backend && !is_wanted_backend(row)) return false;
        if (filter_.address && !is_wanted(row.client.remote) && !is_wanted(row.upstream.local)) return false;
        // Of a longer client ID only the beginning is known; it is compared as far as it goes.
        const std::string_view shown = shown_client_id(row);
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

  private:
    void find_phase(const std::string& name) {
        std::string known;
        for (const session::Phase phase : kPhases) {
            if (name == session::to_string(phase)) phase_ = phase;
            known.append(known.empty() ? "" : ", ").append(session::to_string(phase));
        }
        if (!phase_) throw admin::Refused("no phase is named '" + name + "'; there are " + known);
    }

    void find_backend(const std::string& name, const config::Config& config) {
        bool found = false;
        for (const config::Pool& pool : config.pools) {
            const auto at = std::ranges::find(pool.backends, name, &config::Backend::name);
            found = found || at != pool.backends.end();
            // An index that no connection has, where the pool has no broker of that name.
            wanted_.push_back(at == pool.backends.end()
                                  ? static_cast<std::uint32_t>(pool.backends.size())
                                  : static_cast<std::uint32_t>(at - pool.backends.begin()));
        }
        if (!found) throw admin::Refused("no backend is named '" + name + "'; see show backends");
    }

    bool is_wanted_backend(const worker::ConnectionRow& row) const {
        return row.backend != session::kNoBackend && row.backend == wanted_[row.pool];
    }

    bool is_wanted(const SocketAddress& address) const {
        return address.address == filter_.address->address &&
               (filter_.address->port == 0 || address.port == filter_.address->port);
    }

    const admin::ConnectionFilter& filter_;
    std::optional<session::Phase> phase_;
    std::vector<std::uint32_t> wanted_;  // by pool: index of the backend looked for
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

admin::ConnectionRow Control::describe(const worker::ConnectionRow& row, std::uint32_t worker) const {
    const config::Pool& pool = config_.pools[row.pool];
    const bool leased = !row.upstream.local.address.is_unspecified();
    return {.id = row.id,
            .worker = worker,
            .phase = session::to_string(row.phase),
            .listener = config_.listeners[row.listener].name,
            .pool = pool.name,
            .backend = row.backend == session::kNoBackend ? "" : pool.backends[row.backend].name,
            .client = row.client.remote,
            .source = leased ? std::optional(row.upstream.local) : std::nullopt,
            .client_id = std::string(shown_client_id(row)),
            .client_id_cut = row.client_id_size > row.client_id_shown,
            .version = version_name(row.mqtt_version),
            .keep_alive = row.keep_alive,
            .bytes_from_client = row.bytes_from_client,
            .bytes_from_broker = row.bytes_from_broker,
            .packets_from_client = row.packets_from_client,
            .packets_from_broker = row.packets_from_broker,
            .age = row.age,
            .idle = row.idle};
}

admin::ConnectionList Control::connections(const admin::ConnectionFilter& filter) {
    const Matcher matches(filter, config_);
    admin::ConnectionList list;
    for (std::uint32_t w = 0; w < link_->size(); ++w) {
        const auto inspection = std::make_shared<ListInspection>();
        do {
            link_->inspect(w, inspection);
            for (const worker::ConnectionRow& row : inspection->rows()) {
                if (!matches(row)) continue;
                if (list.rows.size() == filter.limit) {
                    list.truncated = true;
                    return list;
                }
                list.rows.push_back(describe(row, w));
            }
        } while (!inspection->at_end());
    }
    return list;
}

}  // namespace sluice::daemon
