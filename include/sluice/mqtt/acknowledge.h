// The four packets that acknowledge a PUBLISH (sections 3.4 to 3.7 of each standard), and DISCONNECT (3.14).
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "sluice/base/bytes.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/packet.h"

namespace sluice::mqtt {

struct Ack {
    std::uint16_t packet_id = 0;
    std::uint8_t reason = 0;  // v5; from 0x80 on a failure

    bool failed() const { return reason >= 0x80; }
};

// header.type: Puback, Pubrec, Pubrel or Pubcomp. body: the header.remaining bytes behind the header.
std::variant<Ack, PacketError> read_ack(const PacketHeader& header, ByteView body, Version version);
// Appends the packet; a reason other than success in v5 alone.
void append_ack(std::vector<std::byte>& out, PacketType type, Ack ack, Version version);

struct Disconnect {
    std::uint8_t reason = 0;  // v5; 0: in order
};

// body: the header.remaining bytes behind the header.
std::variant<Disconnect, PacketError> read_disconnect(const PacketHeader& header, ByteView body,
                                                      Version version);
// Appends the packet; a reason other than 0 in v5 alone. Before v5 only a client says it.
void append_disconnect(std::vector<std::byte>& out, Version version, std::uint8_t reason = 0);

}  // namespace sluice::mqtt
