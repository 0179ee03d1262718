// An MQTT probe: CONNECT, CONNACK, PINGREQ, PINGRESP, DISCONNECT. So the broker must not only listen, but let
// a client in and answer it. To the broker it is a client that comes and goes in order.
#pragma once

#include <cstddef>
#include <string>

#include "sluice/health/stream_probe.h"
#include "sluice/mqtt/connect.h"

namespace sluice::health {

class MqttProbe final : public StreamProbe {
  public:
    // health: username, password, version and timeout are used. client_id: see make_probe().
    MqttProbe(const Options& options, const config::Health& health, const std::string& client_id);

  private:
    enum class Await : std::uint8_t { Connack, Pingresp, Nothing };

    Step on_bytes(ByteView bytes) override;
    bool closes_first() const override { return true; }
    Step on_connack(ByteView bytes);
    Step on_pingresp(ByteView bytes);

    mqtt::Version version_;
    Await await_ = Await::Connack;
    std::size_t skip_ = 0;  // bytes of a packet that is not waited for
};

}  // namespace sluice::health
