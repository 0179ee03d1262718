// The rules that hold between parts of a configuration: names that must differ, addresses that must lie on a
// port, connections that must be told apart by their four-tuple.
#pragma once

#include "draft.h"
#include "report.h"

namespace sluice::config {

// Adds what is wrong to the report, and fills in the pool_index of listeners and routes.
void check(Draft& draft, Report& report);

}  // namespace sluice::config
