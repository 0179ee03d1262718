// Who has subscribed to what: filters without wildcards in a hash map, those with them in a tree of levels
// (section 4.7 of MQTT 5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "transport.h"

namespace sluice::load {

struct Grant {
    std::uint8_t qos = 0;   // the highest that is delivered
    bool no_local = false;  // not what the subscriber publishes itself
};

struct Receiver {
    Id id = 0;
    std::uint8_t qos = 0;
};

class Router {
  public:
    // Takes the place of an earlier one of the same filter. filter: mqtt::is_topic_filter().
    void subscribe(Id id, std::string_view filter, Grant grant);
    bool unsubscribe(Id id, std::string_view filter);  // false: there was none
    void remove(Id id);                                // all of its filters
    // Whom a message on `topic` goes to, each once and with the highest QoS of its filters that match, by
    // rising id. `publisher` is left out where it asked to be. Valid until the next call.
    const std::vector<Receiver>& match(std::string_view topic, Id publisher);

    std::size_t subscriptions() const { return subscriptions_; }

  private:
    // Found by a string_view, without a string made of it.
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    template <typename T>
    using ByText = absl::flat_hash_map<std::string, T, TextHash, std::equal_to<>>;
    using Grants = absl::flat_hash_map<Id, Grant>;
    struct Node {
        ByText<std::unique_ptr<Node>> below;
        Grants here;
        Grants beyond;  // of '#' as the level below

        bool empty() const { return below.empty() && here.empty() && beyond.empty(); }
    };

    bool erase(Id id, std::string_view filter);
    bool erase_below(Node& node, std::string_view rest, Id id);
    void walk(const Node& node, std::string_view rest, bool first, Id publisher);
    void add(const Grants& grants, Id publisher);

    ByText<Grants> exact_;
    Node wild_;  // above the first level
    absl::flat_hash_map<Id, std::vector<std::string>> filters_;
    std::vector<Receiver> receivers_;
    std::size_t subscriptions_ = 0;
};

}  // namespace sluice::load
