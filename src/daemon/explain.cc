// `explain`: the choice that a worker would make now for a client, and the reason in words.
#include <fmt/format.h>

#include <algorithm>

#include "backend_state.h"
#include "sluice/balance/maglev.h"
#include "sluice/config/words.h"
#include "sluice/daemon/controller.h"
#include "sluice/session/session.h"

namespace sluice::daemon {
namespace {

mqtt::Version version_of(const std::string& name) {
    for (const mqtt::Version version : {mqtt::Version::V31, mqtt::Version::V311, mqtt::Version::V5}) {
        if (name == mqtt::to_string(version)) return version;
    }
    throw admin::Refused("unknown version '" + name + "'; known versions: 3.1, 3.1.1 and 5");
}

template <typename Named>
std::uint32_t position_of(const std::vector<Named>& all, const std::string& name, const char* kind) {
    const auto found = std::ranges::find_if(all, [&](const Named& place) {
        return place.standing == backend::Standing::Active && place.config.name == name;
    });
    if (found == all.end())
        throw admin::Refused(fmt::format("no {} is named '{}'; see show {}s", kind, name, kind));
    return static_cast<std::uint32_t>(found - all.begin());
}

template <typename Named>
std::uint32_t first_active(const std::vector<Named>& all) {
    const auto found = std::ranges::find(all, backend::Standing::Active, &Named::standing);
    return static_cast<std::uint32_t>(found - all.begin());
}

class SessionInspection final : public worker::Inspection {
  public:
    explicit SessionInspection(const session::SessionName& name) : name_(name), client_id_(name.client_id) {
        name_.client_id = client_id_;  // the asker's may be gone when the worker looks
    }
    void run(worker::Worker& worker) override { stay = worker.session_of(name_); }
    std::optional<session::Stay> stay;

  private:
    session::SessionName name_;
    const std::string client_id_;
};

// How long it is remembered.
std::string time_left(Instant now, const session::Stay& stay) {
    if (stay.until == session::Stay::kOpen) return "as long as it is connected, or for ever";
    const auto left = Instant(std::chrono::seconds(stay.until)) - now;
    return fmt::format("for {} s more", std::chrono::ceil<std::chrono::seconds>(left).count());
}

// Not for its pace in a slow start, which each worker keeps for itself and which is not asked here.
std::string why_passed_over(const backend::Backend& first, std::uint64_t connections) {
    if (first.config.state != config::BackendState::Up || first.config.weight == 0)
        return "takes no new clients";
    if (!first.healthy) return "is down";
    if (first.config.max_connections != 0 && connections >= first.config.max_connections)
        return "is at its max_connections";
    return "is above its bounded_load";
}

// The client has nothing that the pool's key is made of.
std::string why_no_key(const backend::Pool& pool, const std::string& client_id) {
    if (pool.config.hash_key == config::HashKey::ClientId && pool.hash_pattern && !client_id.empty()) {
        return "hash_pattern finds nothing in its client_id";
    }
    return fmt::format("its {} is empty", config::word(pool.config.hash_key));
}

std::string pace_of(Instant now, const backend::Backend& broker) {
    if (broker.slow_start.until <= now) return "";
    return fmt::format(
        "; it is in slow start and takes {:.0f} clients a second, the others go to the next choice",
        broker.slow_start.rate);
}

// Where it cannot be known whether a route fits.
void require_address(const backend::Snapshot& snapshot, const backend::ClientFacts& client,
                     const backend::Routed& routed) {
    const IpFamily family = snapshot.listeners[client.listener].config.address.address.family();
    const std::size_t asked = routed.route ? *routed.route + 1 : snapshot.routes.size();
    for (std::size_t i = 0; i < asked; ++i) {
        backend::Route route = snapshot.routes[i];
        const bool may_fit = std::ranges::any_of(route.config.networks, [&](const IpPrefix& network) {
            return network.address.family() == family;
        });
        route.config.networks.clear();
        if (!may_fit || !backend::fits(route, client)) continue;
        throw admin::Refused(fmt::format("route {} looks at the client's IP address: add address=IP", i + 1));
    }
}

std::string conditions_of(const config::Route& route) {
    std::string text;
    const auto add = [&](const std::string& condition) {
        text.append(text.empty() ? "" : ", ").append(condition);
    };
    if (!route.listener.empty()) add("listener " + route.listener);
    if (!route.client_id_prefix.empty()) add("client_id_prefix " + route.client_id_prefix);
    if (!route.client_id_pattern.empty()) add("client_id_pattern " + route.client_id_pattern);
    if (route.username) add("username " + *route.username);
    for (const mqtt::Version version : route.versions)
        add(std::string("version ") + mqtt::to_string(version));
    for (const IpPrefix& network : route.networks) add("network " + network.to_string());
    return text.empty() ? "for every client" : text;
}

}  // namespace

backend::Routed Controller::route_of(const admin::Question& question,
                                     const backend::ClientFacts& client) const {
    const backend::Snapshot& snapshot = state_.snapshot();
    if (question.pool.empty()) {
        const backend::Routed routed = backend::route(snapshot, client);
        if (!question.address) require_address(snapshot, client, routed);
        return routed;
    }
    return {.pool = position_of(snapshot.pools, question.pool, "pool"), .refuse = {}, .route = {}};
}

// Why the client is refused before a broker is chosen; nullopt: it is not.
std::optional<std::string> Controller::why_refused(const admin::Question& question,
                                                   const backend::ClientFacts& client) const {
    const backend::Listener& listener = state_.snapshot().listeners[client.listener];
    if (question.pool.empty() && question.address && !listener.admits(*question.address)) {
        return fmt::format("listener {} does not admit its address", listener.config.name);
    }
    if (client.version == mqtt::Version::V31 && client.client_id.empty()) {
        return "MQTT 3.1 requires a client ID that is not empty";
    }
    return std::nullopt;
}

std::string Controller::explain_choice(const backend::Choice& choice, const backend::Pool& pool,
                                       const std::string& client_id, std::optional<std::uint64_t> key) const {
    switch (choice.outcome) {
        case backend::Choice::Outcome::NoneUsable:
            return "no broker of the pool takes clients: each is down, drained, in maintenance or of weight "
                   "0";
        case backend::Choice::Outcome::AllFull: return "every usable broker is at its max_connections";
        case backend::Choice::Outcome::Chosen: break;
    }
    if (choice.by_key && choice.displaced) {
        const std::uint32_t i = pool.maglev->lookup(*key);
        const backend::Backend& first = pool.backends[i];
        return fmt::format("the first choice of its {} hash, {}, {}; this one is next",
                           config::word(pool.config.hash_key), first.config.name,
                           why_passed_over(first, state_.load().connections(first.position)));
    }
    if (choice.by_key)
        return fmt::format("the first choice of its {} hash", config::word(pool.config.hash_key));
    if (pool.config.balance == config::Balance::Maglev) {
        return why_no_key(pool, client_id) + ", so the least loaded broker is taken";
    }
    return fmt::format("balance = {} does not look at the client, which may go to another broker next time",
                       config::word(pool.config.balance));
}

// As the first worker knows it; they tell each other.
std::optional<session::Stay> Controller::session_of(const session::SessionName& name) {
    if (name.client_id.empty()) return std::nullopt;
    const auto inspection = std::make_shared<SessionInspection>(name);
    channel_.inspect(0, inspection);
    return inspection->stay;
}

// Why a client does not go where its session is remembered to be.
std::string Controller::why_not_there(const backend::Pool& pool,
                                      std::optional<std::uint32_t> remembered) const {
    if (!remembered) return "; its session was at a broker that is no longer in the pool";
    const backend::Backend& broker = pool.backends[*remembered];
    return fmt::format("; its session is at {}, which {}", broker.config.name,
                       why_passed_over(broker, state_.load().connections(broker.position)));
}

admin::Explanation Controller::explain(const admin::Question& question) {
    const backend::Snapshot& snapshot = state_.snapshot();
    const std::uint32_t listener = question.listener.empty()
                                       ? first_active(snapshot.listeners)
                                       : position_of(snapshot.listeners, question.listener, "listener");
    const backend::ClientFacts client{
        .listener = listener,
        .version = version_of(question.version),
        .client_id = question.client_id,
        .username = question.username,
        .address = question.address.value_or(IpAddress{}),
    };
    admin::Explanation explanation;
    explanation.client_id = question.client_id;
    explanation.listener = snapshot.listeners[listener].config.name;
    if (auto why = why_refused(question, client)) {
        explanation.refused = true;
        explanation.route_text = "no route was looked at";
        explanation.why = *std::move(why);
        return explanation;
    }
    const backend::Routed routed = route_of(question, client);
    if (routed.route) {
        explanation.route = *routed.route + 1;
        explanation.route_text = conditions_of(state_.registry().routes[*routed.route].config);
    } else {
        explanation.route_text =
            question.pool.empty() ? "no route matches: the listener's pool" : "the pool was named by pool=";
    }
    if (routed.refuse) {
        explanation.refused = true;
        explanation.why = fmt::format("route {} refuses it", *explanation.route);
        return explanation;
    }
    explain_placement(explanation, question, client, routed.pool);
    return explanation;
}

// The choice in the pool that the client is led to.
void Controller::explain_placement(admin::Explanation& explanation, const admin::Question& question,
                                   const backend::ClientFacts& client, std::uint32_t pool_index) {
    const backend::Snapshot& snapshot = state_.snapshot();
    const backend::Pool& pool = snapshot.pools[pool_index];
    const bool no_address = pool.config.hash_key == config::HashKey::ClientIp && !question.address;
    const auto key = no_address ? std::nullopt : backend::balancing_key(pool, client);
    const auto stay = session_of(
        {.pool = pool_index, .client_id = question.client_id, .scope = session::session_scope(pool, key)});
    const auto remembered = stay ? pool.find(stay->broker) : std::nullopt;
    const backend::Choice choice = chooser_.choose(now_, snapshot, pool_index, key, {}, remembered);
    if (no_address && pool.config.balance == config::Balance::Maglev && !choice.remembered) {
        throw admin::Refused("pool " + pool.config.name + " hashes the client's IP address: add address=IP");
    }
    explanation.pool = pool.config.name;
    explanation.hash = key;
    if (key && pool.config.balance == config::Balance::Maglev && !pool.maglev->empty()) {
        explanation.slot = static_cast<std::uint32_t>(pool.maglev->slot_of(*key));
    }
    explanation.by_key = choice.by_key;
    explanation.displaced = choice.displaced;
    explanation.remembered = choice.remembered;
    if (remembered) explanation.session_at = pool.backends[*remembered].config.name;
    explanation.why = choice.remembered
                          ? fmt::format("its session is there, and is remembered {}", time_left(now_, *stay))
                          : explain_choice(choice, pool, question.client_id, key);
    if (stay && !choice.remembered) explanation.why += why_not_there(pool, remembered);
    if (choice.outcome == backend::Choice::Outcome::Chosen) {
        const backend::Backend& broker = pool.backends[choice.backend];
        explanation.backend = broker.config.name;
        explanation.address = broker.config.address;
        explanation.state = state_of(now_, broker);
        if (!choice.remembered) explanation.why += pace_of(now_, broker);
    }
}

}  // namespace sluice::daemon
