// A worker's letters to control: the event mailbox and the count of what did not fit into it.
#pragma once

#include "sluice/base/counters.h"
#include "sluice/base/mailbox.h"
#include "sluice/worker/messages.h"

namespace sluice::worker {

class Mail {
  public:
    static constexpr std::size_t kCapacity = 4096;

    explicit Mail(CounterSet& counters) : events_(kCapacity), counters_(counters) {}

    // False when control is too far behind; counted. Only what may be lost is posted without looking at the
    // answer.
    bool post(const Event& event) {
        if (events_.send(event)) return true;
        counters_.add(Counter::EventsLost);
        return false;
    }
    std::size_t receive(std::span<Event> out) { return events_.receive(out); }

  private:
    Mailbox<Event> events_;
    CounterSet& counters_;
};

}  // namespace sluice::worker
