// Finds the sockets that the drivers af_packet and af_xdp opened. The drivers do not tell them, but they are
// what a worker can sleep on, and the kernel counts on them what it dropped.
#pragma once

#include <cstdint>
#include <vector>

namespace sluice::port {

// This process's AF_PACKET sockets with a TPACKET_V2 ring that are bound to the interface, in the order of
// their descriptors. The driver opens one per queue in the order of the queues, and each open takes the
// lowest free descriptor, so this is the order of the queues.
std::vector<int> packet_sockets(int interface_index);

// Frames dropped on the socket since this was last asked (the kernel resets its count).
std::uint32_t take_packet_drops(int socket);

// This process's AF_XDP sockets, in the order of their descriptors. They do not tell their interface; those
// of a port are the ones that came while its queues were set up, in the order of the queues.
std::vector<int> xdp_sockets();

// What the kernel dropped on an AF_XDP socket since it was opened.
struct XdpDrops {
    std::uint64_t ring_full = 0;  // frames: the driver had not taken those before
    std::uint64_t no_buffer =
        0;  // frames: the driver had left no buffer to put them in, or none large enough
};
XdpDrops xdp_drops(int socket);

// Sends what still waits in the socket's transmit ring, for as long as a second. The driver leaves frames
// there when the kernel will not take more at the moment, and sends them with the next burst; after the last
// one there is none.
void send_what_waits(int socket);

}  // namespace sluice::port
