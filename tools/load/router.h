// Who wants to hear what: topic filters of connections (MQTT 5 section 4.7). Filters without wildcards are
// found by hash, the others are tried one after the other, so a few of them are cheap and many are not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "transport.h"

namespace sluice::load {

// Whether the filter, which may hold + and #, takes the topic.
bool matches(std::string_view filter, std::string_view topic);

class Router {
  public:
    struct Target {
        Id connection = 0;
        std::uint8_t qos = 0;  // at most
    };

    // A second subscription to the same filter changes its QoS.
    void subscribe(Id connection, std::string_view filter, std::uint8_t qos);
    void unsubscribe(Id connection, std::string_view filter);
    void forget(Id connection);
    // Each connection once, with the highest QoS of its filters that take the topic. Valid until the next
    // call.
    const std::vector<Target>& targets(std::string_view topic);
    std::size_t size() const { return subscriptions_; }

  private:
    struct Subscription {
        Id connection = 0;
        std::uint8_t qos = 0;
    };
    using Subscriptions = std::vector<Subscription>;

    absl::flat_hash_map<std::string, Subscriptions>& kind(std::string_view filter);
    void take(const Subscriptions& subscriptions);

    absl::flat_hash_map<std::string, Subscriptions> exact_;
    absl::flat_hash_map<std::string, Subscriptions> wild_;
    absl::flat_hash_map<Id, std::vector<std::string>> filters_;  // of each connection
    std::size_t subscriptions_ = 0;
    std::vector<Target> found_;
};

}  // namespace sluice::load
