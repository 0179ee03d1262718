// What tells operators of the keys (conf/sluice.toml, doc/configuration.md, sluice.toml(5)) tells all of
// them, no other, and their true defaults.
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "entries.h"
#include "known_keys.h"
#include "sluice/config/reader.h"

namespace sluice::config {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(const std::string& path) {
    std::ifstream file(std::string(ROOT_DIRECTORY) + "/" + path);
    EXPECT_TRUE(file) << path;
    Lines lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

std::string text_of(const Lines& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
}

// Section and key of a line, and the default it gives.
struct Told {
    std::string section;
    std::string key;
    std::string value;
};

// section: captures a section's name, entry: a key and what the line says of its default.
std::vector<Told> told_in(const Lines& lines, const RE2& section, const RE2& entry) {
    std::vector<Told> told;
    std::string current;
    for (const std::string& line : lines) {
        RE2::PartialMatch(line, section, &current);
        std::string key;
        std::string value;
        if (RE2::PartialMatch(line, entry, &key, &value)) told.push_back({current, key, value});
    }
    return told;
}

Keys keys_of(const std::vector<Told>& told) {
    Keys keys;
    for (const Told& each : told) keys[each.section].insert(each.key);
    return keys;
}

std::vector<Told> told_in_manual() {
    auto told = told_in(lines_of("doc/configuration.md"), R"(^##+ `\[+([a-z.]+)\]+`)",
                        R"(^\| `([a-z_]+)` \|[^|]*\| *([^|]*?) *\|)");
    for (Told& each : told) {
        RE2::GlobalReplace(&each.value, "`", "");
        RE2::GlobalReplace(&each.value, R"((\d),(\d))", R"(\1\2)");
    }
    return told;
}

std::vector<Told> told_in_man_page() {
    Lines lines = lines_of("doc/man/sluice.toml.5");
    for (std::string& line : lines) {
        RE2::GlobalReplace(&line, R"(\\\(dq)", "\"");
        RE2::GlobalReplace(&line, R"(\\-)", "-");
    }
    return told_in(lines, R"(^\.Ss .*\[([a-z.]+)\])", R"(^\.It Ic ([a-z_]+)(?: (?:=|Pq) (.*))?$)");
}

TEST(Documents, ManualTellsEveryKeyAndNoOther) { EXPECT_EQ(keys_of(told_in_manual()), known_keys()); }

TEST(Documents, ManPageTellsEveryKeyAndNoOther) { EXPECT_EQ(keys_of(told_in_man_page()), known_keys()); }

TEST(Documents, StartingFileHasEveryKeyAndNoOther) {
    const auto told = told_in(lines_of("conf/sluice.toml"), R"(^(?:## )?\[+([a-z.]+)\]+)",
                              R"(^(?:## )?(?:# )?([a-z_]+) = (.*))");
    EXPECT_EQ(keys_of(told), known_keys());
}

// Defaults as a file would write them, of keys that can be left out.
std::map<std::string, std::string> defaults_of(const std::string& section) {
    std::vector<Entry> all;
    if (section == "runtime") all = entries(Runtime{});
    if (section == "port") all = entries(Port{});
    if (section == "admin") all = entries(Admin{});
    if (section == "listener") all = entries(Listener{});
    if (section == "route") all = entries(Route{});
    if (section.starts_with("pool")) all = entries(Pool{});
    if (section == "pool.backend") all = entries(Backend{});
    std::map<std::string, std::string> out;
    for (const Entry& entry : all) {
        std::string key = "pool." + std::string(entry.key);
        const bool here = section == "pool.health" ? key.starts_with("pool.health.")
                                                   : entry.key.find('.') == std::string_view::npos;
        if (here) out[key.substr(key.rfind('.') + 1)] = entry.value;
    }
    return out;
}

bool is_value(const std::string& text) {
    return !text.empty() && (text[0] == '"' || text[0] == '[' || (text[0] >= '0' && text[0] <= '9'));
}

void expect_defaults(const std::vector<Told>& told) {
    Keys required = required_keys();
    for (const auto& [section, key, value] : told) {
        SCOPED_TRACE(section + "." + key + ": " + value);
        if (required[section].contains(key)) {
            EXPECT_EQ(value, "required");
            continue;
        }
        const auto defaults = defaults_of(section);
        const auto found = defaults.find(key);
        ASSERT_NE(found, defaults.end());
        if (is_value(value)) {
            EXPECT_EQ(value.substr(0, value.find(", or ")), found->second);
        } else {
            EXPECT_EQ(found->second, "");
        }
    }
}

TEST(Documents, ManualTellsTheDefaults) { expect_defaults(told_in_manual()); }

TEST(Documents, ManPageTellsTheDefaults) { expect_defaults(told_in_man_page()); }

// Takes away what stands before keys and sections; other comments begin with it too, and stay.
Lines without(const std::string& prefix, Lines lines) {
    const RE2 commented("^" + prefix + R"((# )?(\[|[a-z_]+ = ))");
    for (std::string& line : lines) {
        if (RE2::PartialMatch(line, commented)) line.erase(0, prefix.size());
    }
    return lines;
}

// Every single line "# key = value" can be uncommented, and the file says what it said before.
unsigned expect_harmless(const Lines& lines) {
    const LoadResult before = read(text_of(lines), "f");
    EXPECT_TRUE(before.config) << to_string(before.problems.at(0));
    unsigned uncommented = 0;
    static const RE2 kDefault("^# [a-z_]+ = ");
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (!RE2::PartialMatch(lines[i], kDefault)) continue;
        Lines changed = lines;
        changed[i].erase(0, 2);
        const LoadResult after = read(text_of(changed), "f");
        EXPECT_TRUE(after.config) << to_string(after.problems.at(0));
        EXPECT_TRUE(after.config == before.config) << lines[i];
        ++uncommented;
    }
    return uncommented;
}

// A key that has a default is shown with it, in a line of its own.
TEST(Documents, StartingFileShowsEveryDefault) {
    Keys shown = keys_of(told_in(lines_of("conf/sluice.toml"), R"(^(?:## )?\[+([a-z.]+)\]+)",
                                 R"(^(?:## )?# ([a-z_]+) = (.*))"));
    Keys required = required_keys();
    for (const auto& [section, keys] : known_keys()) {
        const auto defaults = defaults_of(section);
        for (const std::string& key : keys) {
            if (required[section].contains(key) || defaults.at(key).empty()) continue;
            EXPECT_TRUE(shown[section].contains(key)) << section << "." << key;
        }
    }
}

TEST(Documents, StartingFileShowsTheTrueDefaults) {
    EXPECT_GE(expect_harmless(lines_of("conf/sluice.toml")), 30U);
}

// The examples in it are good as well, all together, and their defaults true.
TEST(Documents, StartingFileHasGoodExamples) {
    const auto secret = std::filesystem::path(testing::TempDir()) / "sluice-example-password";
    std::ofstream(secret) << "secret\n";
    Lines lines = without("## ", lines_of("conf/sluice.toml"));
    for (std::string& line : lines) {
        RE2::GlobalReplace(&line, "/etc/sluice/probe.password", secret.string());
    }
    // Those that are an example's other choice.
    std::erase_if(lines, [](const std::string& line) {
        return line.starts_with("# workers = ") || line.starts_with("# type = ");
    });
    EXPECT_GE(expect_harmless(lines), 30U);
    const LoadResult with = read(text_of(lines), "f");
    std::filesystem::remove(secret);
    ASSERT_TRUE(with.config);
    EXPECT_EQ(with.config->routes.size(), 2U);
    EXPECT_EQ(with.config->pools.size(), 2U);
    EXPECT_EQ(with.config->pools[0].health.password, "secret");
}

}  // namespace
}  // namespace sluice::config
