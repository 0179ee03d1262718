// What tells operators of the keys (conf/sluice.toml, doc/configuration.md, sluice.toml(5)) tells all of
// them, no other, and their true defaults.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
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

// section: finds a section's name, entry: a key and what the line says of its default.
std::vector<Told> told_in(const Lines& lines, const std::regex& section, const std::regex& entry) {
    std::vector<Told> told;
    std::string current;
    for (const std::string& line : lines) {
        std::smatch match;
        if (std::regex_search(line, match, section)) current = match[1];
        if (std::regex_search(line, match, entry)) told.push_back({current, match[1], match[2]});
    }
    return told;
}

Keys keys_of(const std::vector<Told>& told) {
    Keys keys;
    for (const Told& each : told) keys[each.section].insert(each.key);
    return keys;
}

std::vector<Told> told_in_manual() {
    auto told = told_in(lines_of("doc/configuration.md"), std::regex(R"(^##+ `\[+([a-z.]+)\]+`)"),
                        std::regex(R"(^\| `([a-z_]+)` \|[^|]*\| *([^|]*?) *\|)"));
    for (Told& each : told) each.value = std::regex_replace(each.value, std::regex("[`]|,(?=[0-9]{3})"), "");
    return told;
}

std::vector<Told> told_in_man_page() {
    Lines lines = lines_of("doc/man/sluice.toml.5");
    for (std::string& line : lines) {
        line = std::regex_replace(line, std::regex(R"(\\\(dq)"), "\"");
        line = std::regex_replace(line, std::regex(R"(\\(-|&))"), "$1");
    }
    return told_in(lines, std::regex(R"(^\.S[hs] .*\[([a-z.]+)\])"),
                   std::regex(R"(^\.It Ic ([a-z_]+)(?: (?:=|Pq) (.*))?$)"));
}

TEST(Documents, ManualTellsEveryKeyAndNoOther) { EXPECT_EQ(keys_of(told_in_manual()), known_keys()); }

TEST(Documents, ManPageTellsEveryKeyAndNoOther) { EXPECT_EQ(keys_of(told_in_man_page()), known_keys()); }

TEST(Documents, StartingFileHasEveryKeyAndNoOther) {
    const auto told = told_in(lines_of("conf/sluice.toml"), std::regex(R"(^(?:## )?\[+([a-z.]+)\]+)"),
                              std::regex(R"(^(?:## )?(?:# )?([a-z_]+) = (.*))"));
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
    const std::regex commented("^" + prefix + R"((# )?(\[|[a-z_]+ = ))");
    for (std::string& line : lines) {
        if (std::regex_search(line, commented)) line.erase(0, prefix.size());
    }
    return lines;
}

// Every single line "# key = value" can be uncommented, and the file says what it said before.
unsigned expect_harmless(const Lines& lines) {
    const LoadResult before = read(text_of(lines), "f");
    EXPECT_TRUE(before.config) << to_string(before.problems.at(0));
    unsigned uncommented = 0;
    static const std::regex kDefault("^# [a-z_]+ = ");
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (!std::regex_search(lines[i], kDefault)) continue;
        Lines changed = lines;
        changed[i].erase(0, 2);
        const LoadResult after = read(text_of(changed), "f");
        EXPECT_TRUE(after.config) << to_string(after.problems.at(0));
        EXPECT_TRUE(after.config == before.config) << lines[i];
        ++uncommented;
    }
    return uncommented;
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
        line = std::regex_replace(line, std::regex("/etc/sluice/probe.password"), secret.string());
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
