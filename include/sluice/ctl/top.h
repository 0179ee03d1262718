// `sluicectl top`: what the daemon and each of its brokers do at this moment, as a table.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "sluice/ctl/history.h"

namespace sluice::ctl {

struct Frame {
    std::size_t width = static_cast<std::size_t>(-1);   // columns; columns of the table are left out to fit
    std::size_t height = static_cast<std::size_t>(-1);  // lines
    bool colors = false;
    bool live = false;      // with a last line that tells the keys
    bool whole = false;     // CONNACKs since the daemon's start
    std::size_t first = 0;  // broker to begin with
    std::string problem;    // why there is no newer look; empty: there is
};

struct Picture {
    std::vector<std::string> lines;  // as wide as the frame at most, without newlines
    std::size_t first = 0;           // broker that the table begins with: the wanted one, or less
    std::size_t rows = 0;            // brokers in the table
};

// history: not empty.
Picture draw(const History& history, const Frame& frame);

struct TopOptions {
    double interval = 1;            // seconds
    std::optional<unsigned> count;  // how many tables; nullopt: until told to end
    bool plain = false;             // even on a terminal: tables one after the other
};

// Until it has been ended by its user, or is done. Where standard output is a terminal it takes that over and
// gives it back as it was. Returns the exit code; an end by a signal does not return.
int run_top(const std::string& socket, const TopOptions& options, std::ostream& out, std::ostream& err);

}  // namespace sluice::ctl
