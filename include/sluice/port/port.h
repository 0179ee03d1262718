// A network port: bursts of frames in and out. dpdk_port puts a NIC or a kernel interface behind it,
// memory_port a test.
//
// Queues: worker i passes its own index i as `queue`, always. A port with fewer receive queues than workers
// returns nothing on the queues that it has not; a port with fewer transmit queues than workers makes them
// share. So nobody above needs to know how many there are, except to judge wait_handles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/port/frame.h"

namespace sluice::port {

// How a port spreads flows over its receive queues: Toeplitz over (source address, destination address,
// source port, destination port) in network order, as Microsoft's RSS defines it.
struct Rss {
    std::vector<std::uint8_t> key;      // usually 40 bytes
    std::vector<std::uint16_t> queues;  // queue = queues[hash % queues.size()]; empty: the port does no RSS
    bool ipv4 = false;                  // TCP over IPv4 is hashed so
    bool ipv6 = false;                  // TCP over IPv6 is hashed so
};

// Frames of one queue that a receiver may take before it works on them.
inline constexpr std::size_t kTakeAhead = 4096;

// What does not change while the port is open.
struct PortInfo {
    std::string name;    // of [[port]]
    std::string device;  // as the driver calls it
    std::string driver;
    MacAddress mac;
    std::uint16_t mtu = 1500;  // bytes of the IP packet
    std::uint16_t rx_queues = 1;
    std::uint16_t tx_queues = 1;
    std::uint32_t rx_slots = 0;  // frames that a receive queue holds before the device drops more; 0: unknown
    std::uint64_t ring_bytes = 0;  // memory of the kernel's that the queues take, beside the pool's; 0: none
    // Its queues are short for what may come at once, and cannot grow: the receiver should empty them
    // before working on what came (worker/intake.h).
    bool take_ahead = false;
    Rss rss;
};

struct Link {
    bool up = false;
    std::uint32_t speed = 0;  // Mbit/s; 0: unknown
};

// The device's own counts since it was opened. A device that does not count something leaves 0.
struct PortStatistics {
    std::uint64_t rx_frames = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t rx_missed = 0;  // dropped by the device because nobody took them in time
    // Those of rx_missed whose cause the kernel tells: its ring was full, or AF_XDP had no buffer to fill.
    std::uint64_t rx_ring_full = 0;
    std::uint64_t rx_no_fill = 0;
    // Dropped by the kernel's interface before any ring. Some drivers count what AF_XDP missed here once
    // more.
    std::uint64_t rx_interface_dropped = 0;
    std::uint64_t rx_errors = 0;
    std::uint64_t rx_no_buffer = 0;  // dropped because the pool was empty
    std::uint64_t tx_frames = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t tx_errors = 0;
};

class Port {
  public:
    virtual ~Port() = default;

    // Up to out.size() frames that arrived on the queue, with Frame::port set to this port's index; they are
    // the caller's now. One thread at a time per queue. Never blocks.
    [[nodiscard]] virtual std::size_t receive(std::uint16_t queue, std::span<Frame> out) = 0;
    // Sends frames from the front of `frames` and returns how many were taken; those belong to the port. The
    // rest stay the caller's: to try again, or to release. Frames must come from the pool that the port was
    // opened with. One thread at a time per queue.
    [[nodiscard]] virtual std::size_t transmit(std::uint16_t queue, std::span<const Frame> frames) = 0;

    virtual const PortInfo& info() const = 0;

    // File descriptors that poll() reports readable while frames wait on the queue. Empty: this port cannot
    // be waited for, unless queue >= info().rx_queues, where nothing ever arrives. The port keeps them open.
    // Where poll() reports POLLERR (a kernel interface went down), reading SO_ERROR quiets it; reception goes
    // on by itself later.
    virtual std::vector<int> wait_handles(std::uint16_t queue) const = 0;

    // From the control thread.
    virtual Link link() const = 0;
    virtual PortStatistics statistics() const = 0;
};

}  // namespace sluice::port
