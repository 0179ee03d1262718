// Finds the sockets that the af_packet driver opened. The driver does not tell them, but they are what a
// worker can sleep on, and the kernel counts on them what it dropped.
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

// Sends what still waits in the socket's transmit ring, for as long as a second. The driver leaves frames
// there when the kernel will not take more at the moment, and sends them with the next burst; after the last
// one there is none.
void send_what_waits(int socket);

}  // namespace sluice::port
