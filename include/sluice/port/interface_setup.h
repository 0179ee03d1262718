// Makes a kernel interface (`interface = "veth0"` in [[port]]) fit to be owned by Sluice through DPDK's
// af_packet driver, and gives it back as it was found. The kernel keeps receiving what af_packet receives, so
// the interface must carry no kernel address, and whatever would make the kernel answer, forward or merge
// packets is switched off while Sluice has it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sluice::port {

struct InterfaceOptions {
    std::string interface;     // kernel name
    std::string device;        // name for the DPDK device, "net_af_packet" and a number
    std::uint16_t mtu = 1500;  // bytes of the IP packet; the kernel interface gets the same
    std::uint16_t queues = 1;  // one per worker
};

// af_packet copies frames through a ring that it shares with the kernel; its slots have one size and cut what
// is longer. Both are powers of two, so that slots never straddle the ring's blocks.
struct PacketRing {
    std::uint32_t frame_size = 2048;  // bytes of a slot
    std::uint32_t block_size = 65536;
    std::uint32_t frames = 1024;  // slots per direction and queue
};
// A ring whose slots hold whole packets of this MTU.
PacketRing packet_ring(std::uint16_t mtu);
// Longest frame, Ethernet header included, that a slot of this size holds.
std::uint32_t longest_frame(std::uint32_t slot_size);
// The device string that has af_packet open the interface.
std::string packet_device(const InterfaceOptions& options);

class InterfaceSetup {
  public:
    // nullptr, with a sentence for the operator in `error`, when the interface does not exist, is not
    // Ethernet, carries a kernel address other than link-local IPv6, or cannot be brought up at the wanted
    // MTU. Nothing is changed then. Needs CAP_NET_ADMIN and CAP_NET_RAW; what fails without harm becomes a
    // note.
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
    bool bring_up(const std::string& interface, std::string& error);
    void receive_multicast(const std::string& interface);

    std::string device_;
    std::vector<std::string> notes_;
    std::vector<std::function<void()>> undo_;  // run last to first
};

}  // namespace sluice::port
