// PUBLISH (section 3.3 of each standard), in either direction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/base/bytes.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/packet.h"

namespace sluice::mqtt {

// What was read borrows from the bytes read.
struct Publish {
    std::string_view topic = {};  // empty only where topic_alias stands for it
    ByteView payload = {};
    std::uint16_t packet_id = 0;  // 0 with QoS 0, and only then
    std::uint8_t qos = 0;         // 0..2
    bool retain = false;
    bool dup = false;
    std::uint16_t topic_alias = 0;  // v5; 0: none
};

// The front of a PUBLISH whose payload need not have arrived.
struct PublishFront {
    Publish publish = {};          // payload: as much of it as is there
    std::size_t payload_size = 0;  // of all of it
};

// body: the header.remaining bytes behind the header. topic_alias_maximum: the highest alias that the
// receiver has announced to the sender, 0 for none. Properties are checked, and of them only the alias is
// told.
std::variant<Publish, PacketError> read_publish(const PacketHeader& header, ByteView body, Version version,
                                                std::uint16_t topic_alias_maximum = 0);
// As above; body: what has arrived of it, no more than header.remaining bytes.
std::variant<PublishFront, NeedMore, PacketError> read_publish_front(const PacketHeader& header,
                                                                     ByteView body, Version version,
                                                                     std::uint16_t topic_alias_maximum = 0);

// Appends the packet. topic: valid, at most 65535 bytes; an alias is written in v5 alone. The packet is no
// larger than MQTT allows, 268,435,455 bytes behind the header.
void append_publish(std::vector<std::byte>& out, const Publish& publish, Version version);
// How many bytes that appends.
std::size_t publish_size(const Publish& publish, Version version);

// Valid as what is published to: not empty, UTF-8, no wildcards.
bool is_topic_name(std::string_view text);
// Valid as what is subscribed to: not empty, UTF-8, + and # each a level of their own, # the last one
// (section 4.7).
bool is_topic_filter(std::string_view text);

}  // namespace sluice::mqtt
