#include "sluice/admin/commands.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <span>

#include "json.h"
#include "sluice/base/words.h"

namespace sluice::admin {
namespace {

using Words = std::span<const std::string>;

struct Command {
    std::string_view name;  // one or two words
    std::string_view arguments;
    std::string_view meaning;
    std::size_t least, most;  // number of arguments
    Json (*run)(View& view, Words arguments);
};

template <typename Rows>
Json list(std::string_view key, const Rows& rows) {
    Json array = Json::array();
    for (const auto& row : rows) array.push_back(to_json(row));
    return {{key, std::move(array)}};
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

SocketAddress parse_filter_address(std::string_view text) {
    if (const auto both = SocketAddress::parse(text)) return *both;
    if (const auto address = IpAddress::parse(text)) return {.address = *address, .port = 0};
    throw Refused(
        "address= wants an IP address, with or without a port, such as 10.1.0.7 or [fd00::7]:40000");
}

ConnectionFilter parse_filter(Words words) {
    ConnectionFilter filter;
    for (const std::string& word : words) {
        const std::size_t sign = word.find('=');
        const std::string key = word.substr(0, sign);
        const std::string value = sign == std::string::npos ? "" : word.substr(sign + 1);
        if (sign == std::string::npos) {
            throw Refused("'" + word +
                          "' is no filter; write NAME=VALUE with backend, client_id, "
                          "client_id_prefix, address, phase or limit");
        }
        if (key == "backend") {
            filter.backend = value;
        } else if (key == "client_id") {
            filter.client_id = value;
        } else if (key == "client_id_prefix") {
            filter.client_id_prefix = value;
        } else if (key == "address") {
            filter.address = parse_filter_address(value);
        } else if (key == "phase") {
            filter.phase = value;
        } else if (key == "limit") {
            const auto limit = parse_number<std::size_t>(value);
            if (!limit || *limit == 0 || *limit > kMaxConnectionLimit) {
                throw Refused("limit= wants a number from 1 to " + std::to_string(kMaxConnectionLimit));
            }
            filter.limit = *limit;
        } else {
            throw Refused("unknown filter '" + key +
                          "'; there are backend, client_id, client_id_prefix, "
                          "address, phase and limit");
        }
    }
    return filter;
}

Json show_connections(View& view, Words arguments) {
    const ConnectionList found = view.connections(parse_filter(arguments));
    Json reply = list("connections", found.rows);
    reply["truncated"] = found.truncated;
    return reply;
}

Json show_counters(View& view, Words arguments) {
    if (!arguments.empty() && arguments[0] != "all") {
        throw Refused("show counters takes nothing or 'all', which adds those that are zero");
    }
    Json array = Json::array();
    for (const CounterInfo& info : kCounterTable) {
        const std::uint64_t value = view.counter(info.id);
        if (value == 0 && arguments.empty()) continue;
        array.push_back({{"name", info.name},
                         {"value", value},
                         {"severity", sluice::to_string(info.severity)},
                         {"meaning", info.meaning}});
    }
    return {{"counters", std::move(array)}};
}

Json explain(View& view, Words arguments) {
    std::string pool;
    std::string listener;
    if (arguments.size() == 3 && arguments[1] == "pool") {
        pool = arguments[2];
    } else if (arguments.size() == 3 && arguments[1] == "listener") {
        listener = arguments[2];
    } else if (arguments.size() != 1) {
        throw Refused("explain wants CLIENT_ID, then nothing, 'pool NAME' or 'listener NAME'");
    }
    return to_json(view.explain(arguments[0], pool, listener));
}

Json log_level(View& view, Words arguments) {
    view.set_log_level(arguments[0]);
    return {{"log_level", arguments[0]}};
}

Json help(View& view, Words arguments);

constexpr std::array kCommands{
    Command{"show info", "", "version, uptime, connections, memory", 0, 0,
            [](View& view, Words) -> Json {
                return {{"info", to_json(view.info())}};
            }},
    Command{"show listeners", "", "where clients connect, and the limits there", 0, 0,
            [](View& view, Words) { return list("listeners", view.listeners()); }},
    Command{"show pools", "", "how brokers are chosen, and how many can be", 0, 0,
            [](View& view, Words) { return list("pools", view.pools()); }},
    Command{"show backends", "", "every broker: state, health, load, source ports", 0, 0,
            [](View& view, Words) { return list("backends", view.backends()); }},
    Command{"show connections",
            "[backend=NAME] [client_id=TEXT] [client_id_prefix=TEXT] [address=IP[:PORT]] "
            "[phase=NAME] [limit=N]",
            "live connections, at most 1000 unless limit= says otherwise", 0, 16, show_connections},
    Command{"show ports", "", "network ports: driver, link, addresses, statistics", 0, 0,
            [](View& view, Words) { return list("ports", view.ports()); }},
    Command{"show neighbors", "", "ARP and neighbor discovery tables of all workers", 0, 0,
            [](View& view, Words) { return list("neighbors", view.neighbors()); }},
    Command{"show counters", "[all]", "counters that are not zero, or all", 0, 1, show_counters},
    Command{"explain", "CLIENT_ID [pool NAME | listener NAME]",
            "which broker this client ID goes to, and why; by the first listener unless named", 1, 3,
            explain},
    Command{"log level", "LEVEL", "debug, info, warning or error", 1, 1, log_level},
    Command{"help", "", "this list", 0, 0, help},
};

std::string usage(const Command& command) {
    std::string text(command.name);
    if (!command.arguments.empty()) text.append(" ").append(command.arguments);
    return text;
}

Json help(View&, Words) {
    Json array = Json::array();
    for (const Command& command : kCommands) {
        array.push_back({{"command", usage(command)}, {"meaning", command.meaning}});
    }
    return {{"commands", std::move(array)}};
}

// Levenshtein's: insertions, deletions and substitutions that turn one text into the other.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t substitution = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substitution});
        }
    }
    return row.back();
}

std::string_view nearest_command(Words words) {
    std::string_view best;
    std::size_t least = std::string_view::npos;
    for (const Command& command : kCommands) {
        const bool two_words = command.name.find(' ') != std::string_view::npos;
        std::string given = words[0];
        if (two_words && words.size() > 1) given.append(" ").append(words[1]);
        const std::size_t d = distance(given, command.name);
        if (d < least) {
            least = d;
            best = command.name;
        }
    }
    return best;
}

// The command that the first words name, and how many words that took.
const Command* find_command(Words words, std::size_t& used) {
    for (const Command& command : kCommands) {
        if (words[0] == command.name) {
            used = 1;
            return &command;
        }
        if (words.size() > 1 && words[0] + " " + words[1] == command.name) {
            used = 2;
            return &command;
        }
    }
    return nullptr;
}

Json run(View& view, std::string_view line) {
    const auto words = split_words(line);
    if (!words) {
        throw Refused("a quote is not closed, or a backslash in it is not followed by \" \\ n t or xNN");
    }
    if (words->empty()) throw Refused("an empty line is no command; try 'help'");
    std::size_t used = 0;
    const Command* command = find_command(*words, used);
    if (command == nullptr) {
        throw Refused("unknown command; did you mean '" + std::string(nearest_command(*words)) + "'?");
    }
    const Words arguments = Words(*words).subspan(used);
    if (arguments.size() < command->least || arguments.size() > command->most) {
        throw Refused("wrong number of words; write: " + usage(*command));
    }
    return command->run(view, arguments);
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false,
                     Json::error_handler_t::replace);  // bytes that are no UTF-8 become U+FFFD
}

}  // namespace

std::string answer(View& view, std::string_view line) {
    try {
        return dump(run(view, line));
    } catch (const std::exception& error) {
        return dump({{"error", error.what()}});
    }
}

}  // namespace sluice::admin
