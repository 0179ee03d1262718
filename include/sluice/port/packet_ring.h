// The rings that a port shares with the kernel: how large they are made for a burst, and the device strings
// that say so to DPDK's drivers af_packet and af_xdp. Pure text and arithmetic.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::port {

// DPDK's names of the drivers that take frames from rings which they share with the kernel.
inline constexpr std::string_view kPacketDriver = "net_af_packet";
inline constexpr std::string_view kXdpDriver = "net_af_xdp";
constexpr bool shares_rings(std::string_view driver) {
    return driver == kPacketDriver || driver == kXdpDriver;
}

// How a kernel interface is driven.
enum class KernelDriver : std::uint8_t {
    AfPacket,  // packet sockets: any interface, no privilege beyond NET_ADMIN and NET_RAW
    AfXdp,     // a program in the interface's own driver: fewer copies, SYS_ADMIN, 2048 frames a queue
};

// af_packet copies frames through a ring that it shares with the kernel; its slots have one size and cut what
// is longer. frame_size and block_size are powers of two, so that slots never straddle the ring's blocks.
struct PacketRing {
    std::uint32_t frame_size = 2048;  // bytes of a slot
    std::uint32_t block_size = 65536;
    std::uint32_t frames = 8192;  // slots per direction and queue, in whole blocks

    // What the kernel sets aside for a port: a ring to receive and one to send for each queue.
    std::uint64_t bytes(std::uint32_t queues) const {
        return std::uint64_t{2} * queues * frames * frame_size;
    }
};
// A ring whose slots hold whole packets of this MTU. 16 MiB of them for each of the first two queues and
// direction, then the same for all queues together, but never less than 1024 slots.
PacketRing packet_ring(std::uint16_t mtu, std::uint32_t queues = 1);
// Longest frame, Ethernet header included, that a slot of this size holds.
std::uint32_t longest_frame(std::uint32_t slot_size);

// The driver of a device string, "net_af_xdp" of "net_af_xdp0,iface=eth1"; a PCI address as it is.
std::string driver_of(const std::string& device);
// The value of `,key=` in a device string; fallback where it is not there or no number.
std::uint32_t device_argument(const std::string& device, const std::string& key, std::uint32_t fallback);
// The ring that af_packet makes of a device string, whatever wrote it.
PacketRing ring_of(const std::string& device);

// A device string as it is given to DPDK. What it says itself stays; where it leaves open how large the rings
// of packet sockets are, they are made for bursts and for this MTU. Other devices are left alone.
std::string with_rings(const std::string& device, std::uint16_t mtu);

}  // namespace sluice::port
