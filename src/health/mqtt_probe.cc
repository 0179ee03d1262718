#include "sluice/health/mqtt_probe.h"

#include <algorithm>
#include <chrono>

#include "sluice/mqtt/connack.h"
#include "sluice/mqtt/packet.h"
#include "sluice/mqtt/writer.h"

namespace sluice::health {
namespace {

using backend::Outcome;
using backend::ProbeFailure;

constexpr std::size_t kMaxConnackSize = 16 * 1024;

std::optional<std::string_view> given(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

std::vector<std::byte> connect_packet(const Probe::Options& options, const config::Health& health,
                                      const std::string& client_id) {
    // A probe lasts two timeouts at most. One that cannot even say goodbye is forgotten soon after.
    const auto keep_alive = std::chrono::ceil<std::chrono::seconds>(2 * options.timeout).count();
    return mqtt::write_connect({.version = health.version,
                                .client_id = client_id,
                                .keep_alive = static_cast<std::uint16_t>(keep_alive),
                                .username = given(health.username),
                                .password = given(health.password)});
}

template <std::size_t kSize>
std::vector<std::byte> packet(const std::array<std::byte, kSize>& bytes) {
    return {bytes.begin(), bytes.end()};
}

}  // namespace

MqttProbe::MqttProbe(const Options& options, const config::Health& health, const std::string& client_id)
    : StreamProbe(options, connect_packet(options, health, client_id)), version_(health.version) {}

StreamProbe::Step MqttProbe::on_bytes(ByteView bytes) {
    switch (await_) {
        case Await::Connack: return on_connack(bytes);
        case Await::Pingresp: return on_pingresp(bytes);
        case Await::Nothing: break;
    }
    return {.taken = bytes.size(), .reply = {}, .verdict = {}};
}

StreamProbe::Step MqttProbe::on_connack(ByteView bytes) {
    const mqtt::ConnackResult result = mqtt::read_connack(bytes, version_, kMaxConnackSize);
    if (std::holds_alternative<mqtt::NeedMore>(result)) return {};
    const auto* const connack = std::get_if<mqtt::Connack>(&result);
    await_ = Await::Nothing;
    // AUTH included: nothing was said of enhanced authentication.
    if (connack == nullptr) return {.taken = bytes.size(), .reply = {}, .verdict = ProbeFailure::Protocol};
    if (!connack->accepted()) {
        return {.taken = bytes.size(),
                .reply = {},
                .verdict = Outcome(ProbeFailure::Rejected, connack->reason_code)};
    }
    await_ = Await::Pingresp;
    return {.taken = connack->size, .reply = packet(mqtt::write_pingreq()), .verdict = {}};
}

// A broker may subscribe its clients by itself, so a PUBLISH is no nonsense.
StreamProbe::Step MqttProbe::on_pingresp(ByteView bytes) {
    if (skip_ != 0) {
        const std::size_t skipped = std::min(skip_, bytes.size());
        skip_ -= skipped;
        return {.taken = skipped, .reply = {}, .verdict = {}};
    }
    const auto result = mqtt::read_packet_header(bytes);
    if (std::holds_alternative<mqtt::NeedMore>(result)) return {};
    const auto* const header = std::get_if<mqtt::PacketHeader>(&result);
    if (header != nullptr && header->type == mqtt::PacketType::Publish) {
        skip_ = header->remaining;
        return {.taken = header->size, .reply = {}, .verdict = {}};
    }
    await_ = Await::Nothing;
    if (header == nullptr || header->type != mqtt::PacketType::Pingresp || header->flags != 0 ||
        header->remaining != 0) {
        const bool leaves = header != nullptr && header->type == mqtt::PacketType::Disconnect &&
                            version_ == mqtt::Version::V5;
        return {.taken = bytes.size(),
                .reply = {},
                .verdict = leaves ? ProbeFailure::Closed : ProbeFailure::Protocol};
    }
    return {.taken = bytes.size(), .reply = packet(mqtt::write_disconnect()), .verdict = ProbeFailure::None};
}

}  // namespace sluice::health
