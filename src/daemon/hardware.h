// What the daemon takes from the machine: kernel interfaces made fit for it, DPDK with its memory and
// threads, and the ports. Given back in the opposite order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sluice/config/model.h"
#include "sluice/port/dpdk_environment.h"
#include "sluice/port/interface_setup.h"
#include "sluice/port/port.h"

namespace sluice::daemon {

class Hardware {
  public:
    explicit Hardware(const config::Config& config);  // throws StartFault

    port::DpdkEnvironment& environment() { return *environment_; }
    std::vector<port::Port*> ports() const;  // in the configuration's order
    std::vector<MacAddress> macs() const;

  private:
    void take_interfaces(const config::Config& config);
    void start_dpdk(const config::Config& config);
    void open_ports(const config::Config& config);

    std::vector<std::unique_ptr<port::InterfaceSetup>> interfaces_;
    std::vector<std::string> devices_;  // by port
    std::unique_ptr<port::DpdkEnvironment> environment_;
    std::vector<std::unique_ptr<port::Port>> ports_;
};

}  // namespace sluice::daemon
