#include "sluice/daemon/log_watch.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::daemon {

std::optional<LogWatch::News> LogWatch::look(Instant now, const std::string& path, const std::string& fault,
                                             std::uint64_t lost) {
    const std::uint64_t before = std::exchange(lost_, lost);
    const bool again = std::exchange(again_, false);
    if (path.empty()) {
        told_ = false;
        return std::nullopt;
    }
    if (!fault.empty() || lost != before) {
        last_ = now;
        const bool known = std::exchange(told_, true);
        if (known && !again) return std::nullopt;
        if (!known) lost_before_ = before;
        return News{.trouble = true,
                    .text = fmt::format("the connection log {} {}; lines are kept while there is memory for "
                                        "them, and the others counted in connection_log_lost",
                                        path, fault.empty() ? "is written too slowly" : fault)};
    }
    if (!told_ || now - last_ < kCalm) return std::nullopt;
    told_ = false;
    return News{.text = fmt::format("the connection log {} can be written again; {} lines were lost", path,
                                    lost - lost_before_)};
}

}  // namespace sluice::daemon
