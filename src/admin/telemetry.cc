#include "sluice/admin/telemetry.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "reply.h"

namespace sluice::admin {
namespace {

using port::telemetry_error;
using port::TelemetryDict;
using port::TelemetryValue;

// --- from JSON ---

std::string text_of(const Json& scalar) {
    return scalar.is_string() ? scalar.get<std::string>() : scalar.dump();
}

TelemetryDict dict_of(const Json& object);

std::optional<TelemetryValue> value_of(const Json& json) {
    if (json.is_null()) return std::nullopt;
    if (json.is_boolean()) return std::uint64_t{json.get<bool>() ? 1U : 0U};
    if (json.is_number_unsigned()) return json.get<std::uint64_t>();
    if (json.is_object()) return dict_of(json);
    if (!json.is_array()) return text_of(json);
    if (std::ranges::any_of(json, [](const Json& item) { return item.is_structured(); }))
        return dict_of(json);
    std::vector<std::string> texts;
    for (const Json& item : json) texts.push_back(text_of(item));
    return texts;
}

// An array's items are called by their numbers: a list on that socket cannot hold objects.
TelemetryDict dict_of(const Json& object) {
    TelemetryDict dict;
    std::size_t number = 0;
    for (const auto& [key, item] : object.items()) {
        std::string name = object.is_array() ? std::to_string(number++) : key;
        if (auto value = value_of(item)) dict.push_back({std::move(name), std::move(*value)});
    }
    return dict;
}

// --- the shapes of replies; each takes what the admin socket would answer, without its name ---

using Text = std::string_view;

TelemetryDict as_it_is(const Json& reply, Text /*parameter*/) { return dict_of(reply); }

TelemetryDict values_by_name(const Json& rows, Text /*parameter*/) {
    TelemetryDict dict;
    for (const Json& row : rows) {
        dict.push_back({row.at("name").get<std::string>(), row.at("value").get<std::uint64_t>()});
    }
    return dict;
}

// POOL/NAME of a backend.
std::string full_name(const Json& row) {
    const auto name = row.at("name").get<std::string>();
    return row.contains("leases") ? row.at("pool").get<std::string>() + "/" + name : name;
}

TelemetryDict names(const Json& rows, Text /*parameter*/) {
    std::vector<std::string> all;
    for (const Json& row : rows) all.push_back(full_name(row));
    return {{"count", std::uint64_t{all.size()}}, {"names", std::move(all)}};
}

TelemetryDict one(const Json& rows, Text parameter) {
    const auto fits = [&](const Json& row) {
        return row.at("name").get<std::string>() == parameter || full_name(row) == parameter;
    };
    const auto found = std::ranges::find_if(rows, fits);
    const std::string quoted = "'" + std::string(parameter) + "'";
    if (found == rows.end()) return telemetry_error("nothing is named " + quoted);
    if (std::ranges::count_if(rows, fits) > 1) {
        return telemetry_error("several pools have one named " + quoted + "; write POOL/NAME");
    }
    return dict_of(*found);
}

TelemetryDict numbered(const Json& rows, Text /*parameter*/) {
    TelemetryDict reply{{"count", std::uint64_t{rows.size()}}};
    std::ranges::move(dict_of(rows), std::back_inserter(reply));
    return reply;
}

TelemetryDict connections(const Json& reply, Text parameter) {
    TelemetryDict rows = numbered(reply.at("connections"), parameter);
    rows.insert(rows.begin() + 1, {"truncated", std::uint64_t{reply.at("truncated").get<bool>() ? 1U : 0U}});
    return rows;
}

// --- the commands ---

enum class Parameter : std::uint8_t {
    None,
    Name,   // picks one row; not part of the line
    Words,  // go behind the line
};

struct Topic {
    port::TelemetryCommand command;
    Text line;  // on the admin socket
    Text key;   // of its answer that is shown; empty: all
    Parameter parameter;
    TelemetryDict (*shape)(const Json& reply, Text parameter);
};

constexpr std::array kTopics{
    Topic{{"/sluice/info", "Version, uptime, connections, memory. Takes no parameters"},
          "show info",
          "info",
          Parameter::None,
          as_it_is},
    Topic{{"/sluice/counters", "Counters that are not zero. Parameters: all, to include those that are zero"},
          "show counters",
          "counters",
          Parameter::Words,
          values_by_name},
    Topic{{"/sluice/listeners", "Names of the listeners. Takes no parameters"},
          "show listeners",
          "listeners",
          Parameter::None,
          names},
    Topic{{"/sluice/listener", "A listener: limits, connections. Parameters: NAME"},
          "show listeners",
          "listeners",
          Parameter::Name,
          one},
    Topic{{"/sluice/pools", "Names of the pools. Takes no parameters"},
          "show pools",
          "pools",
          Parameter::None,
          names},
    Topic{{"/sluice/pool", "A pool: method, brokers, offer. Parameters: NAME"},
          "show pools",
          "pools",
          Parameter::Name,
          one},
    Topic{{"/sluice/backends", "Names of the brokers, as POOL/NAME. Takes no parameters"},
          "show backends",
          "backends",
          Parameter::None,
          names},
    Topic{{"/sluice/backend", "A broker: state, health, load, tally. Parameters: POOL/NAME, or NAME"},
          "show backends",
          "backends",
          Parameter::Name,
          one},
    Topic{{"/sluice/ports", "Names of the network ports. Takes no parameters"},
          "show ports",
          "ports",
          Parameter::None,
          names},
    Topic{{"/sluice/port", "A port: driver, link, addresses, statistics. Parameters: NAME"},
          "show ports",
          "ports",
          Parameter::Name,
          one},
    Topic{{"/sluice/connections",
           "Live connections, as many as fit. Parameters: the filters of 'show connections'"},
          "show connections",
          "",
          Parameter::Words,
          connections},
    Topic{{"/sluice/neighbors", "ARP and neighbor discovery tables, as much as fits. Takes no parameters"},
          "show neighbors",
          "neighbors",
          Parameter::None,
          numbered},
    Topic{{"/sluice/config", "The configuration in force, as much as fits. Takes no parameters"},
          "show config",
          "config",
          Parameter::None,
          as_it_is},
    Topic{{"/sluice/explain", "Which broker a client goes to, and why. Parameters: those of 'explain'"},
          "explain",
          "",
          Parameter::Words,
          as_it_is},
};

// DPDK wants the commands alone, side by side.
constexpr auto kTopicCommands = [] {
    std::array<port::TelemetryCommand, kTopics.size()> commands{};
    std::ranges::transform(kTopics, commands.begin(), &Topic::command);
    return commands;
}();

TelemetryDict tell(View& view, const Topic& topic, Text parameter) {
    const std::string name = topic.command.name;
    if (topic.parameter == Parameter::None && !parameter.empty()) {
        return telemetry_error(name + " takes no parameter");
    }
    if (topic.parameter == Parameter::Name && parameter.empty()) {
        return telemetry_error("a name is needed: " + name + ",NAME");
    }
    std::string line(topic.line);
    if (topic.parameter == Parameter::Words) line.append(" ").append(parameter);
    const Json reply = reply_to(view, line);
    if (reply.contains("error")) return telemetry_error(reply.at("error").get<std::string>());
    return topic.shape(topic.key.empty() ? reply : reply.at(std::string(topic.key)), parameter);
}

}  // namespace

std::span<const port::TelemetryCommand> telemetry_commands() { return kTopicCommands; }

TelemetryDict answer_telemetry(View& view, std::string_view command, std::string_view parameter) {
    const auto* const topic =
        std::ranges::find_if(kTopics, [&](const Topic& known) { return known.command.name == command; });
    if (topic == kTopics.end()) return telemetry_error("unknown command");
    try {
        return tell(view, *topic, parameter);
    } catch (const std::exception& error) {
        return telemetry_error(error.what());
    }
}

}  // namespace sluice::admin
