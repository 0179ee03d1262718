#include "sluice/session/summary.h"

#include <chrono>

namespace sluice::session {
namespace {

// shown: the first bytes of a client ID of `size` bytes.
void set_client_id(ConnectionSummary& summary, std::string_view shown, std::size_t size) {
    summary.client_id_size = static_cast<std::uint32_t>(size);
    summary.client_id_shown =
        static_cast<std::uint32_t>(shown.copy(summary.client_id.data(), summary.client_id.size()));
}

}  // namespace

ConnectionSummary summary_of(Instant now, const Connection& c) {
    ConnectionSummary summary;
    summary.listener = c.listener;
    summary.pool = c.pool;
    summary.backend = c.backend;
    summary.client = c.client;
    summary.identity = c.identity;
    summary.upstream = c.upstream;
    summary.mqtt_version = c.version ? static_cast<std::uint8_t>(*c.version) : std::uint8_t{0};
    summary.keep_alive = c.keep_alive;
    summary.persistent = c.persistent;
    set_client_id(summary, c.client_id, c.client_id_size());
    summary.bytes_from_client = c.bytes_from_client;
    summary.bytes_from_broker = c.bytes_from_broker;
    summary.age = now - c.opened;
    return summary;
}

ConnectionSummary summary_of(Instant now, const RestingConnection& c, const RestingExtras& extras) {
    ConnectionSummary summary;
    summary.listener = c.listener;
    summary.pool = c.pool;
    summary.backend = c.lease.backend;
    summary.client = c.client;
    summary.identity = extras.has_identity() ? extras.identity : c.client.remote;
    summary.upstream = c.upstream;
    summary.mqtt_version = c.label.version;
    summary.keep_alive = c.keep_alive;
    summary.persistent = c.persistent;
    set_client_id(summary, c.label.shown(), c.label.size);
    summary.bytes_from_client = c.bytes_from_client;
    summary.bytes_from_broker = c.bytes_from_broker;
    summary.age = now - Instant(std::chrono::seconds(c.opened));
    return summary;
}

template <IpFamily kFamily>
ConnectionSummary summary_of(Instant now, const splice::Record<kFamily>& record, const splice::Label& label,
                             const SocketAddress& identity) {
    using splice::Direction;
    const splice::Core& core = record.core;
    ConnectionSummary summary;
    summary.listener = core.listener;
    summary.pool = core.pool;
    summary.backend = core.backend;
    summary.client = record.leg(Direction::ToClient).tuple();
    summary.identity = identity;
    summary.upstream = record.leg(Direction::ToBroker).tuple();
    summary.mqtt_version = label.version;
    summary.keep_alive = core.keep_alive;
    summary.persistent = core.persistent();
    set_client_id(summary, label.shown(), label.size);
    summary.bytes_from_client = core.way(Direction::ToBroker).bytes();
    summary.bytes_from_broker = core.way(Direction::ToClient).bytes();
    summary.age = now - Instant(std::chrono::seconds(core.opened));
    return summary;
}

template ConnectionSummary summary_of<IpFamily::V4>(Instant, const splice::Record<IpFamily::V4>&,
                                                    const splice::Label&, const SocketAddress&);
template ConnectionSummary summary_of<IpFamily::V6>(Instant, const splice::Record<IpFamily::V6>&,
                                                    const splice::Label&, const SocketAddress&);

}  // namespace sluice::session
