#include "known_keys.h"

#include <gtest/gtest.h>

#include <re2/re2.h>

#include "sluice/config/reader.h"

namespace sluice::config {
namespace {

constexpr std::string_view kMisspelt = R"(zzzzzzzzzzzz = 1
[runtime]
zzzzzzzzzzzz = 1
[[port]]
zzzzzzzzzzzz = 1
[admin]
zzzzzzzzzzzz = 1
[[listener]]
zzzzzzzzzzzz = 1
[[route]]
zzzzzzzzzzzz = 1
[[pool]]
zzzzzzzzzzzz = 1
[pool.health]
zzzzzzzzzzzz = 1
[[pool.backend]]
zzzzzzzzzzzz = 1
)";

struct Split {
    std::string section;
    std::string key;
};

Split split(const std::string& path) {
    const std::size_t dot = path.rfind('.');
    if (dot == std::string::npos) return {"", path};
    return {path.substr(0, dot), path.substr(dot + 1)};
}

std::set<std::string> words_in_quotes(const std::string& text) {
    static const RE2 kWord("\"([a-z0-9_]+)\"");
    std::set<std::string> out;
    re2::StringPiece rest(text);
    for (std::string word; RE2::FindAndConsume(&rest, kWord, &word);) out.insert(word);
    return out;
}

}  // namespace

Keys known_keys() {
    Keys keys;
    for (const Problem& problem : read(kMisspelt, "f").problems) {
        if (!problem.remedy.starts_with("known here: ")) continue;
        keys[split(problem.key).section] = words_in_quotes(problem.remedy);
    }
    // A section that the text above does not have would stand among the keys of the one around it.
    for (auto& [section, names] : keys) {
        const std::string prefix = section.empty() ? "" : section + ".";
        std::erase_if(names, [&](const std::string& name) { return keys.contains(prefix + name); });
    }
    EXPECT_EQ(keys.size(), 9U);
    EXPECT_TRUE(keys[""].empty()) << *keys[""].begin() << " is a section that known_keys.cc does not have";
    keys.erase("");
    return keys;
}

Keys required_keys() {
    Keys keys;
    for (const Problem& problem : read(kMisspelt, "f").problems) {
        if (problem.message != "is missing") continue;
        const auto [section, key] = split(problem.key);
        keys[section].insert(key);
    }
    EXPECT_EQ(keys.at("listener"), (std::set<std::string>{"name", "address", "pool"}));
    return keys;
}

}  // namespace sluice::config
