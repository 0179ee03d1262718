#include "service_manager.h"

#include <systemd/sd-daemon.h>

namespace sluice::daemon::service_manager {

void ready(const std::string& status) { sd_notify(0, ("READY=1\nSTATUS=" + status).c_str()); }

void stopping(Duration limit) {
    // Some seconds for what comes after the last connection.
    const auto wanted = std::chrono::duration_cast<std::chrono::microseconds>(limit + 10s).count();
    sd_notify(0, ("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(wanted)).c_str());
}

void alive() { sd_notify(0, "WATCHDOG=1"); }

std::optional<Duration> watchdog_interval() {
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
    return std::chrono::microseconds(microseconds);
}

}  // namespace sluice::daemon::service_manager
