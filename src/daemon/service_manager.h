// What systemd is told and wants told. Without systemd all of it does nothing.
#pragma once

#include <optional>
#include <string>

#include "sluice/base/time.h"

namespace sluice::daemon::service_manager {

void ready(const std::string& status);
// limit: how long stopping may take.
void stopping(Duration limit);
void alive();
// How often alive() must be said at least; nullopt when nobody asks.
std::optional<Duration> watchdog_interval();

}  // namespace sluice::daemon::service_manager
