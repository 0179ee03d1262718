#include "broker_statistics.h"

#include <numeric>

namespace sluice::load {

std::uint64_t BrokerStatistics::protocol_errors() const {
    const auto sum = [](const auto& counts) {
        return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    };
    return sum(connect_errors) + sum(packet_errors) + sum(faults);
}

const char* to_string(BrokerStatistics::Fault fault) {
    switch (fault) {
        case BrokerStatistics::Fault::BadHeader: return "bad fixed header";
        case BrokerStatistics::Fault::Unexpected: return "unexpected packet";
        case BrokerStatistics::Fault::TooLarge: return "packet too large";
        case BrokerStatistics::Fault::Unsupported: return "subscription identifier";
    }
    return "?";
}

}  // namespace sluice::load
