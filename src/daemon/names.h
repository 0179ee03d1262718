// The configuration's own words for its choices, as the operator wrote them.
#pragma once

#include "sluice/backend/snapshot.h"
#include "sluice/config/model.h"

namespace sluice::daemon {

const char* name(config::Idle idle);
const char* name(config::Balance balance);
const char* name(config::HashKey key);
const char* name(config::HealthType type);
const char* name(config::LogLevel level);

// How a backend stands, as an operator sees it.
const char* state_of(Instant now, const backend::Backend& broker);

}  // namespace sluice::daemon
