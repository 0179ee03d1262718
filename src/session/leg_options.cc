#include "sluice/session/leg_options.h"

#include <algorithm>

#include "session/parts.h"
#include "sluice/tcp/isn.h"

namespace sluice::session {

tcp::EndpointOptions client_options(const backend::Snapshot& snapshot, std::uint32_t listener_index,
                                    const FourTuple& tuple, std::uint16_t port_mss, const SipKey& key) {
    const backend::Listener& listener = snapshot.listeners[listener_index];
    const backend::Offer& offer = listener.offer;
    tcp::EndpointOptions options;
    options.receive_mss = offer.mss == 0 ? port_mss : std::min(port_mss, offer.mss);
    options.send_mss_limit = port_mss;
    options.default_send_mss = tcp::default_mss(tuple.remote.address.family());
    // The largest CONNECT must fit, or it could never be read whole.
    options.receive_buffer = std::max(listener.config.connect_window,
                                      static_cast<std::uint32_t>(listener.config.max_connect_size));
    options.receive_window = offer.window;
    options.window_scale = offer.window_scale;
    options.sack = offer.sack;
    options.timestamps = offer.timestamps;
    options.timestamp_offset = tcp::timestamp_offset(key, tuple);
    options.time_wait = kLinger;
    options.fin_wait_2 = kHalfClosed;
    return options;
}

// The upstream SYN asks for what the client agreed to, so that no option differs between the legs; when the
// client took none, the broker is offered none.
tcp::EndpointOptions broker_options(const Connection& c, std::uint16_t broker_mss,
                                    const std::optional<nat::LastUse>& last, Instant now) {
    const tcp::Endpoint::Position client = c.client_leg.position();
    tcp::EndpointOptions options;
    options.receive_mss = std::min(broker_mss, c.client_mss);
    options.send_mss_limit = broker_mss;
    options.default_send_mss = tcp::default_mss(c.upstream.remote.address.family());
    options.receive_buffer = kBrokerBuffer;
    options.receive_window = c.client_leg.spare_window();
    options.send_buffer = kBrokerBuffer;
    options.window_scale = client.window_scale ? std::optional(client.send_scale) : std::nullopt;
    options.sack = client.sack;
    options.timestamps = client.timestamps;
    // One clock for all connections, except where this tuple's last one was ahead of it.
    options.timestamp_offset = last ? tcp::timestamp_offset_after(last->timestamp, now) : 0;
    options.time_wait = kLinger;
    options.fin_wait_2 = kHalfClosed;
    return options;
}

}  // namespace sluice::session
