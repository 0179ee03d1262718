// The two worlds in which a script is played: its ends joined by wires alone, and with Sluice in between.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "worker/lab.h"
#include "worker/model/end.h"

namespace sluice::test {

struct Outcome {
    std::deque<std::unique_ptr<End>> clients;  // the second one is the rebooted one
    std::deque<std::unique_ptr<End>> brokers;  // in the order of their SYNs
    bool came_to_rest = false;
    Duration took{0};
    std::map<std::string_view, std::uint64_t> counted;  // Sluice's counters that moved
    bool counts(std::string_view name) const { return counted.contains(name); }
};

class World {
  public:
    World(const Script& script, const SocketAddress& client, const SocketAddress& server, Instant now);
    virtual ~World() = default;
    Outcome play();

  protected:
    // --- of the world between the ends ---
    virtual void from_client(const FourTuple& tuple, const tcp::Segment& segment) = 0;
    virtual void from_broker(const FourTuple& tuple, const tcp::Segment& segment) = 0;
    virtual void pass_on(Instant now) = 0;  // everything that is due
    virtual Instant next_due() const = 0;
    virtual bool is_empty() const = 0;

    void to_client(const Parcel& parcel);
    void to_broker(const Parcel& parcel);

    const Script script_;
    Instant now_;
    Outcome outcome_;

  private:
    void begin_client(const Script& script);
    void act();
    Instant next() const;
    bool all_over() const;
    End* broker_at(const SocketAddress& from);

    const FourTuple client_tuple_;
    std::uint32_t first_ = 0;
    bool host_is_silent_ = false;  // the broker's
};

Outcome play_direct(const Script& script);
// On the lab's clock; the client comes from `client`, the lab's first broker is the script's.
Outcome play_through(Lab& lab, const Script& script, const SocketAddress& client);

}  // namespace sluice::test
