// Control frees a picture on the workers' word, so the word is given once for each, and never too early.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "worker/lab.h"

namespace sluice::test {
namespace {

std::map<std::uint64_t, unsigned> retired(const Lab& lab) {
    std::map<std::uint64_t, unsigned> times;
    for (const worker::Event& e : lab.events) {
        if (e.kind == worker::Event::Kind::SnapshotRetired) ++times[e.generation];
    }
    return times;
}

TEST(Snapshot, EveryWorkerRetiresEachOldOneOnce) {
    Lab lab({.workers = 3, .pool = "on_down = \"keep\""});
    lab.connect("device-1");
    for (unsigned n = 0; n < 10; ++n) lab.set_down({n % 3});
    const auto times = retired(lab);
    EXPECT_EQ(times.size(), 10U);
    for (const auto& [generation, workers] : times) EXPECT_EQ(workers, 3U) << generation;
    EXPECT_EQ(times.begin()->first, 1U);
    EXPECT_EQ(times.rbegin()->first, 10U);
    EXPECT_EQ(lab.rows().size(), 1U);  // the connection outlives the pictures
}

TEST(Snapshot, AFullMailboxDelaysTheWordButLosesAndRepeatsNone) {
    constexpr unsigned kPictures = 5000;  // more than a mailbox holds
    Lab lab({.workers = 2});
    lab.take_mail = false;
    for (unsigned n = 0; n < kPictures; ++n) lab.set_down({n % 3});
    EXPECT_EQ(retired(lab).size(), 0U);
    lab.take_mail = true;
    lab.run();
    const auto times = retired(lab);
    EXPECT_EQ(times.size(), kPictures);
    EXPECT_TRUE(std::ranges::all_of(times, [](const auto& t) { return t.second == 2; }));
    EXPECT_EQ(lab.count(Counter::EventsLost), 0U);  // late is not lost
    EXPECT_EQ(lab.connect("device-1").received, kConnackAccepted);
}

}  // namespace
}  // namespace sluice::test
