// A worker's letters to control: events, and endings of connections, each with the count of what did not fit
// into its mailbox.
#pragma once

#include "sluice/base/counters.h"
#include "sluice/base/mailbox.h"
#include "sluice/worker/messages.h"

namespace sluice::worker {

class EventQueue {
  public:
    static constexpr std::size_t kCapacity = 4096;

    explicit EventQueue(CounterSet& counters)
        : events_(kCapacity), endings_(kCapacity), counters_(counters) {}

    // False when control is too far behind: the event is lost, and counted.
    bool post(const Event& event) {
        if (try_post(event)) return true;
        counters_.add(Counter::EventsLost);
        return false;
    }
    // False when control is too far behind: the caller keeps the event and tries again.
    [[nodiscard]] bool try_post(const Event& event) { return events_.send(event); }
    std::size_t receive(std::span<Event> out) { return events_.receive(out); }

    // For the connection log.
    void post(const EndedConnection& ending) {
        if (!endings_.send(ending)) counters_.add(Counter::ConnectionLogLost);
    }
    std::size_t receive(std::span<EndedConnection> out) { return endings_.receive(out); }

  private:
    Mailbox<Event> events_;
    Mailbox<EndedConnection> endings_;
    CounterSet& counters_;
};

}  // namespace sluice::worker
