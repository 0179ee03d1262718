// What a swarm does from beginning to end: clients arrive, stay, publish, come and go, are cut off and
// return, and leave. A scenario is a plan with some of these set; all of them go through the same phases.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "pace.h"
#include "swarm.h"

namespace sluice::load {

struct Plan {
    std::string name;
    double arrivals = 0;          // clients a second; 0: flat out
    std::uint32_t window = 1000;  // most clients that connect or leave at the same time
    Duration hold{0};             // how long all stay once all are in; with `messages`, at most so long
    bool publish = false;
    double message_rate = 0;      // of the whole swarm, a second; 0: each the next as soon as one is answered
    std::uint32_t messages = 0;   // each publishes so many; 0: until `hold` is over
    std::uint32_t in_flight = 0;  // most messages under way at a time; 0: as many as there are clients
    bool publish_at_once = false;  // clients publish while others still arrive
    bool churn = false;            // while they stay, clients leave and come again
    double churn_rate = 0;         // so many a second; 0: flat out, `window` at a time
    std::uint32_t rounds = 0;      // then all are cut off at once and come back, so many times
    double share_again = 0;        // at the end this share of the clients leaves in order and comes again
    Duration patience = 10s;       // at the end, for answers that have not come
};

// A time in which not all clients had a connection that should have one.
struct Outage {
    Duration after{0};  // since the beginning
    Duration length{0};
    std::uint32_t fewest = 0;   // connected
    std::uint32_t fastest = 0;  // most CONNACKs in a second
    bool over = false;
};

class Conductor final : public SwarmWatcher {
  public:
    Conductor(const Plan& plan, Swarm& swarm, Instant start);

    // Does what is due. True when there was anything.
    bool turn(Instant now);
    // When it has something to do next, if nothing happens before.
    Instant next_deadline(Instant now) const;
    bool over() const { return phase_ == Phase::Over; }
    // Whoever is there leaves, and that is the end.
    void stop(Instant now);

    enum class Phase : std::uint8_t { Arrive, Hold, Settle, CutOff, Return, Again, Leave, Over };
    Phase phase() const { return phase_; }
    static const char* to_string(Phase phase);

    // What was measured beside the swarm's own tally.
    struct Findings {
        Duration arriving{0};            // from the first SYN until everybody was in, or had failed
        Duration publishing{0};          // while messages were published
        std::uint64_t acknowledged = 0;  // messages, meanwhile
        Duration churning{0};
        std::uint64_t churned = 0;           // clients that came again meanwhile
        std::uint32_t fastest_arrivals = 0;  // most CONNACKs in a second, over the whole run
        std::vector<Outage> rounds;          // of Plan::rounds, in order
        std::vector<Outage> outages;         // that nobody here wanted
    };
    const Findings& findings() const { return findings_; }

    // --- SwarmWatcher ---
    void on_ready(Instant now, Id client) override;
    void on_answered(Instant now, Id client) override;
    void on_gone(Instant now, Id client) override;

  private:
    void enter(Instant now, Phase phase);
    bool arrive(Instant now);
    bool hold(Instant now);
    bool publish(Instant now);
    bool churn(Instant now);
    bool bring_again(Instant now);
    bool settle(Instant now);
    bool cut_off(Instant now);
    bool come_back(Instant now);
    bool again(Instant now);
    bool leave(Instant now);
    void after_hold(Instant now);
    bool wants_to_publish(Id client) const;
    bool messages_done() const;
    bool publishes() const;
    Id next_leaver();
    void count_arrival(Instant now);
    void watch_for_outages(Instant now);
    void begin_outage(Instant now, std::vector<Outage>& list);
    void follow_outage(Instant now, bool over);
    bool try_connect(Instant now, Id client);

    const Plan plan_;
    Swarm& swarm_;
    const Instant start_;
    Phase phase_ = Phase::Arrive;
    Instant entered_;
    Pace arrivals_;
    Pace messages_;
    Pace churn_;
    Id next_client_ = 0;             // of those that arrive, are cut off or leave
    Id publisher_ = 0;               // whose turn it is to publish
    Id leaver_ = 0;                  // whose turn it is to leave
    std::vector<Id> again_;          // gone, and to come again
    std::uint32_t going_again_ = 0;  // have been told to leave, to come again
    std::uint64_t finished_publishers_ = 0;
    std::uint64_t last_received_ = 0;  // while settling
    Instant last_received_at_{};
    Instant refused_until_{};  // no socket was left: until then nobody tries
    std::uint32_t round_ = 0;
    // The second that is being counted.
    Instant second_{};
    std::uint32_t in_second_ = 0;
    Instant publishing_since_ = kNever;
    std::vector<Outage>* outage_in_ = nullptr;  // its last one goes on
    Findings findings_;
};

}  // namespace sluice::load
