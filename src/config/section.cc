#include "section.h"

#include <algorithm>
#include <utility>

#include "text.h"

namespace sluice::config {
namespace {

std::string_view type_name(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::none: return "nothing";
        case toml::node_type::table: return "a table";
        case toml::node_type::array: return node.is_array_of_tables() ? "an array of tables" : "an array";
        case toml::node_type::string: return "a string";
        case toml::node_type::integer: return "an integer";
        case toml::node_type::floating_point: return "a number with a fraction";
        case toml::node_type::boolean: return "a boolean";
        case toml::node_type::date: return "a date";
        case toml::node_type::time: return "a time of day";
        case toml::node_type::date_time: return "a date with time";
    }
    return "something else";
}

std::string all_of(std::span<const std::string_view> words) {
    std::vector<std::string> all;
    for (const auto word : words) all.push_back(quoted(word));
    return listed(all);
}

std::string did_you_mean(std::string_view word) { return "did you mean " + quoted(word) + "?"; }

}  // namespace

Section::Section(const toml::table& table, std::string path, Report& report)
    : table_(&table), path_(std::move(path)), report_(&report) {}

std::string Section::path_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

FilePosition Section::place() const {
    const auto begin = table_->source().begin;
    return {begin.line, begin.column, path_};
}

FilePosition Section::place_of(const toml::node& node, std::string_view key) const {
    const auto begin = node.source().begin;
    return {begin.line, begin.column, path_of(key)};
}

FilePosition Section::place_of(std::string_view key) const {
    const auto found = table_->find(key);
    const auto begin = found == table_->cend() ? table_->source().begin : found->first.source().begin;
    return {begin.line, begin.column, path_of(key)};
}

const toml::node* Section::find(std::string_view key, Need need) {
    known_.push_back(key);
    const toml::node* const node = table_->get(key);
    if (node == nullptr && need == Need::Required) {
        report_->add(place_of(key), "is missing", "this section needs it");
    }
    return node;
}

void Section::refuse_type(const toml::node& node, std::string_view key, std::string_view expected) {
    report_->add(place_of(node, key), "is " + std::string(type_name(node)),
                 "must be " + std::string(expected));
}

std::optional<FilePosition> Section::take_text(const toml::node& node, std::string_view key, std::string& out,
                                               bool may_be_empty, Need need) {
    const auto* const value = node.as_string();
    if (value == nullptr) {
        refuse_type(node, key, "a string");
        return std::nullopt;
    }
    const bool empty = value->get().empty() && !may_be_empty;
    if (empty || value->get().find('\0') != std::string::npos) {
        report_->add(place_of(node, key), empty ? "is empty" : "holds a zero byte",
                     need == Need::Optional ? "leave the key out, or give it a value" : "give it a value");
        return std::nullopt;
    }
    out = value->get();
    return place_of(node, key);
}

std::optional<FilePosition> Section::text(std::string_view key, std::string& out, Need need) {
    const toml::node* const node = find(key, need);
    return node == nullptr ? std::nullopt : take_text(*node, key, out, false, need);
}

std::optional<FilePosition> Section::any_text(std::string_view key, std::string& out) {
    const toml::node* const node = find(key, Need::Optional);
    return node == nullptr ? std::nullopt : take_text(*node, key, out, true, Need::Optional);
}

std::optional<FilePosition> Section::path(std::string_view key, std::string& out) {
    std::string value;
    const auto place = text(key, value);
    if (!place) return std::nullopt;
    if (value.front() != '/') {
        report_->add(*place, quoted(value) + " is not an absolute path", "begin the path with /");
        return std::nullopt;
    }
    out = std::move(value);
    return place;
}

std::optional<FilePosition> Section::name(std::string_view key, std::string& out) {
    std::string value;
    const auto place = text(key, value, Need::Required);
    if (!place) return std::nullopt;
    if (!is_word(value)) {
        report_->add(*place, quoted(value) + " is not a valid name", kNameRemedy);
        return std::nullopt;
    }
    out = std::move(value);
    return place;
}

std::optional<FilePosition> Section::address(std::string_view key, SocketAddress& out, Need need) {
    std::string value;
    const auto place = text(key, value, need);
    if (!place) return std::nullopt;
    const auto parsed = SocketAddress::parse(value);
    if (!parsed) {
        report_->add(*place, quoted(value) + " is not an address with a port",
                     R"(write "10.1.0.1:1883" or "[fd00::1]:1883", with a port of 1 to 65535)");
        return std::nullopt;
    }
    out = *parsed;
    return place;
}

std::optional<FilePosition> Section::read_integer(std::string_view key, std::uint64_t& out,
                                                  std::uint64_t lowest, std::uint64_t highest) {
    const toml::node* const node = find(key, Need::Optional);
    if (node == nullptr) return std::nullopt;
    const auto* const value = node->as_integer();
    if (value == nullptr) {
        refuse_type(*node, key, "an integer");
        return std::nullopt;
    }
    if (std::cmp_less(value->get(), lowest) || std::cmp_greater(value->get(), highest)) {
        report_->add(place_of(*node, key), std::to_string(value->get()) + " is out of range",
                     "must be " + std::to_string(lowest) + " to " + std::to_string(highest));
        return std::nullopt;
    }
    out = static_cast<std::uint64_t>(value->get());
    return place_of(*node, key);
}

std::optional<FilePosition> Section::number(std::string_view key, double& out) {
    const toml::node* const node = find(key, Need::Optional);
    if (node == nullptr) return std::nullopt;
    if (!node->is_number()) {
        refuse_type(*node, key, "a number");
        return std::nullopt;
    }
    out = node->is_integer() ? static_cast<double>(node->as_integer()->get())
                             : node->as_floating_point()->get();
    return place_of(*node, key);
}

std::optional<FilePosition> Section::duration(std::string_view key, Duration& out, Duration lowest,
                                              Duration highest) {
    const toml::node* const node = find(key, Need::Optional);
    if (node == nullptr) return std::nullopt;
    const FilePosition place = place_of(*node, key);
    const auto* const value = node->as_string();
    if (value == nullptr) {
        refuse_type(*node, key, R"(a string with a unit, such as "500ms", "10s", "2m", "1h" or "1d")");
        return std::nullopt;
    }
    const auto parsed = parse_duration(value->get());
    if (!parsed) {
        report_->add(place, quoted(value->get()) + " is not a duration",
                     R"(write a whole number and a unit, such as "500ms", "10s", "2m", "1h" or "1d")");
        return std::nullopt;
    }
    if (*parsed < lowest || *parsed > highest) {
        report_->add(place, quoted(value->get()) + " is out of range",
                     "must be " + duration_to_string(lowest) + " to " + duration_to_string(highest));
        return std::nullopt;
    }
    out = *parsed;
    return place;
}

std::optional<FilePosition> Section::read_size(std::string_view key, std::uint64_t& out, std::uint64_t lowest,
                                               std::uint64_t highest) {
    const toml::node* const node = find(key, Need::Optional);
    if (node == nullptr) return std::nullopt;
    const FilePosition place = place_of(*node, key);
    const auto* const value = node->as_string();
    if (value == nullptr) {
        refuse_type(*node, key, R"(a string with a unit, such as "512B", "64KiB" or "1MiB")");
        return std::nullopt;
    }
    const auto parsed = parse_size(value->get());
    if (!parsed) {
        report_->add(place, quoted(value->get()) + " is not a size",
                     R"(write a whole number and a unit, such as "512B", "64KiB", "64KB" or "1MiB")");
        return std::nullopt;
    }
    if (*parsed < lowest || *parsed > highest) {
        report_->add(place, quoted(value->get()) + " is out of range",
                     "must be " + size_to_string(lowest) + " to " + size_to_string(highest));
        return std::nullopt;
    }
    out = *parsed;
    return place;
}

std::optional<FilePosition> Section::range(std::string_view key, std::uint16_t& first, std::uint16_t& last,
                                           std::uint16_t lowest, std::uint16_t highest) {
    const toml::node* const node = find(key, Need::Optional);
    if (node == nullptr) return std::nullopt;
    const FilePosition place = place_of(*node, key);
    const auto* const one = node->as_integer();
    const auto* const text = node->as_string();
    if (one == nullptr && text == nullptr) {
        refuse_type(*node, key, R"(a number such as 200, or a range such as "200-299")");
        return std::nullopt;
    }
    const std::string what = one != nullptr ? std::to_string(one->get()) : quoted(text->get());
    const auto parsed = text != nullptr ? parse_port_range(text->get()) : std::nullopt;
    if (text != nullptr && !parsed) {
        report_->add(place, what + " is not a range",
                     R"(write a number such as 200, or a range such as "200-299")");
        return std::nullopt;
    }
    const std::int64_t from = one != nullptr ? one->get() : parsed->first;
    const std::int64_t to = one != nullptr ? one->get() : parsed->last;
    if (from < lowest || to > highest) {
        report_->add(place, what + " is out of range",
                     "must be within " + std::to_string(lowest) + " to " + std::to_string(highest));
        return std::nullopt;
    }
    first = static_cast<std::uint16_t>(from);
    last = static_cast<std::uint16_t>(to);
    return place;
}

std::optional<std::size_t> Section::find_word(std::string_view value, const FilePosition& place,
                                              std::span<const std::string_view> words) {
    const auto found = std::ranges::find(words, value);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    const auto guess = nearest(value, words);
    report_->add(place, quoted(value) + " is not a known value",
                 (guess ? did_you_mean(*guess) + " It must be" : "must be") + " one of " + all_of(words));
    return std::nullopt;
}

std::vector<Located<std::string>> Section::elements(const toml::array& array, std::string_view key) {
    std::vector<Located<std::string>> out;
    for (const toml::node& element : array) {
        if (const auto* const value = element.as_string()) {
            out.push_back({value->get(), place_of(element, key)});
        } else {
            refuse_type(element, key, "an array of strings only");
        }
    }
    return out;
}

std::vector<Located<std::string>> Section::texts(std::string_view key, Need need) {
    const toml::node* const node = find(key, need);
    if (node == nullptr) return {};
    const toml::array* const array = node->as_array();
    if (array == nullptr) {
        refuse_type(*node, key, R"(an array of strings, such as ["..."])");
        return {};
    }
    if (array->empty() && need == Need::Required) {
        report_->add(place_of(*node, key), "is empty", "give at least one");
    }
    return elements(*array, key);
}

std::vector<Located<std::string>> Section::one_or_more(std::string_view key) {
    const toml::node* const node = find(key, Need::Optional);
    if (node == nullptr) return {};
    if (const auto* const value = node->as_string()) return {{value->get(), place_of(*node, key)}};
    const toml::array* const array = node->as_array();
    if (array == nullptr) {
        refuse_type(*node, key, "a string or an array of strings");
        return {};
    }
    if (array->empty()) {
        report_->add(place_of(*node, key), "is empty", "leave the key out, or give at least one");
    }
    return elements(*array, key);
}

void Section::refuse(std::string_view key, std::string message, std::string remedy) {
    if (find(key, Need::Optional) != nullptr)
        report_->add(place_of(key), std::move(message), std::move(remedy));
}

std::optional<Section> Section::table(std::string_view key) {
    const toml::node* const node = find(key, Need::Optional);
    if (node == nullptr) return std::nullopt;
    if (const toml::table* const table = node->as_table()) return Section(*table, path_of(key), *report_);
    refuse_type(*node, key, "one table, written [" + path_of(key) + "]");
    return std::nullopt;
}

std::vector<Section> Section::tables(std::string_view key) {
    std::vector<Section> out;
    const toml::node* const node = find(key, Need::Optional);
    if (node == nullptr) return out;
    const std::string expected = "an array of tables, each written [[" + path_of(key) + "]]";
    const toml::array* const array = node->as_array();
    if (array == nullptr) {
        refuse_type(*node, key, expected);
        return out;
    }
    for (const toml::node& element : *array) {
        if (const toml::table* const table = element.as_table()) {
            out.emplace_back(*table, path_of(key), *report_);
        } else {
            refuse_type(element, key, expected);
        }
    }
    return out;
}

void Section::finish(std::initializer_list<std::string_view> later) {
    for (const auto& [key, node] : *table_) {
        if (std::ranges::find(known_, key.str()) == known_.end()) refuse_unknown(key, node, later);
    }
}

void Section::refuse_unknown(const toml::key& key, const toml::node& node,
                             std::span<const std::string_view> later) {
    const auto begin = key.source().begin;
    const FilePosition place{begin.line, begin.column, path_of(key.str())};
    const std::string what = node.is_table() || node.is_array_of_tables() ? "section" : "key";
    if (std::ranges::find(later, key.str()) != later.end()) {
        report_->add(place, "this " + what + " is not supported by this version", "remove it");
        return;
    }
    std::vector<std::string_view> all(known_);
    all.insert(all.end(), later.begin(), later.end());
    const auto guess = nearest(key.str(), all);
    report_->add(place, "unknown " + what, guess ? did_you_mean(*guess) : "known here: " + all_of(known_));
}

}  // namespace sluice::config
