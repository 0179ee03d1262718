// What a client says once it was let in, and what it is answered.
#include <algorithm>

#include "broker.h"

namespace sluice::load {
namespace {

constexpr std::uint8_t kPacketTooLarge = 0x95;
// Fixed header, topic and packet identifier of a PUBLISH, properties included: enough to answer it.
constexpr std::size_t kPublishBeginning = 5 + 2 + 65'535 + 2;

}  // namespace

void Broker::on_packet(Instant now, Id id, const mqtt::PacketHeader& header, ByteView packet) {
    switch (header.type) {
        case mqtt::PacketType::Publish: return on_publish(now, id, header, packet);
        case mqtt::PacketType::Puback:
        case mqtt::PacketType::Pubrec:
        case mqtt::PacketType::Pubrel:
        case mqtt::PacketType::Pubcomp: return on_acknowledgement(now, id, header, packet);
        case mqtt::PacketType::Subscribe: return on_subscribe(now, id, header, packet);
        case mqtt::PacketType::Unsubscribe: return on_unsubscribe(now, id, header, packet);
        case mqtt::PacketType::Pingreq:
            ++tally_.pings;
            scratch_.clear();
            mqtt::write_pingresp(scratch_);
            static_cast<void>(say(now, id));
            return;
        case mqtt::PacketType::Disconnect: return on_disconnect(now, id);
        case mqtt::PacketType::Connect:
        case mqtt::PacketType::Connack:
        case mqtt::PacketType::Suback:
        case mqtt::PacketType::Unsuback:
        case mqtt::PacketType::Pingresp:
        case mqtt::PacketType::Auth: break;
    }
    give_up(now, id, "packet type " + std::to_string(static_cast<unsigned>(header.type)) + " out of place");
}

// The client closes next; a broker need not wait for that.
void Broker::on_disconnect(Instant now, Id id) {
    ++tally_.disconnects;
    no_longer_connected(id);
    timers_.cancel(id);
    cells_[id].phase = Phase::Closing;
    transport_->close(now, id);
}

// A message larger than what may wait here: its beginning is answered, its payload passed over as it comes.
// The bytes taken; 0 when more is needed.
std::size_t Broker::skip_large(Instant now, Id id, const mqtt::PacketHeader& header, ByteView bytes) {
    if (header.type != mqtt::PacketType::Publish || options_.route) {
        if (version(id) == mqtt::Version::V5) {
            scratch_.clear();
            mqtt::write_server_disconnect(kPacketTooLarge, scratch_);
            static_cast<void>(say(now, id));
        }
        give_up(now, id, "a packet of " + std::to_string(header.size + header.remaining) + " bytes");
        return bytes.size();
    }
    if (bytes.size() < std::min(kPublishBeginning, transport_->receive_limit())) return 0;
    const auto publish = mqtt::read_publish(header, bytes, version(id));
    if (!publish) {
        give_up(now, id, "no proper PUBLISH");
        return bytes.size();
    }
    ++tally_.published[publish->qos];
    tally_.published_bytes += publish->payload.size();
    cells_[id].skip = static_cast<std::uint32_t>(header.size + header.remaining - bytes.size());
    acknowledge(now, id, publish->qos, publish->packet_id);
    return bytes.size();
}

void Broker::on_publish(Instant now, Id id, const mqtt::PacketHeader& header, ByteView packet) {
    const auto publish = mqtt::read_publish(header, packet, version(id));
    if (!publish) return give_up(now, id, "no proper PUBLISH");
    ++tally_.published[publish->qos];
    tally_.published_bytes += publish->payload.size();
    acknowledge(now, id, publish->qos, publish->packet_id);
    if (options_.route) route(now, *publish);
}

void Broker::acknowledge(Instant now, Id id, std::uint8_t qos, std::uint16_t packet_id) {
    if (qos == 0) return;
    scratch_.clear();
    mqtt::write_acknowledgement(qos == 1 ? mqtt::PacketType::Puback : mqtt::PacketType::Pubrec, packet_id,
                                scratch_);
    static_cast<void>(say(now, id));
}

void Broker::route(Instant now, const mqtt::Publish& publish) {
    for (const Router::Target& target : router_.targets(publish.topic)) {
        Cell& cell = cells_[target.connection];
        if (cell.phase != Phase::Connected) continue;
        mqtt::Publish copy = publish;
        copy.qos = std::min(publish.qos, target.qos);
        copy.duplicate = false;
        copy.retain = false;  // section 3.3.1.3: not to whom was subscribed before
        if (copy.qos != 0) {
            cell.packet_id = static_cast<std::uint16_t>(cell.packet_id == 0xffff ? 1 : cell.packet_id + 1);
            copy.packet_id = cell.packet_id;
        }
        scratch_.clear();
        mqtt::write_publish(copy, version(target.connection), scratch_);
        ++(say(now, target.connection) ? tally_.delivered : tally_.undelivered);
    }
}

void Broker::on_acknowledgement(Instant now, Id id, const mqtt::PacketHeader& header, ByteView packet) {
    const auto read = mqtt::read_acknowledgement(header, packet, version(id));
    if (!read) return give_up(now, id, "no proper acknowledgement");
    scratch_.clear();
    switch (header.type) {
        case mqtt::PacketType::Pubrel:
            ++tally_.completed;
            mqtt::write_acknowledgement(mqtt::PacketType::Pubcomp, read->packet_id, scratch_);
            break;
        case mqtt::PacketType::Pubrec:
            mqtt::write_acknowledgement(mqtt::PacketType::Pubrel, read->packet_id, scratch_);
            break;
        default: ++tally_.acknowledged; return;  // PUBACK, PUBCOMP
    }
    static_cast<void>(say(now, id));
}

void Broker::on_subscribe(Instant now, Id id, const mqtt::PacketHeader& header, ByteView packet) {
    auto read = mqtt::read_subscribe(header, packet, version(id));
    if (!read) return give_up(now, id, "no proper SUBSCRIBE");
    ++tally_.subscribes;
    std::vector<std::uint8_t> codes;
    while (const auto filter = read->filters.next()) {
        codes.push_back(filter->qos);
        if (options_.route) router_.subscribe(id, filter->text, filter->qos);
    }
    scratch_.clear();
    mqtt::write_suback(read->packet_id, codes, version(id), scratch_);
    static_cast<void>(say(now, id));
}

void Broker::on_unsubscribe(Instant now, Id id, const mqtt::PacketHeader& header, ByteView packet) {
    auto read = mqtt::read_unsubscribe(header, packet, version(id));
    if (!read) return give_up(now, id, "no proper UNSUBSCRIBE");
    ++tally_.unsubscribes;
    std::size_t filters = 0;
    while (const auto filter = read->filters.next()) {
        ++filters;
        if (options_.route) router_.unsubscribe(id, filter->text);
    }
    scratch_.clear();
    mqtt::write_unsuback(read->packet_id, filters, version(id), scratch_);
    static_cast<void>(say(now, id));
}

}  // namespace sluice::load
