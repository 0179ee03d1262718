// What a client and a broker say to each other once the CONNACK is there: readers and writers of whole
// packets of MQTT 3.1, 3.1.1 and 5 (sections 3.3 to 3.15 of the standards). The balancer itself passes these
// packets unread; load generator and tests speak them.
//
// Readers take a whole packet, fixed header included, as read_packet_header() has found its end. Texts and
// payloads borrow from it. nullopt: malformed. Properties of version 5 are stepped over within their bounds,
// not looked into. Writers append to `out`, which the caller keeps and clears: nothing else is allocated.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/base/bytes.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/packet.h"

namespace sluice::mqtt {

using PacketBytes = std::vector<std::byte>;

struct Publish {
    std::string_view topic{};
    std::uint16_t packet_id = 0;  // of QoS 1 and 2, never 0 there
    std::uint8_t qos = 0;         // 0, 1, 2
    bool retain = false;
    bool duplicate = false;
    ByteView payload{};
};
std::optional<Publish> read_publish(const PacketHeader& header, ByteView packet, Version version);
void write_publish(const Publish& publish, Version version, PacketBytes& out);

// PUBACK, PUBREC, PUBREL or PUBCOMP.
struct Acknowledgement {
    std::uint16_t packet_id = 0;
    std::uint8_t reason = 0;  // from 0x80 on a refusal; always 0 before version 5
};
std::optional<Acknowledgement> read_acknowledgement(const PacketHeader& header, ByteView packet,
                                                    Version version);
// That all is well. type: one of the four.
void write_acknowledgement(PacketType type, std::uint16_t packet_id, PacketBytes& out);

// The topic filters of a SUBSCRIBE or UNSUBSCRIBE, one after the other.
class Filters {
  public:
    struct Filter {
        std::string_view text;
        std::uint8_t qos = 0;  // asked for; of UNSUBSCRIBE 0
    };
    Filters(ByteView bytes, bool with_options) : rest_(bytes), with_options_(with_options) {}
    // nullopt at the end.
    std::optional<Filter> next();

  private:
    ByteView rest_;
    bool with_options_;
};
struct Subscribe {
    std::uint16_t packet_id = 0;
    Filters filters;  // sound, at least one
};
std::optional<Subscribe> read_subscribe(const PacketHeader& header, ByteView packet, Version version);
std::optional<Subscribe> read_unsubscribe(const PacketHeader& header, ByteView packet, Version version);
void write_subscribe(std::uint16_t packet_id, std::string_view filter, std::uint8_t qos, Version version,
                     PacketBytes& out);

// SUBACK: a code for each filter, the QoS granted or, from 0x80 on, a refusal. UNSUBACK has codes in version
// 5 only.
struct Suback {
    std::uint16_t packet_id = 0;
    std::span<const std::byte> codes;
};
std::optional<Suback> read_suback(const PacketHeader& header, ByteView packet, Version version);
void write_suback(std::uint16_t packet_id, std::span<const std::uint8_t> codes, Version version,
                  PacketBytes& out);
// All were unsubscribed.
void write_unsuback(std::uint16_t packet_id, std::size_t filters, Version version, PacketBytes& out);

// A CONNACK that accepts. assigned_client_id: version 5 only; empty: none.
void write_accepted(bool session_present, std::string_view assigned_client_id, Version version,
                    PacketBytes& out);
// One that refuses, by any code of the version's.
void write_refused(std::uint8_t code, Version version, PacketBytes& out);
void write_pingresp(PacketBytes& out);
// From the server, version 5 only: others have no such packet.
void write_server_disconnect(std::uint8_t reason, PacketBytes& out);

}  // namespace sluice::mqtt
