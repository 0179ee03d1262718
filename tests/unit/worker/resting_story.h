// Stories of connections that stay relayed: until they are quiet, and from the moment on in which they rest.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <regex>
#include <string>
#include <vector>

#include "worker/splice/story.h"

namespace sluice::test::resting_test {
using session::Phase;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Why its two legs can never be one.
enum class Difference : std::uint8_t { Families, TimestampsV4, TimestampsV6, SackV4 };
inline constexpr std::array kDifferences{Difference::Families, Difference::TimestampsV4,
                                         Difference::TimestampsV6, Difference::SackV4};

inline Plot with(Difference difference, unsigned workers = 1) {
    Plot plot;
    plot.setup.workers = workers;
    switch (difference) {
        case Difference::Families: plot.setup.ipv6_clients = true; break;
        case Difference::TimestampsV4: plot.broker.timestamps = false; break;
        case Difference::TimestampsV6:
            plot.setup.ipv6 = true;
            plot.broker.timestamps = false;
            break;
        case Difference::SackV4: plot.broker.sack = false; break;
    }
    return plot;
}

// From a quiet moment on, in which its endpoints are still there.
class Relayed : public Story {
  public:
    explicit Relayed(const Plot& plot) : Story(plot) {
        client(". 0:0");
        lab.run(milliseconds(500));
        EXPECT_EQ(phase(), Phase::Relayed);
        forget();
    }
    void forget() {
        tap.tcp.clear();
        expect({});
    }
    worker::ListedConnection row() const {
        const auto rows = lab.rows();
        EXPECT_EQ(rows.size(), 1U);
        return rows.at(0);
    }
    // Each end was sent one segment, its reset, and nothing is left.
    void expect_both_reset(Counter reason) {
        EXPECT_EQ(tap.tcp_on(0), 1U);
        EXPECT_EQ(tap.tcp_on(1), 1U);
        tap.tcp.clear();
        expect_gone(reason);
    }
    // What has left since the last look. How old a timestamp is depends on how long one has waited.
    std::vector<std::string> heard() {
        static const std::regex clock(" ts -?[0-9]+/");
        std::vector<std::string> lines;
        for (const SeenSegment& s : tap.tcp) lines.push_back(std::regex_replace(text(s), clock, " ts "));
        tap.tcp.clear();
        return lines;
    }
};

// And from the moment on in which they are not.
class Resting : public Relayed {
  public:
    explicit Resting(const Plot& plot) : Relayed(plot) {
        lab.run(seconds(1));
        EXPECT_EQ(phase(), Phase::Resting);
        EXPECT_EQ(lab.usage().resting, 1U);
        EXPECT_EQ(lab.usage().connections, 1U);
        expect({});
    }
};

}  // namespace sluice::test::resting_test
