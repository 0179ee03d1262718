// Of a broker: what clients say once they are connected.
#include <algorithm>
#include <array>

#include "broker.h"
#include "reason_codes.h"
#include "sluice/mqtt/acknowledge.h"
#include "sluice/mqtt/writer.h"

namespace sluice::load {
namespace {

// Routing goes down a level a call.
constexpr std::ptrdiff_t kMostLevels = 200;

std::uint8_t reason_of(mqtt::PacketError error) {
    switch (error) {
        case mqtt::PacketError::BadTopic: return 0x90;
        case mqtt::PacketError::BadTopicAlias: return 0x94;
        case mqtt::PacketError::BadFilter: return kFilterNotValid;
        case mqtt::PacketError::BadPacketId:
        case mqtt::PacketError::NoFilter:
        case mqtt::PacketError::BadProperty: return kProtocolError;
        case mqtt::PacketError::BadFlags:
        case mqtt::PacketError::BadLength:
        case mqtt::PacketError::BadQos:
        case mqtt::PacketError::BadString:
        case mqtt::PacketError::BadOptions:
        case mqtt::PacketError::BadReason:
        case mqtt::PacketError::UnknownProperty:
        case mqtt::PacketError::BadPropertyLength: return kMalformedPacket;
    }
    return kMalformedPacket;  // unreachable: the enumerators are all above
}

}  // namespace

void BrokerSink::on_packet(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body, Bytes& out) {
    switch (header.type) {
        case mqtt::PacketType::Publish: return on_publish(now, id, header, body, out);
        case mqtt::PacketType::Puback:
        case mqtt::PacketType::Pubrec:
        case mqtt::PacketType::Pubrel:
        case mqtt::PacketType::Pubcomp: return on_ack(now, id, header, body, out);
        case mqtt::PacketType::Subscribe: return on_subscribe(now, id, header, body, out);
        case mqtt::PacketType::Unsubscribe: return on_unsubscribe(now, id, header, body, out);
        case mqtt::PacketType::Pingreq: return on_ping(now, id, header, out);
        case mqtt::PacketType::Disconnect: return on_disconnect(now, id, header, body, out);
        case mqtt::PacketType::Connect:
        case mqtt::PacketType::Connack:
        case mqtt::PacketType::Suback:
        case mqtt::PacketType::Unsuback:
        case mqtt::PacketType::Pingresp:
        case mqtt::PacketType::Auth: return fail(now, id, Fault::Unexpected, kProtocolError, out);
    }
}

void BrokerSink::on_publish(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body, Bytes& out) {
    const mqtt::Version version = peers_[id].version;
    const auto result = mqtt::read_publish(header, body, version);
    if (const auto* error = std::get_if<mqtt::PacketError>(&result)) return fail(now, id, *error, out);
    const auto& publish = std::get<mqtt::Publish>(result);
    ++statistics_.publishes[publish.qos];
    statistics_.payload_bytes += publish.payload.size();
    acknowledge(publish.qos, publish.packet_id, version, out);
    if (options_.route) route(now, id, publish);
}

void BrokerSink::acknowledge(std::uint8_t qos, std::uint16_t packet_id, mqtt::Version version, Bytes& out) {
    if (qos == 1) mqtt::append_ack(out, mqtt::PacketType::Puback, {packet_id}, version);
    if (qos == 2) mqtt::append_ack(out, mqtt::PacketType::Pubrec, {packet_id}, version);
}

void BrokerSink::route(Instant now, Id id, const mqtt::Publish& publish) {
    // The list and the message are copied, as a connection may end, even the publisher's, while it is sent.
    const std::vector<Receiver>& matched = router_.match(publish.topic, id);
    if (matched.empty()) return;
    const std::vector<Receiver> receivers = matched;
    const auto message = std::make_shared<const Message>(
        Message{std::string(publish.topic), Bytes(publish.payload.begin(), publish.payload.end())});
    const std::uint8_t qos = publish.qos;
    for (const Receiver& receiver : receivers) {
        if (!connected(receiver.id)) continue;
        courier_.deliver(now, receiver.id, peers_[receiver.id].version, std::min(qos, receiver.qos), message);
    }
}

void BrokerSink::on_ack(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body, Bytes& out) {
    const mqtt::Version version = peers_[id].version;
    const auto result = mqtt::read_ack(header, body, version);
    if (const auto* error = std::get_if<mqtt::PacketError>(&result)) return fail(now, id, *error, out);
    const auto& ack = std::get<mqtt::Ack>(result);
    if (header.type == mqtt::PacketType::Pubrel) {
        ++statistics_.completed;
        mqtt::append_ack(out, mqtt::PacketType::Pubcomp, {ack.packet_id}, version);
    } else {
        courier_.on_ack(now, id, version, header.type, ack, out);
    }
}

// The answer to one filter.
std::uint8_t BrokerSink::grant(Id id, const mqtt::Subscription& subscription) {
    const bool v5 = peers_[id].version == mqtt::Version::V5;
    const std::string_view filter = subscription.filter;
    std::uint8_t refusal = 0;
    if (v5 && filter.starts_with("$share/")) refusal = kSharedNotSupported;
    if (std::count(filter.begin(), filter.end(), '/') >= kMostLevels)
        refusal = v5 ? kFilterNotValid : kFailure;
    if (refusal != 0) {
        ++statistics_.refused_subscriptions;
        return refusal;
    }
    ++statistics_.subscriptions;
    if (options_.route) {
        router_.subscribe(id, filter, {.qos = subscription.qos, .no_local = subscription.no_local});
    }
    return subscription.qos;
}

void BrokerSink::on_subscribe(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body,
                              Bytes& out) {
    const mqtt::Version version = peers_[id].version;
    const auto result = mqtt::read_subscribe(header, body, version);
    if (const auto* error = std::get_if<mqtt::PacketError>(&result)) return fail(now, id, *error, out);
    const auto& subscribe = std::get<mqtt::Subscribe>(result);
    if (subscribe.subscription_id() != 0) {
        return fail(now, id, Fault::Unsupported, kSubscriptionIdsNotSupported, out);
    }
    ++statistics_.subscribes;
    Bytes reasons;
    reasons.reserve(subscribe.count());
    subscribe.for_each([&](const mqtt::Subscription& subscription) {
        reasons.push_back(std::byte{grant(id, subscription)});
    });
    mqtt::append_suback(out, {subscribe.packet_id(), reasons}, version);
}

void BrokerSink::on_unsubscribe(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body,
                                Bytes& out) {
    const mqtt::Version version = peers_[id].version;
    const auto result = mqtt::read_unsubscribe(header, body, version);
    if (const auto* error = std::get_if<mqtt::PacketError>(&result)) return fail(now, id, *error, out);
    const auto& unsubscribe = std::get<mqtt::Unsubscribe>(result);
    ++statistics_.unsubscribes;
    Bytes reasons;
    reasons.reserve(unsubscribe.count());
    unsubscribe.for_each([&](std::string_view filter) {
        // Where nothing is routed, no filter is remembered, and each counts as one that was there.
        const bool was_there = !options_.route || router_.unsubscribe(id, filter);
        reasons.push_back(std::byte{was_there ? std::uint8_t{0} : kNoSubscriptionExisted});
    });
    mqtt::append_unsuback(out, {unsubscribe.packet_id(), reasons}, version);
}

void BrokerSink::on_ping(Instant now, Id id, const mqtt::PacketHeader& header, Bytes& out) {
    if (header.flags != 0 && peers_[id].version != mqtt::Version::V31) {
        return fail(now, id, mqtt::PacketError::BadFlags, out);
    }
    if (header.remaining != 0) return fail(now, id, mqtt::PacketError::BadLength, out);
    ++statistics_.pings;
    const auto answer = mqtt::write_pingresp();
    out.insert(out.end(), answer.begin(), answer.end());
}

void BrokerSink::on_disconnect(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body,
                               Bytes& out) {
    const auto result = mqtt::read_disconnect(header, body, peers_[id].version);
    if (const auto* error = std::get_if<mqtt::PacketError>(&result)) return fail(now, id, *error, out);
    ++statistics_.disconnects;
    finish(now, id, 0, out);
}

void BrokerSink::fail(Instant now, Id id, mqtt::PacketError error, Bytes& out) {
    ++statistics_.packet_errors[static_cast<std::size_t>(error)];
    statistics_.last_error = to_string(error);
    finish(now, id, reason_of(error), out);
}

}  // namespace sluice::load
