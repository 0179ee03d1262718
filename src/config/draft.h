// A configuration as it was read, before its parts are held against each other: the values, and where each
// stands in the file. A place that is absent means that the value is missing or bad, and was reported; rules
// that need it are then silent, so that one fault is told once.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "report.h"
#include "sluice/config/model.h"

namespace sluice::config {

struct PortDraft {
    Place section;
    std::optional<Place> name;
    std::optional<Place> device;
    std::optional<Place> interface;
    std::optional<Place> mtu;
    std::vector<Place> addresses;  // parallel to Port::addresses
    std::vector<Place> gateways;   // parallel to Port::gateways
    bool addresses_good = true;
};

struct ListenerDraft {
    std::optional<Place> name;
    std::optional<Place> address;
    std::optional<Place> pool;
    std::optional<Place> allow;  // every element good
};

struct RouteDraft {
    Place section;
    std::optional<Place> listener;
    std::optional<Place> pool;
    bool good = false;  // the section has no fault of its own
};

// One element of source_addresses: elements [begin, end) of Pool::source_addresses.
struct SourceDraft {
    Place place;
    std::size_t begin = 0;
    std::size_t end = 0;
};

struct BackendDraft {
    Place section;
    std::optional<Place> name;
    std::optional<Place> address;
};

struct PoolDraft {
    Place section;
    std::optional<Place> name;
    std::vector<SourceDraft> sources;
    bool sources_good = true;
    std::optional<Place> source_ports;  // where to point about ports: the key, or the section for the default
    std::vector<BackendDraft> backends;  // parallel to Pool::backends
};

struct Draft {
    Config config;
    // Parallel to config's vectors.
    std::vector<PortDraft> ports;
    std::vector<ListenerDraft> listeners;
    std::vector<RouteDraft> routes;
    std::vector<PoolDraft> pools;
    std::optional<Place> metrics;
    std::optional<Place> connect_memory;
    // Every name of a pool, of a listener, and every network of a port, was read: absence can be told.
    bool pools_good = true;
    bool listeners_good = true;
    bool ports_good = true;
};

}  // namespace sluice::config
