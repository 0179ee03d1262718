#include "load.h"

#include <algorithm>
#include <memory>

namespace sluice::load {
namespace {

class ClientLoad final : public Load {
  public:
    ClientLoad(const Options& options, Instant start)
        : plan_(options.plan), swarm_(options.swarm, start), conductor_(options.plan, swarm_, start) {}

    Events& events() override { return swarm_; }
    void use(Transport& transport) override { swarm_.use(transport); }
    bool turn(Instant now) override {
        const bool due = swarm_.turn(now);
        return conductor_.turn(now) || due;
    }
    Instant next_deadline(Instant now) const override {
        return std::min(conductor_.next_deadline(now), swarm_.next_deadline());
    }
    bool over(Instant) const override { return conductor_.over(); }
    void stop(Instant now) override { conductor_.stop(now); }
    std::string progress(Duration elapsed) const override {
        return load::progress(swarm_, conductor_, elapsed);
    }
    Json report(const Transport::Totals& totals, Duration elapsed) const override {
        return load::report(plan_, swarm_, conductor_, totals, elapsed);
    }

  private:
    const Plan plan_;
    Swarm swarm_;
    Conductor conductor_;
};

class BrokerLoad final : public Load {
  public:
    BrokerLoad(const Options& options, Instant start)
        : broker_(options.sink, options.capacity, start),
          end_(options.duration == Duration::zero() ? kNever : start + options.duration) {}

    Events& events() override { return broker_; }
    void use(Transport& transport) override { broker_.use(transport); }
    bool turn(Instant now) override { return broker_.turn(now); }
    Instant next_deadline(Instant) const override { return std::min(end_, broker_.next_deadline()); }
    bool over(Instant now) const override { return now >= end_; }
    void stop(Instant now) override { end_ = now; }
    std::string progress(Duration elapsed) const override { return load::progress(broker_, elapsed); }
    Json report(const Transport::Totals& totals, Duration elapsed) const override {
        return load::report(broker_, totals, elapsed);
    }

  private:
    BrokerSink broker_;
    Instant end_;
};

}  // namespace

std::unique_ptr<Load> make_load(const Options& options, Instant start) {
    if (options.broker) return std::make_unique<BrokerLoad>(options, start);
    return std::make_unique<ClientLoad>(options, start);
}

void drive(Load& load, Transport& transport, const DriveHooks& world) {
    const Instant start = world.clock();
    Instant next_line = start + 1s;
    unsigned stops = 0;
    for (Instant now = start; !load.over(now); now = world.clock()) {
        const unsigned asked = world.stops();
        if (asked > 1) return;
        if (asked > stops) load.stop(now);
        stops = asked;
        const bool received = transport.turn(now);
        const bool due = load.turn(now);
        if (now >= next_line) {
            if (world.tell) world.tell(load.progress(now - start));
            next_line = now + 1s;
        }
        if (received || due) continue;
        const Instant until = std::min({next_line, load.next_deadline(now), now + 100ms});
        if (until > now) transport.rest(now, until - now);
    }
}

}  // namespace sluice::load
