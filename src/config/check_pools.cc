#include <algorithm>
#include <map>
#include <set>

#include "checks.h"

namespace sluice::config {
namespace {

constexpr std::size_t kMostBackends = 4096;

std::string_view family_name(IpFamily family) { return family == IpFamily::V4 ? "IPv4" : "IPv6"; }

// Address of every good backend of every pool, and its name.
std::map<IpAddress, std::string> backend_addresses(const Draft& draft) {
    std::map<IpAddress, std::string> addresses;
    for (std::size_t p = 0; p < draft.pools.size(); ++p) {
        const auto& backends = draft.config.pools[p].backends;
        for (std::size_t b = 0; b < backends.size(); ++b) {
            if (draft.pools[p].backends[b].address) {
                addresses.emplace(backends[b].address.address, backends[b].name);
            }
        }
    }
    return addresses;
}

class PoolCheck {
  public:
    PoolCheck(const Draft& draft, std::size_t index, const Networks& networks, Report& report)
        : draft_(draft),
          pool_(draft.config.pools[index]),
          places_(draft.pools[index]),
          networks_(networks),
          report_(report) {}

    void sources(const std::map<IpAddress, std::string>& backends) {
        std::set<IpAddress> seen;
        for (const SourceDraft& element : places_.sources) {
            for (std::size_t i = element.begin; i < element.end; ++i) {
                const IpAddress& address = pool_.source_addresses[i];
                if (!source(address, element.place, backends)) break;
                if (seen.insert(address).second) continue;
                report_.add(element.place, address.to_string() + " is given twice",
                            "give each source address once");
                break;
            }
        }
    }

    void ports() {
        const unsigned workers = draft_.config.runtime.workers;
        if (!places_.source_ports || pool_.source_ports.size() >= workers) return;
        report_.add(*places_.source_ports,
                    "fewer ports than workers: " + std::to_string(pool_.source_ports.size()) + " for " +
                        std::to_string(workers),
                    "give at least one port for each worker");
    }

    void backends(const std::set<IpAddress>& listener_addresses) {
        std::vector<Unique> names;
        std::vector<Unique> addresses;
        std::vector<std::string> texts;
        for (const Backend& backend : pool_.backends) texts.push_back(backend.address.to_string());
        for (std::size_t b = 0; b < pool_.backends.size(); ++b) {
            names.push_back({pool_.backends[b].name, &places_.backends[b].name});
            addresses.push_back({texts[b], &places_.backends[b].address});
            if (places_.backends[b].address) {
                backend(pool_.backends[b].address.address, *places_.backends[b].address, listener_addresses);
            }
        }
        check_unique(names, "name", report_);
        check_unique(addresses, "address", report_);
    }

  private:
    // False when it reported something.
    bool source(const IpAddress& address, const FilePosition& place,
                const std::map<IpAddress, std::string>& backends) {
        const std::string text = address.to_string();
        const auto backend = backends.find(address);
        auto fault = never_a_host(address);
        if (!fault) fault = networks_.never_a_host_here(address);
        if (!fault && networks_.is_gateway(address)) fault = "is the address of a gateway";
        if (!fault && backend != backends.end()) {
            fault = "is the address of backend " + quoted(backend->second);
        }
        if (fault) {
            report_.add(place, text + " " + *fault, "use addresses that no other host has");
        } else if (draft_.ports_good && !networks_.port_of(address)) {
            report_.add(place, text + " is in no network of a port",
                        "use addresses within " + networks_.described());
        } else {
            return true;
        }
        return false;
    }

    void backend(const IpAddress& address, const FilePosition& place,
                 const std::set<IpAddress>& listener_addresses) {
        auto fault = never_a_host(address);
        if (!fault) fault = networks_.never_a_host_here(address);
        if (!fault && (networks_.is_interface_address(address) || listener_addresses.contains(address))) {
            fault = "is one of Sluice's own addresses";
        }
        if (fault) {
            report_.add(place, address.to_string() + " " + *fault, "give the broker's own address");
            return;
        }
        if (places_.sources_good) reach(address, place);
    }

    // A broker must be on-link or behind a gateway on each port that a source address of its family is on:
    // any of them may be leased towards it.
    void reach(const IpAddress& address, const FilePosition& place) {
        std::set<std::size_t> ports;
        bool same_family = false;
        for (const IpAddress& source : pool_.source_addresses) {
            if (source.family() != address.family()) continue;
            same_family = true;
            if (const auto port = networks_.port_of(source)) ports.insert(*port);
        }
        const std::string family(family_name(address.family()));
        if (!same_family) {
            report_.add(place, "the pool has no " + family + " source address to reach it from",
                        "add one to source_addresses");
        }
        for (const std::size_t port : ports) {
            if (networks_.on_link(port, address) || networks_.has_gateway(port, address.family())) continue;
            const std::string name = quoted(draft_.config.ports[port].name);
            report_.add(place,
                        address.to_string() + " cannot be reached from the pool's source addresses on port " +
                            name + ", which has no network with it and no " + family + " gateway",
                        "give port " + name + " a gateway, or the pool source_addresses of another port");
        }
    }

    const Draft& draft_;
    const Pool& pool_;
    const PoolDraft& places_;
    const Networks& networks_;
    Report& report_;
};

void check_number_of_backends(const Draft& draft, Report& report) {
    std::size_t before = 0;
    for (const PoolDraft& pool : draft.pools) {
        if (before + pool.backends.size() > kMostBackends) {
            report.add(pool.backends[kMostBackends - before].section, "is one too many",
                       "give at most " + std::to_string(kMostBackends) + " in all pools together");
            return;
        }
        before += pool.backends.size();
    }
}

// A backend address that both pools have.
const SocketAddress* shared_backend(const Pool& a, const Pool& b) {
    for (const Backend& backend : a.backends) {
        const auto hit = std::ranges::find(b.backends, backend.address, &Backend::address);
        if (hit != b.backends.end() && backend.address.port != 0) return &hit->address;
    }
    return nullptr;
}

// Reports the first source address of pool `later` that makes the same four-tuples as pool `earlier`.
void check_overlap(const Draft& draft, std::size_t earlier, std::size_t later, Report& report) {
    const Pool& first = draft.config.pools[earlier];
    const Pool& second = draft.config.pools[later];
    if (!draft.pools[earlier].source_ports || !draft.pools[later].source_ports ||
        !first.source_ports.overlaps(second.source_ports)) {
        return;
    }
    const SocketAddress* const backend = shared_backend(first, second);
    if (backend == nullptr) return;
    const std::set<IpAddress> theirs(first.source_addresses.begin(), first.source_addresses.end());
    for (const SourceDraft& element : draft.pools[later].sources) {
        for (std::size_t i = element.begin; i < element.end; ++i) {
            const IpAddress& address = second.source_addresses[i];
            if (!theirs.contains(address) || address.family() != backend->address.family()) continue;
            report.add(element.place,
                       "pool " + quoted(first.name) + " reaches " + backend->to_string() + " from " +
                           address.to_string() + " with the same ports too",
                       "give the pools different source_addresses or source_ports");
            return;
        }
    }
}

}  // namespace

void check_pools(const Draft& draft, const Networks& networks, Report& report) {
    check_number_of_backends(draft, report);
    const auto backends = backend_addresses(draft);
    std::set<IpAddress> listeners;
    for (std::size_t i = 0; i < draft.listeners.size(); ++i) {
        if (draft.listeners[i].address) listeners.insert(draft.config.listeners[i].address.address);
    }
    std::vector<Unique> names;
    for (std::size_t i = 0; i < draft.pools.size(); ++i) {
        names.push_back({draft.config.pools[i].name, &draft.pools[i].name});
        PoolCheck pool(draft, i, networks, report);
        pool.sources(backends);
        pool.ports();
        pool.backends(listeners);
    }
    check_unique(names, "name", report);
}

void check_pool_overlaps(const Draft& draft, Report& report) {
    std::vector<std::size_t> pools;
    for (std::size_t i = 0; i < draft.pools.size(); ++i) {
        if (!draft.config.pools[i].backends.empty()) pools.push_back(i);
    }
    for (std::size_t later = 1; later < pools.size(); ++later) {
        for (std::size_t earlier = 0; earlier < later; ++earlier) {
            check_overlap(draft, pools[earlier], pools[later], report);
        }
    }
}

}  // namespace sluice::config
