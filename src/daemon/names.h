// The configuration's own words for its choices, as the operator wrote them.
#pragma once

#include "sluice/config/model.h"

namespace sluice::daemon {

const char* name(config::Idle idle);
const char* name(config::Balance balance);
const char* name(config::HashKey key);
const char* name(config::HealthType type);

}  // namespace sluice::daemon
