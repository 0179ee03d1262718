// Decides when the operator is told that the connection log is not written as it should be, and that it is
// again: each once, however often that changes within a few seconds, as on a disk that is as good as full.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/time.h"

namespace sluice::daemon {

class LogWatch {
  public:
    // Trouble is over when there was none for so long.
    static constexpr Duration kCalm = 10s;

    struct News {
        bool trouble = false;  // else it is over
        std::string text;      // one line
    };

    // path: of the log; empty: there is none. fault: what ConnectionLog::fault() says; lost: lines since the
    // start.
    std::optional<News> look(Instant now, const std::string& path, const std::string& fault,
                             std::uint64_t lost);
    // Trouble that lasts is to be told once more.
    void tell_again() { again_ = true; }

  private:
    bool told_ = false;
    bool again_ = false;
    Instant last_{};                 // when there was trouble last
    std::uint64_t lost_ = 0;         // at the last look
    std::uint64_t lost_before_ = 0;  // before the trouble that was told
};

}  // namespace sluice::daemon
