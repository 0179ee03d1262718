// Turns options and what the machine offers into EAL arguments, sizes the packet pool and chooses the kind of
// memory. Pure, so that every choice can be tested without starting the EAL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/port/dpdk_environment.h"

namespace sluice::port {

// Ring slots per queue and direction, asked of every device.
inline constexpr std::uint16_t kDescriptors = 1024;
// Buffers that af_xdp gives the kernel to fill, per queue: what one can miss no frame of at once.
inline constexpr std::uint16_t kXdpBuffers = 2048;
// Buffers that a worker's own cache of the pool may hold; DPDK keeps up to one and a half times that.
inline constexpr std::uint32_t kPoolCache = 256;

struct MachineFacts {
    std::vector<std::uint32_t> cpus;  // that this process may run on
    std::uint64_t free_hugepage_bytes = 0;
};
MachineFacts machine_facts();

struct EalPlan {
    std::vector<std::string> arguments;  // the program's name first
    std::vector<std::string> notes;
    std::string error;  // not empty: the plan cannot be made
    bool hugepages = false;
};
EalPlan plan_eal(const DpdkOptions& options, const MachineFacts& machine);

// Buffers that the queues of all ports, the workers' caches and the frames held elsewhere can need at once.
std::size_t pool_frames(const DpdkOptions& options);
// Bytes of a buffer, kHeadroom not counted: a whole frame of the largest MTU, and a whole slot of the ring
// that af_packet would use for it.
std::uint32_t pool_room(std::uint16_t mtu);

}  // namespace sluice::port
