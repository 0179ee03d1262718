// A port over any DPDK device: a NIC by its PCI address, or a software device ("vdev") by name and arguments.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sluice/port/port.h"

namespace sluice::port {

class DpdkEnvironment;

struct DpdkPortOptions {
    std::string name;         // of [[port]]
    std::string device;       // "0000:03:00.0", or "net_af_packet0,iface=veth0"
    std::uint16_t index = 0;  // Frame::port of what it receives
    std::uint16_t mtu = 1500;
    std::uint32_t workers = 1;            // queue pairs wanted
    std::vector<std::uint8_t> rss_key{};  // empty: the device's own
};

// Whether the text is a PCI address, "0000:03:00.0" or "03:00.0", arguments after a comma allowed.
bool is_pci_device(const std::string& device);

// Opens, configures and starts the device: a queue pair for each worker where it has as many, RSS over TCP
// where it is offered, no promiscuous mode, all multicast. nullptr, with a sentence for the operator in
// `error`, when that fails. The environment must outlive the port; the port's destructor stops and closes the
// device.
std::unique_ptr<Port> open_dpdk_port(DpdkEnvironment& environment, const DpdkPortOptions& options,
                                     std::string& error);

}  // namespace sluice::port
