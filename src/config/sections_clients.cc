// What clients meet: listeners and routes.
#include <string>
#include <utility>

#include "readers.h"
#include "text.h"

namespace sluice::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

void parse_networks(const std::vector<Located<std::string>>& texts, std::vector<IpPrefix>& out,
                    Report& report) {
    for (const auto& [text, place] : texts) {
        const auto prefix = IpPrefix::parse(text);
        if (prefix) {
            out.push_back(*prefix);
        } else {
            report.add(place, quoted(text) + " is not a network",
                       R"(write "10.0.0.0/8", "fd00::/16" or a single address)");
        }
    }
}

// nullopt when the key is absent or an element is bad.
std::optional<FilePosition> read_networks(Section& section, std::string_view key,
                                          std::vector<IpPrefix>& out) {
    const std::size_t problems = section.report().count();
    parse_networks(section.texts(key), out, section.report());
    if (!section.has(key) || section.report().count() != problems) return std::nullopt;
    return section.place_of(key);
}

// A CONNECT must fit the window, or it never arrives whole: of the two limits, one that is not given follows
// the other.
void read_connect_limits(Section& section, Listener& listener) {
    constexpr std::uint32_t kLargest = 16U << 20U;
    const auto size = section.size<std::size_t>("max_connect_size", listener.max_connect_size, 64, kLargest);
    const auto window =
        section.size<std::uint32_t>("connect_window", listener.connect_window, 1024, kLargest);
    if (listener.max_connect_size <= listener.connect_window) return;
    if (size && window) {
        section.report().add(
            *window, size_to_string(listener.connect_window) + " cannot hold a CONNECT of max_connect_size",
            "write at least " + quoted(size_to_string(listener.max_connect_size)) +
                ", or lower max_connect_size");
    } else if (size) {
        listener.connect_window = static_cast<std::uint32_t>(listener.max_connect_size);
    } else {
        listener.max_connect_size = listener.connect_window;
    }
}

void read_conditions(Section& section, Route& route, RouteDraft& places) {
    places.listener = section.text("listener", route.listener);
    section.text("client_id_prefix", route.client_id_prefix);
    if (const auto place = section.text("client_id_pattern", route.client_id_pattern)) {
        check_pattern(route.client_id_pattern, 0, *place, section.report());
    }
    std::string username;
    if (section.any_text("username", username)) route.username = std::move(username);
    section.choices("version", route.versions, kVersionWords);
    parse_networks(section.one_or_more("network"), route.networks, section.report());
}

void read_decision(Section& section, Route& route, RouteDraft& places) {
    places.pool = section.text("pool", route.pool);
    RouteRefusal refusal{};
    if (section.choice("refuse", refusal, kRefusalWords)) route.refuse = refusal;
    if (section.has("pool") != section.has("refuse")) return;
    const bool both = section.has("pool");
    section.report().add(
        both ? section.place_of("refuse") : places.section,
        both ? "pool and refuse are both given" : "neither pool nor refuse is given",
        R"(give one of them: pool for the brokers that serve these clients, or refuse = "not_authorized")");
}

}  // namespace

void read_listener(Section section, Draft& draft) {
    Listener& listener = draft.config.listeners.emplace_back();
    ListenerDraft& places = draft.listeners.emplace_back();
    places.name = section.name("name", listener.name);
    draft.listeners_good = draft.listeners_good && places.name.has_value();
    places.address = section.address("address", listener.address);
    places.pool = section.text("pool", listener.pool, Need::Required);
    section.duration("connect_timeout", listener.connect_timeout, milliseconds(100), minutes(10));
    read_connect_limits(section, listener);
    places.allow = read_networks(section, "allow", listener.allow);
    read_networks(section, "deny", listener.deny);
    section.integer("max_connections", listener.max_connections, 0U, kMostConnections);
    section.integer("half_open", listener.half_open, 1U, 1U << 24U);
    section.duration("idle_timeout", listener.idle_timeout, seconds(0), hours(24 * 30));
    section.finish({"connect_rate", "per_network", "accept_proxy_from", "tls"});
}

void read_route(Section section, Draft& draft) {
    Route& route = draft.config.routes.emplace_back();
    RouteDraft& places = draft.routes.emplace_back();
    places.section = section.place();
    const std::size_t problems = section.report().count();
    read_conditions(section, route, places);
    read_decision(section, route, places);
    section.finish({"server_name"});
    places.good = section.report().count() == problems;
}

}  // namespace sluice::config
