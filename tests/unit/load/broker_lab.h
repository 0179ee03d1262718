// A broker, its network, and time, as the tests of the broker want them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "broker.h"
#include "fake_transport.h"
#include "mqtt_text.h"

namespace sluice::load::test {

constexpr mqtt::Version kV31 = mqtt::Version::V31;
constexpr mqtt::Version kV311 = mqtt::Version::V311;
constexpr mqtt::Version kV5 = mqtt::Version::V5;

class BrokerLab {
  public:
    explicit BrokerLab(const BrokerOptions& options = {}, Id capacity = 64, std::size_t receive_limit = 4096)
        : network(capacity, receive_limit), broker(options, capacity, now) {
        network.set_events(broker);
        broker.use(network);
    }

    Id arrive(std::string_view bytes, const SocketAddress& local = FakeTransport::kServer) {
        const Id id = network.accept(now, local);
        say(id, bytes);
        return id;
    }
    // A client whose CONNACK has been seen.
    Id client(std::string_view client_id, mqtt::Version version = kV311, std::uint16_t keep_alive = 0,
              const SocketAddress& local = FakeTransport::kServer) {
        const Id id =
            arrive(connect({.version = version, .client_id = client_id, .keep_alive = keep_alive}), local);
        EXPECT_EQ(network.take_sent(id).substr(0, 1), raw({0x20})) << client_id;
        return id;
    }
    void say(Id id, std::string_view bytes) { network.arrive(now, id, bytes); }
    std::string heard(Id id) { return network.take_sent(id); }
    std::string ask(Id id, std::string_view bytes) {
        say(id, bytes);
        return heard(id);
    }
    // Time passes in steps of 10 ms, as a loop would see it.
    void pass(Duration time) {
        for (const Instant until = now + time; now < until;) {
            now = std::min(until, now + 10ms);
            broker.turn(now);
        }
    }
    const BrokerStatistics& counts() const { return broker.statistics(); }

    Instant now = Instant{} + 1h;
    FakeTransport network;
    BrokerSink broker;
};

// What the broker says of itself in v5.
inline mqtt::ConnackFields usual(bool routes = false) {
    return {.maximum_packet_size = routes ? 4096U : 0U,
            .retain = !routes,
            .subscription_ids = false,
            .shared_subscriptions = false};
}

}  // namespace sluice::load::test
