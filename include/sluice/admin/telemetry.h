// The operator's questions on DPDK's telemetry socket: those of commands.h that change nothing, under
// /sluice/. Their replies are made of the same JSON, so that no number can differ.
#pragma once

#include <span>
#include <string_view>

#include "sluice/admin/view.h"
#include "sluice/port/telemetry.h"

namespace sluice::admin {

std::span<const port::TelemetryCommand> telemetry_commands();

// The reply to one of them; {"error": ...} where there is none. It may be larger than the socket carries
// (port::fitted). Numbers are numbers, true and false are 1 and 0, fractions are text, null is left out.
// Throws nothing.
port::TelemetryDict answer_telemetry(View& view, std::string_view command, std::string_view parameter);

}  // namespace sluice::admin
