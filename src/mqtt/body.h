// What the readers of packets behind the handshake have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "cursor.h"
#include "properties.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/packet.h"

namespace sluice::mqtt {

// The fixed header: its length is minimal in v5 ([MQTT-1.5.5-1]); the flags are those of the type, which
// MQTT 3.1 does not ask for.
std::optional<PacketError> check_header(const PacketHeader& header, Version version);
std::variant<std::uint16_t, PacketError> take_packet_id(Cursor& cursor);
// A property block in v5, nothing before.
std::variant<Properties, PacketError> take_block(Cursor& cursor, PropertyPlace place, Version version);

}  // namespace sluice::mqtt
