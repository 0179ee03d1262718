// A section of a configuration as the keys and values that the file would have for it, without its name and
// the sections within it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/config/model.h"

namespace sluice::config {

struct Entry {
    std::string_view key;
    std::string value;              // as the file would write it; empty: left out
    const char* restart = nullptr;  // why only a restart changes it; nullptr: a reload does
    std::string_view secret = {};   // what the value stands for and nobody is told; borrowed
};

// Always the same keys in the same order for one kind of section.
std::vector<Entry> entries(const Runtime& runtime);
std::vector<Entry> entries(const Port& port);
std::vector<Entry> entries(const Admin& admin);
std::vector<Entry> entries(const Listener& listener);
std::vector<Entry> entries(const Route& route);
std::vector<Entry> entries(const Pool& pool);  // with those of its health, "health.type"
std::vector<Entry> entries(const Backend& backend);

// The keys of a pool's health that one type of probe alone has.
inline constexpr std::string_view kMqttKeys[] = {"username", "password_file", "version"};
inline constexpr std::string_view kHttpKeys[] = {"path", "port", "expect", "expect_body"};

inline constexpr const char* kPortRestart = "ports are opened at start";

}  // namespace sluice::config
