#include "sluice/ctl/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <vector>

#include "sluice/base/terminal.h"
#include "sluice/ctl/table.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::ordered_json;

// An object with more members than this inside a row becomes a table of its own.
constexpr std::size_t kInlineMembers = 6;

std::string_view without_unit(std::string_view key) {
    for (const std::string_view unit : {"_seconds", "_bytes"}) {
        if (key.size() > unit.size() && key.ends_with(unit)) return key.substr(0, key.size() - unit.size());
    }
    return key;
}

std::string label(std::string_view key) {
    std::string text(without_unit(key));
    std::ranges::replace(text, '_', ' ');
    return text;
}

std::string title(std::string_view key) {
    std::string text = label(key);
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

Cell cell(std::string_view key, const Json& value);

std::string list_text(std::string_view key, const Json& array) {
    std::string text;
    for (const Json& item : array) {
        if (!text.empty()) text += ", ";
        text += cell(key, item).text;
    }
    return text;
}

// Says nothing in a cell that must stay short.
bool is_idle(const Json& value) {
    return value.is_null() || value == false || (value.is_number() && value == 0) || value == "none";
}

std::string object_text(const Json& object) {
    std::string text;
    for (const auto& [key, value] : object.items()) {
        if (is_idle(value)) continue;
        if (!text.empty()) text += ", ";
        text += value == true ? label(key) : label(key) + " " + cell(key, value).text;
    }
    return text.empty() ? "-" : text;
}

Cell cell(std::string_view key, const Json& value) {
    if (value.is_null()) return {.text = "-"};
    if (value.is_boolean()) return {.text = value.get<bool>() ? "yes" : "no"};
    if (value.is_string()) return {.text = printable(value.get_ref<const std::string&>())};
    if (value.is_array()) return {.text = value.empty() ? "-" : list_text(key, value)};
    if (value.is_object()) return {.text = object_text(value)};
    if (key.ends_with("_seconds")) return {.text = human_duration(value.get<double>()), .number = true};
    if (key.ends_with("_bytes")) return {.text = human_bytes(value.get<double>()), .number = true};
    return {.text = value.dump(), .number = true};
}

bool is_wide(const Json& value) { return value.is_object() && value.size() > kInlineMembers; }

// Figures by the dozen, which no table has room for: JSON has them, and top shows what becomes of them.
bool is_nested(const Json& value) {
    return value.is_object() && std::ranges::any_of(value, [](const Json& member) {
               return member.is_object() || (member.is_array() && !member.empty() && member[0].is_object());
           });
}

// The keys of all rows in the order in which they first occur, without those that are null in every row.
std::vector<std::string> columns(const Json& rows) {
    std::vector<std::string> keys;
    for (const Json& row : rows) {
        for (const auto& [key, value] : row.items()) {
            if (value.is_null() || is_wide(value) || is_nested(value)) continue;
            if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
        }
    }
    // A key whose first value came late stands where its row has it, not at the end.
    const Json& first = rows.front();
    std::ranges::stable_sort(
        keys, {}, [&](const std::string& key) { return std::distance(first.begin(), first.find(key)); });
    return keys;
}

std::string row_name(const Json& row) {
    const auto name = row.find("name");
    return name == row.end() ? "" : cell("name", *name).text;
}

// The wide members of all rows, as one table: whose, what, how much.
std::string wide_members(const Json& rows) {
    Table table({"NAME", "ITEM", "VALUE"});
    bool any = false;
    for (const Json& row : rows) {
        for (const auto& [key, value] : row.items()) {
            if (!is_wide(value) || is_nested(value)) continue;
            for (const auto& [item, amount] : value.items()) {
                any = true;
                table.add({{.text = row_name(row)}, {.text = label(item)}, cell(item, amount)});
            }
        }
    }
    return any ? "\n" + table.text() : "";
}

std::string rows_text(std::string_view key, const Json& rows) {
    if (rows.empty()) return "no " + label(key) + "\n";
    if (!rows.front().is_object()) return label(key) + ": " + list_text(key, rows) + "\n";
    const std::vector<std::string> keys = columns(rows);
    std::vector<std::string> titles;
    for (const std::string& k : keys) titles.push_back(title(k));
    Table table(std::move(titles));
    for (const Json& row : rows) {
        std::vector<Cell> cells;
        for (const std::string& k : keys) {
            const auto member = row.find(k);
            cells.push_back(member == row.end() ? Cell{} : cell(k, *member));
        }
        table.add(std::move(cells));
    }
    return table.text() + wide_members(rows);
}

// Members one a line, names padded to one width.
std::string members_text(const Json& object) {
    std::size_t widest = 0;
    for (const auto& [key, value] : object.items()) widest = std::max(widest, label(key).size());
    std::string text;
    for (const auto& [key, value] : object.items()) {
        text += fmt::format("{:<{}}  {}\n", label(key), widest, cell(key, value).text);
    }
    return text;
}

// --- replies that have a form of their own ---

std::string reload_text(const Json& report) {
    const bool applied = report.at("applied").get<bool>();
    const Json& changes = report.at("changes");
    if (changes.empty()) return applied ? "nothing has changed\n" : "nothing would change\n";
    Table table({"WHAT", "KIND", "KEY", "FROM", "TO"});
    for (const Json& change : changes) {
        std::vector<Cell> cells;
        for (const char* key : {"what", "kind", "key", "from", "to"}) {
            const auto member = change.find(key);
            const bool told = member != change.end() && !member->get_ref<const std::string&>().empty();
            cells.push_back(told ? cell(key, *member) : Cell{});
        }
        table.add(std::move(cells));
    }
    std::string text = table.text();
    if (const Json& moves = report.at("moves"); !moves.empty()) {
        Table shares({"POOL", "CLIENT IDS THAT MOVE"});
        for (const Json& move : moves) {
            const double percent = 100 * move.at("moved_share").get<double>();
            shares.add(
                {cell("pool", move.at("pool")), {.text = fmt::format("{:.1f} %", percent), .number = true}});
        }
        text += "\n" + shares.text();
    }
    return text + (applied ? "\nthis is in force now\n" : "\na dry run: nothing has changed\n");
}

// TOML knows JSON's strings, numbers and arrays as they are, but for DEL, which is escaped here with the
// rest.
std::string toml_value(const Json& value) { return escape_terminal(value.dump()); }

// The file that would say the same: first a section's keys, then the sections within it.
void append_toml(std::string& text, const std::string& path, const Json& section) {
    const auto is_table = [](const Json& value) { return value.is_object(); };
    const auto is_tables = [](const Json& value) {
        return value.is_array() && !value.empty() && value.front().is_object();
    };
    for (const auto& [key, value] : section.items()) {
        if (value.is_null() || is_table(value) || is_tables(value) || path.empty()) continue;
        text += fmt::format("{} = {}\n", key, toml_value(value));
    }
    for (const auto& [key, value] : section.items()) {
        const std::string inner = path.empty() ? key : path + "." + key;
        const auto begin = [&](const char* form) {
            text += (text.empty() ? "" : "\n") + fmt::format(fmt::runtime(form), inner) + "\n";
        };
        if (is_table(value)) {
            begin("[{}]");
            append_toml(text, inner, value);
        } else if (is_tables(value)) {
            for (const Json& each : value) {
                begin("[[{}]]");
                append_toml(text, inner, each);
            }
        }
    }
}

}  // namespace

std::string render(const Json& reply) {
    std::string text;
    Json scalars = Json::object();
    for (const auto& [key, value] : reply.items()) {
        if (key == "reload" && value.is_object()) {
            text += reload_text(value);
        } else if (key == "config" && value.is_object()) {
            append_toml(text, "", value);
        } else if (value.is_array()) {
            text += rows_text(key, value);
        } else if (value.is_object()) {
            text += members_text(value);
        } else if (key == "truncated") {
            if (value == true) text += "more would match: narrow the filter or raise limit=\n";
        } else {
            scalars[key] = value;
        }
    }
    return text + members_text(scalars);
}

std::string render_refusal(const Json& reply) {
    std::string text = "sluicectl: " + cell("error", reply.at("error")).text + "\n";
    if (const auto problems = reply.find("problems"); problems != reply.end()) {
        for (const Json& problem : *problems) text += cell("problem", problem).text + "\n";
    }
    return text;
}

}  // namespace sluice::ctl
