// What the load generator takes from the machine for a DPDK port: a kernel interface made fit for it, DPDK
// with its memory and a thread, the port. Given back in the opposite order.
#pragma once

#include <exception>
#include <functional>
#include <memory>

#include "addressing.h"
#include "options.h"
#include "packet_transport.h"
#include "sluice/port/dpdk_environment.h"
#include "sluice/port/interface_setup.h"
#include "sluice/port/port.h"

namespace sluice::load {

class DpdkHardware {
  public:
    explicit DpdkHardware(const Options& options);  // throws std::runtime_error

    // On DPDK's thread; what the function throws comes out here.
    void run(const std::function<void()>& function);
    std::unique_ptr<PacketTransport> transport(const Options& options, Events& events, Instant now);

  private:
    std::unique_ptr<port::InterfaceSetup> interface_;
    std::unique_ptr<port::DpdkEnvironment> environment_;
    std::unique_ptr<port::Port> port_;
    std::unique_ptr<Addressing> addressing_;
};

}  // namespace sluice::load
