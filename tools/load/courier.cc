#include "courier.h"

#include <utility>

#include "sluice/mqtt/publish.h"

namespace sluice::load {

void Courier::limit(Id id, std::uint16_t receive_maximum, std::uint32_t maximum_packet_size) {
    std::unique_ptr<Subscriber>& subscriber = subscribers_[id];
    if (subscriber == nullptr) subscriber = std::make_unique<Subscriber>();
    subscriber->receive_maximum = receive_maximum;
    subscriber->maximum_packet_size = maximum_packet_size;
}

void Courier::deliver(Instant now, Id id, mqtt::Version version, std::uint8_t qos,
                      const std::shared_ptr<const Message>& message) {
    if (qos != 0) {
        std::unique_ptr<Subscriber>& subscriber = subscribers_[id];
        if (subscriber == nullptr) subscriber = std::make_unique<Subscriber>();
        if (subscriber->under_way.size() >= subscriber->receive_maximum || !subscriber->waiting.empty()) {
            if (subscriber->waiting.size() >= queue_limit_) {
                ++statistics_.dropped;
            } else {
                subscriber->waiting.push_back({message, qos});
            }
            return;
        }
    }
    send(now, id, version, qos, *message);
}

void Courier::send(Instant now, Id id, mqtt::Version version, std::uint8_t qos, const Message& message) {
    mqtt::Publish publish{.topic = message.topic, .payload = message.payload, .qos = qos};
    const auto at = subscribers_.find(id);
    Subscriber* const subscriber = at == subscribers_.end() ? nullptr : at->second.get();
    if (subscriber != nullptr) {
        const std::size_t most = subscriber->maximum_packet_size;
        if (most != 0 && mqtt::publish_size(publish, version) > most) {
            ++statistics_.dropped;  // [MQTT-3.1.2-25]
            return;
        }
    }
    if (qos != 0) {
        // One is free: no more are under way than receive_maximum, and 0 is none.
        do {
            ++subscriber->last_id;
        } while (subscriber->last_id == 0 || subscriber->under_way.contains(subscriber->last_id));
        publish.packet_id = subscriber->last_id;
        subscriber->under_way.emplace(publish.packet_id, qos == 1 ? Stage::AwaitPuback : Stage::AwaitPubrec);
    }
    std::vector<std::byte> bytes = std::exchange(scratch_, {});
    bytes.clear();
    mqtt::append_publish(bytes, publish, version);
    // From here on the subscriber may be gone.
    if (transport_->send(now, id, bytes)) {
        ++statistics_.delivered;
    } else {
        ++statistics_.dropped;
        if (const auto again = subscribers_.find(id); qos != 0 && again != subscribers_.end()) {
            again->second->under_way.erase(publish.packet_id);
        }
    }
    scratch_ = std::move(bytes);
}

void Courier::on_ack(Instant now, Id id, mqtt::Version version, mqtt::PacketType type, mqtt::Ack ack,
                     std::vector<std::byte>& out) {
    const Stage stage = type == mqtt::PacketType::Puback   ? Stage::AwaitPuback
                        : type == mqtt::PacketType::Pubrec ? Stage::AwaitPubrec
                                                           : Stage::AwaitPubcomp;
    const auto subscriber = subscribers_.find(id);
    const bool known = subscriber != subscribers_.end() &&
                       subscriber->second->under_way.contains(ack.packet_id) &&
                       subscriber->second->under_way[ack.packet_id] == stage;
    if (!known) {
        ++statistics_.unknown_acks;
        const std::uint8_t reason = version == mqtt::Version::V5 ? 0x92 : 0;
        if (type == mqtt::PacketType::Pubrec) {
            mqtt::append_ack(out, mqtt::PacketType::Pubrel, {ack.packet_id, reason}, version);
        }
        return;
    }
    if (type == mqtt::PacketType::Pubrec && !ack.failed()) {
        subscriber->second->under_way[ack.packet_id] = Stage::AwaitPubcomp;
        mqtt::append_ack(out, mqtt::PacketType::Pubrel, {ack.packet_id}, version);
        return;
    }
    subscriber->second->under_way.erase(ack.packet_id);
    ++statistics_.acknowledged;
    send_waiting(now, id, version);
}

void Courier::send_waiting(Instant now, Id id, mqtt::Version version) {
    for (;;) {
        const auto at = subscribers_.find(id);
        if (at == subscribers_.end()) return;
        Subscriber& subscriber = *at->second;
        if (subscriber.waiting.empty() || subscriber.under_way.size() >= subscriber.receive_maximum) return;
        const Waiting next = std::move(subscriber.waiting.front());
        subscriber.waiting.pop_front();
        send(now, id, version, next.qos, *next.message);
    }
}

void Courier::remove(Id id) {
    const auto at = subscribers_.find(id);
    if (at == subscribers_.end()) return;
    statistics_.undelivered += at->second->waiting.size();
    statistics_.unacknowledged += at->second->under_way.size();
    subscribers_.erase(at);
}

}  // namespace sluice::load
