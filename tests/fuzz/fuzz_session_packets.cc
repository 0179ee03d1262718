// Any bytes as what follows the CONNACK; the first byte of the input chooses the version. Whatever a reader
// accepts lies within the packet.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "check.h"
#include "sluice/mqtt/session_packets.h"

using namespace sluice;

namespace {

void check_inside(ByteView part, ByteView packet) {
    if (part.empty()) return;
    check(part.data() >= packet.data() && part.data() + part.size() <= packet.data() + packet.size());
}

void check_filters(std::optional<mqtt::Subscribe> subscribe, ByteView packet) {
    if (!subscribe) return;
    check(subscribe->packet_id != 0);
    std::size_t filters = 0;
    while (const auto filter = subscribe->filters.next()) {
        check(!filter->text.empty() && filter->qos <= 2);
        check_inside(as_bytes(filter->text), packet);
        ++filters;
    }
    check(filters != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto version = static_cast<mqtt::Version>(3 + data[0] % 3);
    const ByteView bytes = std::as_bytes(std::span(data + 1, size - 1));
    const auto read = mqtt::read_packet_header(bytes);
    const auto* const header = std::get_if<mqtt::PacketHeader>(&read);
    if (header == nullptr || header->size + header->remaining > bytes.size()) return 0;
    // A buffer of its own, so that a sanitizer sees the first byte behind the packet.
    const std::vector<std::byte> packet(
        bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header->size + header->remaining));
    if (const auto publish = mqtt::read_publish(*header, packet, version)) {
        check(publish->qos <= 2 && (publish->qos == 0) == (publish->packet_id == 0));
        check_inside(as_bytes(publish->topic), packet);
        check_inside(publish->payload, packet);
        std::vector<std::byte> again;
        mqtt::write_publish(*publish, version, again);
        check(again.size() <= packet.size());
    }
    if (const auto read_ack = mqtt::read_acknowledgement(*header, packet, version))
        check(read_ack->packet_id != 0);
    check_filters(mqtt::read_subscribe(*header, packet, version), packet);
    check_filters(mqtt::read_unsubscribe(*header, packet, version), packet);
    if (const auto suback = mqtt::read_suback(*header, packet, version)) check_inside(suback->codes, packet);
    return 0;
}
