// The two roles behind one face, and the loop that drives either.
#pragma once

#include <functional>
#include <string>

#include "options.h"
#include "report.h"
#include "transport.h"

namespace sluice::load {

class Load {
  public:
    virtual ~Load() = default;
    virtual Events& events() = 0;
    // Before anything else; it must outlive this.
    virtual void use(Transport& transport) = 0;
    virtual bool turn(Instant now) = 0;
    virtual Instant next_deadline(Instant now) const = 0;
    virtual bool over(Instant now) const = 0;
    // Comes to an end soon, in order.
    virtual void stop(Instant now) = 0;
    virtual std::string progress(Duration elapsed) const = 0;
    virtual Json report(const Transport::Totals& totals, Duration elapsed) const = 0;
};

std::unique_ptr<Load> make_load(const Options& options, Instant start);

// What the loop needs of the world.
struct DriveHooks {
    std::function<Instant()> clock;
    std::function<unsigned()>
        stops;  // how often the user has asked for an end: the second time means at once
    std::function<void(const std::string&)> tell;  // a line of progress each second; may be empty
};
// Until the load is over.
void drive(Load& load, Transport& transport, const DriveHooks& world);

}  // namespace sluice::load
