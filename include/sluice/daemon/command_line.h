// sluiced's command line and exit codes.
#pragma once

#include <iosfwd>
#include <string>
#include <variant>

#include "sluice/config/reader.h"

namespace sluice::daemon {

inline constexpr int kExitGood = 0;
inline constexpr int kExitRuntime = 1;
inline constexpr int kExitUsage = 64;          // sysexits.h, EX_USAGE
inline constexpr int kExitConfiguration = 78;  // EX_CONFIG; the unit does not restart after it

struct Options {
    std::string config = "/etc/sluice/sluice.toml";
    bool check_config = false;
};

// Options, or an exit code when there is nothing left to do: help and version are written to `out`, faults to
// `err`.
std::variant<Options, int> parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

// Every problem, a line each.
void print_problems(const config::LoadResult& loaded, std::ostream& err);

}  // namespace sluice::daemon
