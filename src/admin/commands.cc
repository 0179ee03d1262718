#include "sluice/admin/commands.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <span>

#include "reply.h"
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
        "address= needs an IP address, with or without a port, such as 10.1.0.7 or [fd00::7]:40000");
}

// Words of the form NAME=VALUE. `names` is what there is, for who wrote something else.
class Settings {
  public:
    Settings(Words words, std::span<const std::string_view> names) : names_(names) {
        for (const std::string& word : words) {
            const std::size_t sign = word.find('=');
            if (sign == std::string::npos) {
                throw Refused("'" + word + "' is not of the form NAME=VALUE; known names: " + known());
            }
            const std::string key = word.substr(0, sign);
            if (std::ranges::find(names_, key) == names_.end()) {
                throw Refused("unknown name '" + key + "'; known names: " + known());
            }
            if (find(key)) throw Refused(key + "= is given twice");
            values_.emplace_back(key, word.substr(sign + 1));
        }
    }
    std::optional<std::string> find(std::string_view name) const {
        const auto at = std::ranges::find(values_, name, [](const auto& value) { return value.first; });
        return at == values_.end() ? std::nullopt : std::optional(at->second);
    }
    bool empty() const { return values_.empty(); }

  private:
    std::string known() const {
        std::string text;
        for (std::size_t i = 0; i < names_.size(); ++i) {
            text.append(i == 0 ? "" : i + 1 == names_.size() ? " and " : ", ").append(names_[i]);
        }
        return text;
    }

    std::span<const std::string_view> names_;
    std::vector<std::pair<std::string, std::string>> values_;
};

constexpr std::array<std::string_view, 6> kFilters{"backend", "client_id", "client_id_prefix",
                                                   "address", "phase",     "limit"};

ConnectionFilter parse_filter(const Settings& settings, std::size_t limit) {
    ConnectionFilter filter{.backend = settings.find("backend"),
                            .client_id = settings.find("client_id"),
                            .client_id_prefix = settings.find("client_id_prefix"),
                            .address = std::nullopt,
                            .phase = settings.find("phase"),
                            .limit = limit};
    if (const auto address = settings.find("address")) filter.address = parse_filter_address(*address);
    if (const auto text = settings.find("limit")) {
        const auto number = parse_number<std::size_t>(*text);
        if (!number || *number == 0 || *number > kMaxConnectionLimit) {
            throw Refused("limit= needs a number from 1 to " + std::to_string(kMaxConnectionLimit));
        }
        filter.limit = *number;
    }
    return filter;
}

Json show_connections(View& view, Words arguments) {
    const ConnectionList found = view.connections(parse_filter(Settings(arguments, kFilters), 1000));
    Json reply = list("connections", found.rows);
    reply["truncated"] = found.truncated;
    return reply;
}

Json show_counters(View& view, Words arguments) {
    if (!arguments.empty() && arguments[0] != "all") {
        throw Refused("show counters takes no argument or 'all', which includes counters that are zero");
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
    static constexpr std::array<std::string_view, 5> kNames{"listener", "pool", "username", "version",
                                                            "address"};
    const Settings settings(arguments.subspan(1), kNames);
    Question question{.client_id = arguments[0],
                      .username = settings.find("username"),
                      .version = settings.find("version").value_or("3.1.1"),
                      .address = std::nullopt,
                      .listener = settings.find("listener").value_or(""),
                      .pool = settings.find("pool").value_or("")};
    if (const auto text = settings.find("address")) {
        question.address = IpAddress::parse(*text);
        if (!question.address) throw Refused("address= needs the client's IP address, such as 10.1.0.7");
    }
    return to_json(view.explain(question));
}

Json reload(View& view, Words arguments) {
    if (!arguments.empty() && arguments[0] != "--dry-run") {
        throw Refused("reload takes no argument or --dry-run, which only reports what would change");
    }
    return {{"reload", to_json(view.reload(!arguments.empty()))}};
}

template <Wish kWish>
Json set_state(View& view, Words arguments) {
    view.set_state(arguments[0], kWish);
    return {{"backend", arguments[0]}, {"state", to_string(kWish)}};
}

std::uint32_t parse_weight(const std::string& text) {
    constexpr std::uint32_t kMost = 1000;
    const auto weight = parse_number<std::uint32_t>(text);
    if (!weight || *weight > kMost) throw Refused("the weight must be a number from 0 to 1000");
    return *weight;
}

Json set_weight(View& view, Words arguments) {
    const std::uint32_t weight = parse_weight(arguments[1]);
    view.set_weight(arguments[0], weight);
    return {{"backend", arguments[0]}, {"weight", weight}};
}

Json add_backend(View& view, Words arguments) {
    static constexpr std::array<std::string_view, 1> kNames{"weight"};
    const Settings settings(arguments.subspan(3), kNames);
    const auto address = SocketAddress::parse(arguments[2]);
    if (!address) {
        throw Refused("'" + arguments[2] +
                      "' is not an address with a port; write it as 10.2.0.5:1883 or [fd00::5]:1883");
    }
    const std::uint32_t weight = parse_weight(settings.find("weight").value_or("100"));
    view.add_backend(arguments[0], arguments[1], *address, weight);
    return {{"added", arguments[0] + "/" + arguments[1]}};
}

Json remove_backend(View& view, Words arguments) {
    view.remove_backend(arguments[0]);
    return {{"removed", arguments[0]}};
}

Json kill_connection(View& view, Words arguments) {
    const Settings settings(arguments, kFilters);
    const ConnectionFilter filter = parse_filter(settings, kMaxConnectionLimit);
    if (!filter.backend && !filter.client_id && !filter.client_id_prefix && !filter.address &&
        !filter.phase) {
        throw Refused(
            "give at least one filter: backend=, client_id=, client_id_prefix=, address= or phase=");
    }
    return {{"killed", view.kill_connections(filter)}};
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
    Command{"show listeners", "", "every listener: address, connections, limits", 0, 0,
            [](View& view, Words) { return list("listeners", view.listeners()); }},
    Command{"show pools", "", "every pool: balancing method, brokers, how many of them are usable", 0, 0,
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
    Command{"show config", "",
            "the configuration in force: the file, with the changes that commands have made since", 0, 0,
            [](View& view, Words) -> Json {
                return {{"config", Json::parse(view.config_json())}};
            }},
    Command{"show counters", "[all]", "counters that are not zero, or all", 0, 1, show_counters},
    Command{"explain", "CLIENT_ID [listener=NAME] [pool=NAME] [username=TEXT] [version=V] [address=IP]",
            "which broker a client with this ID gets, and why; at the first listener unless one is named", 1,
            6, explain},
    Command{"reload", "[--dry-run]",
            "applies the configuration file as it is now, or only reports what would change", 0, 1, reload},
    Command{"drain", "BACKEND", "the broker keeps its connections and gets no new ones", 1, 1,
            set_state<Wish::Drain>},
    Command{"maintenance", "BACKEND",
            "the broker gets no new connections, and those it has are ended at drain_rate", 1, 1,
            set_state<Wish::Maintenance>},
    Command{"ready", "BACKEND", "the broker gets new connections again", 1, 1, set_state<Wish::Ready>},
    Command{"weight", "BACKEND N", "sets the broker's weight, 0 to 1000, until the next reload", 2, 2,
            set_weight},
    Command{"add backend", "POOL NAME ADDRESS:PORT [weight=N]",
            "adds a broker to the pool until the next reload", 3, 4, add_backend},
    Command{"remove backend", "BACKEND",
            "removes the broker until the next reload; its connections are ended at drain_rate", 1, 1,
            remove_backend},
    Command{
        "kill connection",
        "backend=NAME | client_id=TEXT | client_id_prefix=TEXT | address=IP[:PORT] | phase=NAME [limit=N]",
        "resets both ends of every connection that matches all filters", 1, 6, kill_connection},
    Command{"log level", "LEVEL", "sets the log level: debug, info, warning or error", 1, 1, log_level},
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
    if (words->empty()) throw Refused("the line is empty; try 'help'");
    std::size_t used = 0;
    const Command* command = find_command(*words, used);
    if (command == nullptr) {
        throw Refused("unknown command; did you mean '" + std::string(nearest_command(*words)) + "'?");
    }
    const Words arguments = Words(*words).subspan(used);
    if (arguments.size() < command->least || arguments.size() > command->most) {
        throw Refused("wrong number of arguments; usage: " + usage(*command));
    }
    return command->run(view, arguments);
}

}  // namespace

const char* to_string(Wish wish) {
    switch (wish) {
        case Wish::Ready: return "ready";
        case Wish::Drain: return "drain";
        case Wish::Maintenance: return "maintenance";
    }
    return "?";
}

Json reply_to(View& view, std::string_view line) {
    try {
        return run(view, line);
    } catch (const ReloadRefused& refused) {
        return {{"error", refused.what()}, {"problems", refused.problems}};
    } catch (const std::exception& error) {
        return {{"error", error.what()}};
    }
}

std::string answer(View& view, std::string_view line) { return text_of(reply_to(view, line)); }

}  // namespace sluice::admin
