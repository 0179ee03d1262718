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
    FilePosition section;
    std::optional<FilePosition> name;
    std::optional<FilePosition> device;
    std::optional<FilePosition> interface;
    std::optional<FilePosition> mtu;
    std::vector<FilePosition> addresses;  // parallel to Port::addresses
    std::vector<FilePosition> gateways;   // parallel to Port::gateways
    bool addresses_good = true;
};

struct ListenerDraft {
    std::optional<FilePosition> name;
    std::optional<FilePosition> address;
    std::optional<FilePosition> pool;
    std::optional<FilePosition> allow;  // every element good
};

struct RouteDraft {
    FilePosition section;
    std::optional<FilePosition> listener;
    std::optional<FilePosition> pool;
    bool good = false;  // the section has no fault of its own
};

// One element of source_addresses: elements [begin, end) of Pool::source_addresses.
struct SourceDraft {
    FilePosition place;
    std::size_t begin = 0;
    std::size_t end = 0;
};

struct BackendDraft {
    FilePosition section;
    std::optional<FilePosition> name;
    std::optional<FilePosition> address;
};

struct PoolDraft {
    FilePosition section;
    std::optional<FilePosition> name;
    std::vector<SourceDraft> sources;
    bool sources_good = true;
    std::optional<FilePosition>
        source_ports;  // where to point about ports: the key, or the section for the default
    std::vector<BackendDraft> backends;  // parallel to Pool::backends
};

struct Draft {
    Config config;
    // Parallel to config's vectors.
    std::vector<PortDraft> ports;
    std::vector<ListenerDraft> listeners;
    std::vector<RouteDraft> routes;
    std::vector<PoolDraft> pools;
    std::optional<FilePosition> metrics;
    std::optional<FilePosition> connect_memory;
    // Every name of a pool, of a listener, and every network of a port, was read: absence can be told.
    bool pools_good = true;
    bool listeners_good = true;
    bool ports_good = true;
};

}  // namespace sluice::config
