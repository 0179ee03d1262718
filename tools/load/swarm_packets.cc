// What a client writes, and what it makes of what it reads.
#include <array>
#include <charconv>
#include <cstring>

#include "sluice/mqtt/acknowledge.h"
#include "sluice/mqtt/connack.h"
#include "sluice/mqtt/publish.h"
#include "sluice/mqtt/subscribe.h"
#include "sluice/mqtt/writer.h"
#include "swarm.h"

namespace sluice::load {
namespace {

constexpr std::uint16_t kSubscribeId = 1;
constexpr std::uint8_t kSubscriptionFailure = 0x80;  // of SUBACK, and what is above
constexpr std::uint32_t kSessionExpiry = 86'400;     // seconds
// What a payload begins with, before the time at which it was sent.
constexpr std::array<std::byte, 8> kMark{std::byte{'s'}, std::byte{'l'}, std::byte{'u'}, std::byte{'i'},
                                         std::byte{'c'}, std::byte{'e'}, std::byte{'-'}, std::byte{'>'}};

class Digits {
  public:
    explicit Digits(std::uint32_t number)
        : end_(std::to_chars(text_.data(), text_.data() + text_.size(), number).ptr) {}
    std::string_view text() const { return {text_.data(), static_cast<std::size_t>(end_ - text_.data())}; }

  private:
    std::array<char, 10> text_;
    const char* end_;
};

// The text with the client's number for each %c.
std::string with_number(const std::string& text, Id client) {
    std::string out;
    std::size_t from = 0;
    for (std::size_t at = text.find("%c"); at != std::string::npos; at = text.find("%c", from)) {
        out.append(text, from, at - from).append(Digits(client).text());
        from = at + 2;
    }
    return out.append(text, from);
}

}  // namespace

void Swarm::write_connect(Id client) {
    std::string id = options_.client_id;
    id.append(Digits(client).text());
    scratch_.clear();
    mqtt::append_connect(scratch_, {.version = options_.version,
                                    .client_id = id,
                                    .keep_alive = options_.keep_alive,
                                    .username = options_.username,
                                    .password = options_.password,
                                    .clean_start = options_.clean_start,
                                    .session_expiry = options_.clean_start ? 0 : kSessionExpiry});
}

void Swarm::write_message(Instant now, Id client, std::uint16_t packet_id) {
    const std::string topic = with_number(options_.topic, client);
    if (payload_.size() >= SwarmOptions::kStampSize) {
        const auto sent = static_cast<std::uint64_t>(now.time_since_epoch().count());
        std::memcpy(payload_.data(), kMark.data(), kMark.size());
        store32(payload_.data() + kMark.size(), static_cast<std::uint32_t>(sent >> 32U));
        store32(payload_.data() + kMark.size() + 4, static_cast<std::uint32_t>(sent));
    }
    scratch_.clear();
    mqtt::append_publish(scratch_,
                         {.topic = topic,
                          .payload = payload_,
                          .packet_id = options_.qos == 0 ? std::uint16_t{0} : packet_id,
                          .qos = options_.qos},
                         options_.version);
}

void Swarm::on_packet(Instant now, Id client, const mqtt::PacketHeader& header, ByteView packet) {
    const Phase phase = cells_[client].phase;
    if (phase == Phase::Greeting) return on_connack(now, client, packet);
    const ByteView body = packet.subspan(header.size);
    switch (header.type) {
        case mqtt::PacketType::Suback:
            if (phase == Phase::Subscribing) return on_suback(now, client, header, body);
            break;
        case mqtt::PacketType::Publish: return on_publish(now, client, header, body);
        case mqtt::PacketType::Puback:
        case mqtt::PacketType::Pubrec:
        case mqtt::PacketType::Pubrel:
        case mqtt::PacketType::Pubcomp: return on_acknowledgement(now, client, header, body);
        case mqtt::PacketType::Pingresp: return on_pingresp(now, client, header);
        case mqtt::PacketType::Disconnect:
            if (options_.version == mqtt::Version::V5) return on_disconnect(now, client, header, body);
            break;
        case mqtt::PacketType::Connect:
        case mqtt::PacketType::Connack:
        case mqtt::PacketType::Subscribe:
        case mqtt::PacketType::Unsubscribe:
        case mqtt::PacketType::Unsuback:
        case mqtt::PacketType::Pingreq:
        case mqtt::PacketType::Auth: break;
    }
    give_up(now, client,
            "packet type " + std::to_string(static_cast<unsigned>(header.type)) + " not expected here");
}

void Swarm::on_connack(Instant now, Id client, ByteView packet) {
    const auto result = mqtt::read_connack(packet, options_.version, packet.size());
    const auto* const connack = std::get_if<mqtt::Connack>(&result);
    if (connack == nullptr) return give_up(now, client, "malformed CONNACK");
    if (!connack->accepted()) {
        ++tally_.refused;
        ++tally_.refusals[connack->reason_code];
        timers_.cancel(client);
        enter(client, Phase::Refused);
        transport_->close(now, client);
        return;
    }
    ++tally_.accepted;
    tally_.connack.add(since_begun(now, client));
    if (client >= options_.subscribers) return ready(now, client);
    enter(client, Phase::Subscribing);
    scratch_.clear();
    const std::string filter = with_number(options_.filter, client);
    const std::array subscriptions{mqtt::Subscription{.filter = filter, .qos = options_.filter_qos}};
    mqtt::append_subscribe(scratch_, kSubscribeId, subscriptions, options_.version);
    static_cast<void>(say(now, client));
}

void Swarm::on_suback(Instant now, Id client, const mqtt::PacketHeader& header, ByteView body) {
    const auto result = mqtt::read_suback(header, body, options_.version);
    if (const auto* const error = std::get_if<mqtt::PacketError>(&result))
        return give_up(now, client, "SUBACK", *error);
    const auto& suback = std::get<mqtt::SubscriptionAck>(result);
    if (suback.packet_id != kSubscribeId || suback.reasons.size() != 1)
        return give_up(now, client, "SUBACK of another SUBSCRIBE");
    const std::uint8_t granted = load8(suback.reasons.data());
    if (granted >= kSubscriptionFailure) return give_up(now, client, "SUBSCRIBE refused");
    if (granted > options_.filter_qos) return give_up(now, client, "SUBACK grants more than was asked for");
    ready(now, client);
}

void Swarm::on_pingresp(Instant now, Id client, const mqtt::PacketHeader& header) {
    // MQTT 3.1 does not use these flags.
    if (header.flags != 0 && options_.version != mqtt::Version::V31)
        return give_up(now, client, "PINGRESP", mqtt::PacketError::BadFlags);
    if (header.remaining != 0) return give_up(now, client, "PINGRESP", mqtt::PacketError::BadLength);
    cells_[client].pinged = false;
    ++tally_.pongs;
}

// The end follows, and is counted then.
void Swarm::on_disconnect(Instant now, Id client, const mqtt::PacketHeader& header, ByteView body) {
    const auto result = mqtt::read_disconnect(header, body, options_.version);
    if (const auto* const error = std::get_if<mqtt::PacketError>(&result))
        give_up(now, client, "DISCONNECT", *error);
}

void Swarm::on_publish(Instant now, Id client, const mqtt::PacketHeader& header, ByteView body) {
    const auto result = mqtt::read_publish(header, body, options_.version);
    if (const auto* const error = std::get_if<mqtt::PacketError>(&result))
        return give_up(now, client, "PUBLISH", *error);
    const auto& publish = std::get<mqtt::Publish>(result);
    ++tally_.received;
    tally_.received_bytes += publish.payload.size();
    const bool stamped = publish.payload.size() >= SwarmOptions::kStampSize &&
                         std::memcmp(publish.payload.data(), kMark.data(), kMark.size()) == 0;
    if (stamped) {
        const std::byte* const at = publish.payload.data() + kMark.size();
        const std::uint64_t sent = std::uint64_t{load32(at)} << 32U | load32(at + 4);
        tally_.delivery.add(now - Instant(Duration(static_cast<std::int64_t>(sent))));
    }
    if (publish.qos == 0 || cells_[client].phase == Phase::Leaving) return;
    acknowledge(now, client, publish.qos == 1 ? mqtt::PacketType::Puback : mqtt::PacketType::Pubrec,
                publish.packet_id);
}

void Swarm::acknowledge(Instant now, Id client, mqtt::PacketType type, std::uint16_t packet_id) {
    scratch_.clear();
    mqtt::append_ack(scratch_, type, {.packet_id = packet_id}, options_.version);
    static_cast<void>(say(now, client));
}

// Of our message, or PUBREL of one that was received.
void Swarm::on_acknowledgement(Instant now, Id client, const mqtt::PacketHeader& header, ByteView body) {
    const auto result = mqtt::read_ack(header, body, options_.version);
    if (const auto* const error = std::get_if<mqtt::PacketError>(&result))
        return give_up(now, client, "acknowledgement", *error);
    const auto& ack = std::get<mqtt::Ack>(result);
    Cell& cell = cells_[client];
    if (cell.phase == Phase::Leaving || cell.phase == Phase::Refused) return;
    if (header.type == mqtt::PacketType::Pubrel)
        return acknowledge(now, client, mqtt::PacketType::Pubcomp, ack.packet_id);
    const bool expected = (header.type == mqtt::PacketType::Puback && cell.stage == Stage::Puback) ||
                          (header.type == mqtt::PacketType::Pubrec && cell.stage == Stage::Pubrec) ||
                          (header.type == mqtt::PacketType::Pubcomp && cell.stage == Stage::Pubcomp);
    if (!expected || ack.packet_id != cell.packet_id)
        return give_up(now, client, "an acknowledgement of no message");
    // A refusal is the last word about a message (section 4.3 of MQTT 5).
    if (ack.failed() || header.type != mqtt::PacketType::Pubrec) return answered(now, client, !ack.failed());
    cell.stage = Stage::Pubcomp;
    acknowledge(now, client, mqtt::PacketType::Pubrel, ack.packet_id);
}

}  // namespace sluice::load
