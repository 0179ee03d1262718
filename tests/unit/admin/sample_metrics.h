// One of everything, so that every family of metrics has a sample.
#pragma once

#include "sluice/admin/metrics.h"

namespace sluice::admin {

inline Metrics sample_metrics() {
    Metrics metrics;
    metrics.version = "1.2.3";
    metrics.dpdk = "22.11";
    metrics.workers = {{.answers = true, .handshaking = 1, .relayed = 2, .resting = 4, .spliced = 3}};
    metrics.listeners = {{.name = "mqtt",
                          .address = *SocketAddress::parse("10.1.0.1:1883"),
                          .connections = 6,
                          .half_open = 1,
                          .max_connections = 1000}};
    metrics.pools = {{.name = "brokers", .backends = 1, .usable = 1}};
    Metrics::Backend backend;
    backend.row.pool = "brokers";
    backend.row.name = "b1";
    backend.row.address = *SocketAddress::parse("10.2.0.2:1883");
    backend.row.state = "up";
    backend.sources = {{.address = *IpAddress::parse("10.2.0.10"), .used = 5, .free = 64'500}};
    metrics.backends = {backend};
    PortRow port;
    port.name = "front";
    port.driver = "net_af_packet";
    port.link_up = true;
    port.link_mbps = 10'000;
    for (const char* const name :
         {"rx_frames", "rx_bytes", "rx_missed", "rx_ring_full", "rx_no_fill", "rx_interface_dropped",
          "rx_errors", "rx_no_buffer", "tx_frames", "tx_bytes", "tx_errors"}) {
        port.statistics.emplace_back(name, 1);
    }
    metrics.ports = {port};
    return metrics;
}

}  // namespace sluice::admin
