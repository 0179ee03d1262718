#include "backend_state.h"

#include "sluice/config/words.h"

namespace sluice::daemon {

std::string state_of(Instant now, const backend::Backend& broker) {
    if (broker.standing != backend::Standing::Active) return "removed";
    const config::BackendState wanted = broker.config.state;
    if (wanted != config::BackendState::Up) return std::string(config::word(wanted));
    if (!broker.healthy) return "down";
    return broker.slow_start.until > now ? "slow-start" : std::string(config::word(wanted));
}

}  // namespace sluice::daemon
