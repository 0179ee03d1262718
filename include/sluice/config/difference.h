// What is not the same in two configurations, in the words of the file: what a reload would change, and which
// of it only a restart can.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/config/model.h"

namespace sluice::config {

enum class ChangeKind : std::uint8_t {
    Added,    // the whole section, with all that is in it
    Removed,  // likewise
    Changed,  // one key of a section that both have
};

struct Change {
    // "runtime", "admin", "port front", "listener mqtt", "route 2" (from 1), "pool brokers", "backend
    // brokers/broker-1".
    std::string what;
    std::string key;  // "mtu", in a pool also "health.type"; empty for a whole section
    // Values as the file would write them, defaults too; empty where a key without a value is left out, and
    // for a whole section. A password is not told: only that its file holds another one.
    std::string from;
    std::string to;
    ChangeKind kind = ChangeKind::Changed;
    std::optional<std::string> needs_restart;  // why a running daemon cannot take it

    friend bool operator==(const Change&, const Change&) = default;
};

// In the file's order of sections and of `wanted` within them, what is removed last. Sections are compared by
// name, so their order is no difference; routes by their number, because their order decides.
std::vector<Change> difference(const Config& running, const Config& wanted);

}  // namespace sluice::config
