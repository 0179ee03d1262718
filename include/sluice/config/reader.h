// From the text of a configuration file to a Config that keeps every rule of doc/configuration.md, or to the
// list of everything that is wrong with it. No rule needs a device, a privilege or the network, so a file can
// be checked anywhere; only the password files that it names must be there and readable.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/config/model.h"

namespace sluice::config {

struct Problem {
    std::string file;
    unsigned line = 0;    // from 1; 0: the file as a whole
    unsigned column = 0;  // from 1; 0: the file as a whole
    std::string key;      // dotted path such as "listener.address"; empty for a fault of the TOML itself
    std::string message;  // what is wrong
    std::string remedy;   // what would be right
};

// "FILE:LINE: key: message; remedy", without the parts that are absent. One line, whatever the file holds.
std::string to_string(const Problem& problem);

// Either a config and no problems, or no config and at least one problem.
struct LoadResult {
    std::optional<Config> config;
    std::vector<Problem> problems;  // all of them, in line order
};

// file_name only labels the problems.
LoadResult read(std::string_view text, std::string_view file_name);
// Bytes of a file: some 200 for each listener of the largest.
inline constexpr std::size_t kMaxFileSize = 16U << 20U;
// Reads the file at path, without ever waiting for it. A file that cannot be read, is not a regular file, is
// too large or changes meanwhile is a problem of the file as a whole.
LoadResult load(const std::string& path);

// The rules of a file, for a configuration to which a backend was added since it was read. These problems
// have neither file nor line.
std::vector<Problem> check(const Config& config);

}  // namespace sluice::config
