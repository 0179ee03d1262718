// sluicectl without its process: words in, text and exit code out.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sluice/ctl/top.h"

namespace sluice::ctl {

inline constexpr int kExitGood = 0;
inline constexpr int kExitRuntime = 1;  // the daemon refused, or gave no answer
inline constexpr int kExitUsage = 64;   // sysexits.h, EX_USAGE

struct Options {
    std::string socket = "/run/sluice/admin.sock";
    bool json = false;
    std::vector<std::string> words;  // of the command
    std::optional<TopOptions> top;   // instead of a command
};

// Options, or an exit code when there is nothing left to do: help and version are written to `out`, faults to
// `err`.
std::variant<Options, int> parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

// Asks the daemon and prints its answer: to `out`, a refusal to `err`, but as JSON always to `out`. Returns
// the exit code.
int run(const Options& options, std::ostream& out, std::ostream& err);

}  // namespace sluice::ctl
