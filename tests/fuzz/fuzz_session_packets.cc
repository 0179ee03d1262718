// Any bytes as what a client or a broker says after the handshake, packet by packet; the first byte of the
// input chooses the version, the second the highest topic alias. What was read lies within its packet, and
// what is written of it is read as the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "check.h"
#include "sluice/mqtt/acknowledge.h"
#include "sluice/mqtt/publish.h"
#include "sluice/mqtt/subscribe.h"

using namespace sluice;

namespace {

void check_inside(ByteView view, ByteView packet) {
    if (view.empty()) return;
    check(view.data() >= packet.data() && view.data() + view.size() <= packet.data() + packet.size());
}

struct Whole {
    mqtt::PacketHeader header;
    ByteView body;
};

Whole whole(ByteView bytes) {
    const auto result = mqtt::read_packet_header(bytes);
    const auto* header = std::get_if<mqtt::PacketHeader>(&result);
    check(header != nullptr && header->size + header->remaining == bytes.size());
    return {*header, bytes.subspan(header->size)};
}

void check_fronts(const Whole& packet, mqtt::Version version, std::uint16_t aliases, bool sound) {
    bool final = false;
    for (std::size_t n = 0; n <= std::min<std::size_t>(packet.body.size(), 200); ++n) {
        const std::vector<std::byte> prefix(packet.body.begin(),
                                            packet.body.begin() + static_cast<std::ptrdiff_t>(n));
        const auto result = mqtt::read_publish_front(packet.header, prefix, version, aliases);
        const bool more = std::holds_alternative<mqtt::NeedMore>(result);
        check(!(final && more));
        final = !more;
        if (const auto* front = std::get_if<mqtt::PublishFront>(&result)) {
            check(sound && front->payload_size <= packet.body.size());
        } else {
            check(more || !sound);
        }
    }
}

void try_publish(const Whole& packet, mqtt::Version version, std::uint16_t aliases) {
    const auto result = mqtt::read_publish(packet.header, packet.body, version, aliases);
    const auto* publish = std::get_if<mqtt::Publish>(&result);
    check_fronts(packet, version, aliases, publish != nullptr);
    if (publish == nullptr) return;
    check_inside(as_bytes(publish->topic), packet.body);
    check_inside(publish->payload, packet.body);
    check((publish->qos == 0) == (publish->packet_id == 0) && publish->topic_alias <= aliases);
    check(publish->topic.empty() ? publish->topic_alias != 0 : mqtt::is_topic_name(publish->topic));
    std::vector<std::byte> bytes;
    mqtt::append_publish(bytes, *publish, version);
    check(bytes.size() == mqtt::publish_size(*publish, version));
    const Whole copy = whole(bytes);
    const auto again = mqtt::read_publish(copy.header, copy.body, version, aliases);
    const auto* other = std::get_if<mqtt::Publish>(&again);
    check(other != nullptr && other->topic == publish->topic && other->packet_id == publish->packet_id &&
          as_text(other->payload) == as_text(publish->payload) && copy.header.flags == packet.header.flags);
}

void try_subscribe(const Whole& packet, mqtt::Version version) {
    const auto result = mqtt::read_subscribe(packet.header, packet.body, version);
    const auto* subscribe = std::get_if<mqtt::Subscribe>(&result);
    if (subscribe == nullptr) return;
    std::vector<mqtt::Subscription> list;
    subscribe->for_each([&](const mqtt::Subscription& subscription) {
        check_inside(as_bytes(subscription.filter), packet.body);
        check(subscription.qos <= 2 && mqtt::is_topic_filter(subscription.filter));
        list.push_back(subscription);
        // MQTT 3.1 disregards these bits, and what is written has none of them.
        if (version != mqtt::Version::V5) list.back().retain_handling = 0;
    });
    check(list.size() == subscribe->count() && !list.empty());
    std::vector<std::byte> bytes;
    mqtt::append_subscribe(bytes, subscribe->packet_id(), list, version);
    const Whole copy = whole(bytes);
    const auto again = mqtt::read_subscribe(copy.header, copy.body, version);
    check(std::get<mqtt::Subscribe>(again).count() == list.size());
}

void try_unsubscribe(const Whole& packet, mqtt::Version version) {
    const auto result = mqtt::read_unsubscribe(packet.header, packet.body, version);
    const auto* unsubscribe = std::get_if<mqtt::Unsubscribe>(&result);
    if (unsubscribe == nullptr) return;
    std::vector<std::string_view> list;
    unsubscribe->for_each([&](std::string_view filter) {
        check_inside(as_bytes(filter), packet.body);
        list.push_back(filter);
    });
    check(list.size() == unsubscribe->count() && !list.empty());
    std::vector<std::byte> bytes;
    mqtt::append_unsubscribe(bytes, unsubscribe->packet_id(), list, version);
    const Whole copy = whole(bytes);
    check(std::get<mqtt::Unsubscribe>(mqtt::read_unsubscribe(copy.header, copy.body, version)).count() ==
          list.size());
}

void try_ack(const Whole& packet, mqtt::Version version) {
    const auto result = mqtt::read_ack(packet.header, packet.body, version);
    const auto* ack = std::get_if<mqtt::Ack>(&result);
    if (ack == nullptr) return;
    std::vector<std::byte> bytes;
    mqtt::append_ack(bytes, packet.header.type, *ack, version);
    const Whole copy = whole(bytes);
    const auto again = mqtt::read_ack(copy.header, copy.body, version);
    check(std::get<mqtt::Ack>(again).packet_id == ack->packet_id);
    check(std::get<mqtt::Ack>(again).reason == ack->reason);
}

template <typename Read>
void try_reasons(const Whole& packet, mqtt::Version version, Read&& read) {
    const auto result = read(packet.header, packet.body, version);
    const auto* ack = std::get_if<mqtt::SubscriptionAck>(&result);
    if (ack == nullptr) return;
    check_inside(ack->reasons, packet.body);
    check(ack->packet_id != 0);
}

void try_packet(const Whole& packet, mqtt::Version version, std::uint16_t aliases) {
    switch (packet.header.type) {
        case mqtt::PacketType::Publish: return try_publish(packet, version, aliases);
        case mqtt::PacketType::Puback:
        case mqtt::PacketType::Pubrec:
        case mqtt::PacketType::Pubrel:
        case mqtt::PacketType::Pubcomp: return try_ack(packet, version);
        case mqtt::PacketType::Subscribe: return try_subscribe(packet, version);
        case mqtt::PacketType::Suback: return try_reasons(packet, version, mqtt::read_suback);
        case mqtt::PacketType::Unsubscribe: return try_unsubscribe(packet, version);
        case mqtt::PacketType::Unsuback: return try_reasons(packet, version, mqtt::read_unsuback);
        case mqtt::PacketType::Disconnect:
            static_cast<void>(mqtt::read_disconnect(packet.header, packet.body, version));
            return;
        case mqtt::PacketType::Connect:
        case mqtt::PacketType::Connack:
        case mqtt::PacketType::Pingreq:
        case mqtt::PacketType::Pingresp:
        case mqtt::PacketType::Auth: return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto version = static_cast<mqtt::Version>(3 + data[0] % 3);
    const std::uint16_t aliases = version == mqtt::Version::V5 ? data[1] : 0;
    ByteView bytes = std::as_bytes(std::span(data + 2, size - 2));
    for (;;) {
        const auto result = mqtt::read_packet_header(bytes);
        const auto* header = std::get_if<mqtt::PacketHeader>(&result);
        if (header == nullptr || header->size + header->remaining > bytes.size()) return 0;
        const auto body = bytes.subspan(header->size, header->remaining);
        const std::vector<std::byte> own(body.begin(), body.end());
        try_packet({*header, own}, version, aliases);
        bytes = bytes.subspan(header->size + header->remaining);
    }
}
