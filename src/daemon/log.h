// Where the daemon's log lines go: standard error, one line each. Under systemd they carry the priority in
// the way of sd-daemon(3), "<4>text", and leave the time to the journal; elsewhere they begin with time and
// level.
#pragma once

#include "sluice/config/model.h"

namespace sluice::daemon {

void start_log(config::LogLevel level);

}  // namespace sluice::daemon
