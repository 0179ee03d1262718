// Makes a kernel interface (`interface = "veth0"` in [[port]]) fit to be owned by Sluice through DPDK's
// drivers af_packet or af_xdp, and gives it back as it was found. The kernel keeps receiving what af_packet
// receives, and what af_xdp leaves to it, so the interface must carry no kernel address, and whatever would
// make the kernel answer, forward or merge packets is switched off while Sluice has it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/port/packet_ring.h"

namespace sluice::port {

struct InterfaceOptions {
    std::string interface;  // kernel name
    KernelDriver driver = KernelDriver::AfPacket;
    std::uint32_t number = 0;  // of the DPDK device, "net_af_packet0"
    std::uint16_t mtu = 1500;  // bytes of the IP packet; the kernel interface gets the same
    std::uint16_t queues = 1;  // one per worker
};

// The device string that has DPDK open the interface.
std::string interface_device(const InterfaceOptions& options);

class InterfaceSetup {
  public:
    // nullptr, with a sentence for the operator in `error`, when the interface does not exist, is not
    // Ethernet, carries a kernel address other than link-local IPv6, or cannot be brought up at the wanted
    // MTU, or with the queues that AF_XDP needs. Nothing is changed then. Needs CAP_NET_ADMIN and
    // CAP_NET_RAW; what fails without harm becomes a note.
    static std::unique_ptr<InterfaceSetup> prepare(const InterfaceOptions& options, std::string& error);
    // Restores what prepare() changed. The DPDK port must be closed by then.
    ~InterfaceSetup();
    InterfaceSetup(const InterfaceSetup&) = delete;
    InterfaceSetup& operator=(const InterfaceSetup&) = delete;

    // For DpdkPortOptions::device.
    const std::string& device() const { return device_; }
    // What the operator should know: settings that could not be made, what a peer must do.
    const std::vector<std::string>& notes() const { return notes_; }

  private:
    InterfaceSetup() = default;
    bool apply(const InterfaceOptions& options, std::string& error);
    void silence_kernel(const std::string& interface);
    void switch_off_merging(const std::string& interface);
    bool fit_mtu(const std::string& interface, std::uint16_t mtu, std::string& error);
    bool fit_queues(const InterfaceOptions& options, std::string& error);
    bool bring_up(const std::string& interface, std::string& error);
    void receive_multicast(const std::string& interface);

    std::string device_;
    std::vector<std::string> notes_;
    std::vector<std::function<void()>> undo_;  // run last to first
};

}  // namespace sluice::port
