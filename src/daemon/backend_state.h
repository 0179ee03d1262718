// How a backend stands, in the operator's words.
#pragma once

#include <string>

#include "sluice/backend/snapshot.h"
#include "sluice/base/time.h"

namespace sluice::daemon {

// "up", "down", "slow-start", "drain", "maintenance" or "removed".
std::string state_of(Instant now, const backend::Backend& broker);

}  // namespace sluice::daemon
