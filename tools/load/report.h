// What came of a run: as JSON for machines, as lines for people, and held against what was expected.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "broker.h"
#include "conductor.h"
#include "swarm.h"
#include "transport.h"

namespace sluice::load {

using Json = nlohmann::ordered_json;

// elapsed: of the whole run. Times in the results are seconds, or microseconds where a name ends in _us.
Json report(const Plan& plan, const Swarm& swarm, const Conductor& conductor, const Transport::Totals& totals,
            Duration elapsed);
Json report(const BrokerSink& broker, const Transport::Totals& totals, Duration elapsed);

// One line of progress.
std::string progress(const Swarm& swarm, const Conductor& conductor, Duration elapsed);
std::string progress(const BrokerSink& broker, Duration elapsed);

// What a person wants to know at the end, several lines.
std::string summary(const Json& report);

// "PATH OPERATOR NUMBER": a path of names in the results with dots between, one of == != <= >= < >, a number.
struct Expectation {
    std::string path;
    std::string relation;
    double value = 0;
};
// nullopt: not of this form.
std::optional<Expectation> parse_expectation(const std::string& text);
// What is not as expected, a sentence each. A path that leads to no number is a fault as well.
std::vector<std::string> unmet(const Json& report, const std::vector<Expectation>& expectations);

}  // namespace sluice::load
