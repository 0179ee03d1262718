// Commands on DPDK's own telemetry socket, dpdk_telemetry.v2 in the EAL's runtime folder, where
// dpdk-telemetry.py asks. DPDK answers each client in a thread of its own, of up to ten.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "sluice/port/telemetry.h"

namespace sluice::port {

// One at a time. DPDK forgets no command: without one of these they answer that nobody is there.
class DpdkTelemetry {
  public:
    // Called from DPDK's threads, from several at once. parameter: what follows the comma, or empty. The
    // reply is sent as `fitted`.
    using Handler = std::function<TelemetryDict(std::string_view command, std::string_view parameter)>;

    // commands: of static storage, their texts too.
    DpdkTelemetry(std::span<const TelemetryCommand> commands, Handler handler);
    // Waits for the calls that are inside the handler.
    ~DpdkTelemetry();
    DpdkTelemetry(const DpdkTelemetry&) = delete;
    DpdkTelemetry& operator=(const DpdkTelemetry&) = delete;
};

}  // namespace sluice::port
