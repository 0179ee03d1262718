#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sluice::load {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
double microseconds(Duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

double rate(std::uint64_t count, Duration over) {
    return over <= Duration::zero() ? 0 : static_cast<double>(count) / seconds(over);
}

Json latency(const LatencyHistogram& latencies) {
    return {{"count", latencies.count()},
            {"mean", microseconds(latencies.mean())},
            {"p50", microseconds(latencies.percentile(0.5))},
            {"p90", microseconds(latencies.percentile(0.9))},
            {"p99", microseconds(latencies.percentile(0.99))},
            {"p99_9", microseconds(latencies.percentile(0.999))},
            {"max", microseconds(latencies.largest())}};
}

Json by_end(const std::array<std::uint64_t, 6>& counts) {
    Json out = Json::object();
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] != 0) out[to_string(static_cast<End>(i))] = counts[i];
    }
    return out;
}

Json transport(const Transport::Totals& totals) {
    return {{"bytes_in", totals.bytes_in},       {"bytes_out", totals.bytes_out},
            {"packets_in", totals.packets_in},   {"packets_out", totals.packets_out},
            {"retransmits", totals.retransmits}, {"dropped", totals.dropped},
            {"turned_away", totals.turned_away}, {"memory_bytes", totals.memory_bytes}};
}

Json outages(const std::vector<Outage>& list) {
    Json out = Json::array();
    for (const Outage& outage : list) {
        out.push_back({{"after", seconds(outage.after)},
                       {"seconds", seconds(outage.length)},
                       {"fewest_connected", outage.fewest},
                       {"fastest_per_second", outage.fastest},
                       {"over", outage.over}});
    }
    return out;
}

Json connects(const SwarmTally& t, const Conductor::Findings& f) {
    Json refusals = Json::object();
    for (const auto& [code, count] : t.refusals) refusals[fmt::format("0x{:02x}", code)] = count;
    return {{"attempts", t.attempts},
            {"accepted", t.accepted},
            {"refused", t.refused},
            {"refusals", refusals},
            {"failed", t.failed},
            {"failures", by_end(t.failures)},
            {"lost", t.lost},
            {"losses", by_end(t.losses)},
            {"left", t.left},
            {"peak", t.peak_connected},
            {"arriving_seconds", seconds(f.arriving)},
            {"per_second",
             rate(t.handshake.count() == 0 ? 0 : std::min<std::uint64_t>(t.accepted, t.peak_connected),
                  f.arriving)},
            {"fastest_per_second", f.fastest_arrivals},
            {"handshake_us", latency(t.handshake)},
            {"connack_us", latency(t.connack)}};
}

Json messages(const SwarmTally& t, const Conductor::Findings& f) {
    return {{"published", t.published},
            {"acknowledged", t.acknowledged},
            {"unacknowledged", t.unacknowledged + t.in_flight},
            {"rejected", t.rejected},
            {"blocked", t.blocked},
            {"received", t.received},
            {"received_bytes", t.received_bytes},
            {"seconds", seconds(f.publishing)},
            {"per_second", rate(f.acknowledged, f.publishing)},
            {"answer_us", latency(t.answer)},
            {"delivery_us", latency(t.delivery)}};
}

std::uint64_t all_of(const std::array<std::uint64_t, 3>& by_qos) { return by_qos[0] + by_qos[1] + by_qos[2]; }

// By rising address.
Json listeners(std::vector<BrokerStatistics::Listener> list) {
    std::ranges::sort(list, {}, &BrokerStatistics::Listener::address);
    Json out = Json::array();
    for (const BrokerStatistics::Listener& listener : list) {
        out.push_back({{"address", listener.address.to_string()},
                       {"connects", listener.connects},
                       {"connected", listener.connected},
                       {"fastest_per_second", listener.rate.peak()}});
    }
    return out;
}

// The number at a path of names, if there is one.
std::optional<double> number_at(const Json& report, const std::string& path) {
    const Json* at = &report;
    std::size_t from = 0;
    while (from <= path.size()) {
        const std::size_t dot = std::min(path.find('.', from), path.size());
        const std::string name = path.substr(from, dot - from);
        if (at->is_array()) {
            std::size_t index = 0;
            const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
            if (error != std::errc{} || end != name.data() + name.size() || index >= at->size())
                return std::nullopt;
            at = &(*at)[index];
        } else {
            const auto entry = at->find(name);
            if (entry == at->end()) return std::nullopt;
            at = &*entry;
        }
        from = dot + 1;
    }
    if (!at->is_number()) return std::nullopt;
    return at->get<double>();
}

bool holds(double value, const std::string& relation, double wanted) {
    if (relation == "==") return value == wanted;
    if (relation == "!=") return value != wanted;
    if (relation == "<=") return value <= wanted;
    if (relation == ">=") return value >= wanted;
    if (relation == "<") return value < wanted;
    return value > wanted;
}

std::string milliseconds(const Json& latency, const char* name) {
    return fmt::format("{:.2f}", latency[name].get<double>() / 1000);
}

std::string latency_line(const char* name, const Json& latency) {
    if (latency["count"] == 0) return {};
    return fmt::format("{:<12} p50 {} ms, p99 {} ms, p99.9 {} ms, largest {} ms\n", name,
                       milliseconds(latency, "p50"), milliseconds(latency, "p99"),
                       milliseconds(latency, "p99_9"), milliseconds(latency, "max"));
}

}  // namespace

Json report(const Plan& plan, const Swarm& swarm, const Conductor& conductor, const Transport::Totals& totals,
            Duration elapsed) {
    const SwarmTally& t = swarm.tally();
    const Conductor::Findings& f = conductor.findings();
    return {{"scenario", plan.name},
            {"clients", swarm.options().clients},
            {"seconds", seconds(elapsed)},
            {"connects", connects(t, f)},
            {"messages", messages(t, f)},
            {"churn",
             {{"seconds", seconds(f.churning)},
              {"cycles", f.churned},
              {"per_second", rate(f.churned, f.churning)}}},
            {"pings", {{"sent", t.pings}, {"answered", t.pongs}}},
            {"rounds", outages(f.rounds)},
            {"outages", outages(f.outages)},
            {"protocol_errors", t.protocol_errors},
            {"last_protocol_error", t.last_protocol_error},
            {"transport", transport(totals)},
            {"memory_bytes", swarm.memory_bytes() + totals.memory_bytes}};
}

Json report(const BrokerSink& broker, const Transport::Totals& totals, Duration elapsed) {
    const BrokerStatistics& s = broker.statistics();
    const Courier::Statistics& d = broker.deliveries();
    return {{"scenario", "broker"},
            {"seconds", seconds(elapsed)},
            {"connections", s.opened},
            {"connects", s.connects},
            {"refused", s.refused},
            {"connected", s.connected},
            {"peak", s.peak_connected},
            {"fastest_per_second", s.rate.peak()},
            {"moved", s.moved},
            {"stayed", s.stayed},
            {"taken_over", s.taken_over},
            {"published", all_of(s.publishes)},
            {"published_by_qos", s.publishes},
            {"published_bytes", s.payload_bytes},
            {"completed", s.completed},
            {"delivered", d.delivered},
            {"undelivered", d.dropped + d.undelivered},
            {"acknowledged", d.acknowledged},
            {"unacknowledged", d.unacknowledged},
            {"subscribes", s.subscribes},
            {"unsubscribes", s.unsubscribes},
            {"subscriptions", s.subscriptions},
            {"refused_subscriptions", s.refused_subscriptions},
            {"pings", s.pings},
            {"disconnects", s.disconnects},
            {"silent", s.expired},
            {"connect_timeouts", s.connect_timeouts},
            {"overruns", s.overruns},
            {"ends", by_end(s.ends)},
            {"unknown_acknowledgements", d.unknown_acks},
            {"protocol_errors", s.protocol_errors()},
            {"last_protocol_error", s.last_error},
            {"addresses", listeners(s.listeners)},
            {"transport", transport(totals)},
            {"memory_bytes", broker.memory_bytes() + totals.memory_bytes}};
}

std::string progress(const Swarm& swarm, const Conductor& conductor, Duration elapsed) {
    const SwarmTally& t = swarm.tally();
    return fmt::format(
        "{:6.1f} s  {:<8} connected {} of {}, opening {}, failed {}, lost {}; messages {} of {}, p99 {:.2f} "
        "ms",
        seconds(elapsed), Conductor::to_string(conductor.phase()), t.connected, swarm.options().clients,
        t.opening, t.failed + t.refused, t.lost, t.acknowledged, t.published,
        microseconds(t.answer.percentile(0.99)) / 1000);
}

std::string progress(const BrokerSink& broker, Duration elapsed) {
    const BrokerStatistics& s = broker.statistics();
    return fmt::format("{:6.1f} s  connected {}, connects {}, messages {}, delivered {}, protocol errors {}",
                       seconds(elapsed), s.connected, s.connects, all_of(s.publishes),
                       broker.deliveries().delivered, s.protocol_errors());
}

std::string summary(const Json& r) {
    if (r["scenario"] == "broker") {
        std::string out = fmt::format(
            "{} connects, {} at a time, {} in the fastest second; {} messages; {} protocol errors\n",
            r["connects"].get<std::uint64_t>(), r["peak"].get<std::uint64_t>(),
            r["fastest_per_second"].get<std::uint64_t>(), r["published"].get<std::uint64_t>(),
            r["protocol_errors"].get<std::uint64_t>());
        if (const auto away = r["transport"]["turned_away"].get<std::uint64_t>(); away != 0)
            out += fmt::format("{} SYNs were turned away: raise --connections\n", away);
        return out;
    }
    const Json& c = r["connects"];
    const Json& m = r["messages"];
    std::string out = fmt::format(
        "clients      {} accepted, {} refused, {} failed, {} lost; {:.0f} a second\n",
        c["accepted"].get<std::uint64_t>(), c["refused"].get<std::uint64_t>(),
        c["failed"].get<std::uint64_t>(), c["lost"].get<std::uint64_t>(), c["per_second"].get<double>());
    out += latency_line("connect", c["connack_us"]);
    if (m["published"] != 0 || m["received"] != 0) {
        out += fmt::format("messages     {} published, {} acknowledged, {} received; {:.0f} a second\n",
                           m["published"].get<std::uint64_t>(), m["acknowledged"].get<std::uint64_t>(),
                           m["received"].get<std::uint64_t>(), m["per_second"].get<double>());
        out += latency_line("answer", m["answer_us"]);
        out += latency_line("delivery", m["delivery_us"]);
    }
    if (r["churn"]["cycles"] != 0) {
        out += fmt::format("churn        {} left and connected again, {:.0f} a second\n",
                           r["churn"]["cycles"].get<std::uint64_t>(), r["churn"]["per_second"].get<double>());
    }
    for (const char* const kind : {"rounds", "outages"}) {
        for (const Json& o : r[kind]) {
            out += fmt::format(
                "{:<12} after {:.1f} s, down to {} connected, {} {:.2f} s, {} in the fastest second\n", kind,
                o["after"].get<double>(), o["fewest_connected"].get<std::uint64_t>(),
                o["over"] == true ? "all connected again within" : "not all connected again within",
                o["seconds"].get<double>(), o["fastest_per_second"].get<std::uint64_t>());
        }
    }
    if (r["protocol_errors"] != 0)
        out += "fault        " + r["last_protocol_error"].get<std::string>() + "\n";
    return out;
}

std::optional<Expectation> parse_expectation(const std::string& text) {
    const std::size_t at = text.find_first_of("=!<>");
    if (at == std::string::npos || at == 0) return std::nullopt;
    const std::size_t size = text.substr(at + 1).starts_with('=') ? 2 : 1;
    Expectation out{.path = text.substr(0, at), .relation = text.substr(at, size)};
    if (out.relation == "=" || out.relation == "!") return std::nullopt;
    const std::string number = text.substr(at + size);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.value);
    if (number.empty() || error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
    return out;
}

std::vector<std::string> unmet(const Json& report, const std::vector<Expectation>& expectations) {
    std::vector<std::string> out;
    for (const Expectation& e : expectations) {
        const auto value = number_at(report, e.path);
        if (!value) {
            out.push_back(fmt::format("the results have no number {}", e.path));
        } else if (!holds(*value, e.relation, e.value)) {
            out.push_back(fmt::format("{} is {}, expected {} {}", e.path, *value, e.relation, e.value));
        }
    }
    return out;
}

}  // namespace sluice::load
