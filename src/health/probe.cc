#include "sluice/health/probe.h"

#include <algorithm>
#include <cassert>

#include "sluice/health/http_probe.h"
#include "sluice/health/mqtt_probe.h"
#include "sluice/health/tcp_probe.h"
#include "sluice/wire/tcp_options.h"

namespace sluice::health {
namespace {

// Default when a SYN-ACK carries no MSS: the smaller of RFC 9293 section 3.7.1, which is safe for both
// families.
constexpr std::uint16_t kDefaultMss = 536;

}  // namespace

void Probe::learn_offer(const tcp::Segment& syn_ack) {
    offer_.mss = syn_ack.options.mss.value_or(kDefaultMss);
    offer_.window = syn_ack.window;
    offer_.sack = syn_ack.options.sack_permitted;
    offer_.timestamps = syn_ack.options.timestamps.has_value();
    offer_.window_scale = syn_ack.options.window_scale;
    if (offer_.window_scale) *offer_.window_scale = std::min(*offer_.window_scale, wire::kMaxWindowScale);
}

void Probe::conclude(const backend::Outcome& outcome, Duration latency) {
    assert(status_ == Status::Pending);
    outcome_ = outcome;
    latency_ = latency;
    status_ = outcome.failure == backend::ProbeFailure::None ? Status::Succeeded : Status::Failed;
}

std::unique_ptr<Probe> make_probe(const config::Health& health, const Probe::Options& options,
                                  const SocketAddress& peer, const std::string& client_id) {
    switch (health.type) {
        case config::HealthType::None:
        case config::HealthType::Tcp: break;
        case config::HealthType::Mqtt: return std::make_unique<MqttProbe>(options, health, client_id);
        case config::HealthType::Http: return std::make_unique<HttpProbe>(options, health, peer);
    }
    return std::make_unique<TcpProbe>(options);
}

}  // namespace sluice::health
