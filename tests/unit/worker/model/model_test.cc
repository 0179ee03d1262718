// A client and a broker that do anything at all, joined by wires that lose, repeat, delay and reorder: what
// they see of each other through Sluice is what they see when joined directly, but for the differences that
// judge.cc lists and argues. Afterwards nothing of them is left.
//
// SLUICE_MODEL_SEEDS says how many such pairs are tried, SLUICE_MODEL_SEED with which one that begins; with
// SLUICE_MODEL_PACKETS=1 all that passes Sluice is shown.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include "worker/model/amount.h"
#include "worker/model/judge.h"

namespace sluice::test {
namespace {

constexpr std::uint64_t kSeedsPerLab = 20;
constexpr std::uint64_t kMostFailures = 20;

std::string text(const char* name, const Outcome& outcome) {
    std::ostringstream t;
    t << name << ", " << outcome.took.count() / 1'000'000 << " ms\n";
    for (const auto& end : outcome.clients) t << "  " << end->text() << '\n';
    for (const auto& end : outcome.brokers) t << "  " << end->text() << '\n';
    for (const auto& [counter, times] : outcome.counted) t << "  " << counter << ' ' << times;
    return t.str();
}

std::unique_ptr<Lab> make_lab(std::uint64_t seed) {
    const std::uint64_t kind = seed / kSeedsPerLab;
    return std::make_unique<Lab>(test::Setup{.workers = kind % 4 == 3 ? 3U : 1U,
                                             .brokers = 1,
                                             .listener = "idle_timeout = \"90s\"\n",
                                             .ipv6 = kind % 2 == 1,
                                             .ipv6_clients = kind % 7 == 6,  // the broker's family may differ
                                             .max_connections = 64});
}

// Between two pairs: nothing is left but what quarantine keeps. Frames are counted when the lab ends.
bool is_empty(const Lab& lab) {
    if (lab.count(Counter::LeasesAcquired) != lab.count(Counter::LeasesReleased) || lab.load(0) != 0)
        return false;
    return std::ranges::all_of(lab.workers, [](const auto& worker) {
        const worker::Worker::Totals totals = worker->totals();
        return totals.connections == 0 && totals.half_open == 0 && totals.timers == 0;
    });
}

TEST(Model, ThroughSluiceAsDirectly) {
    const std::uint64_t first = amount("SLUICE_MODEL_SEED", 0);
    const std::uint64_t count = amount("SLUICE_MODEL_SEEDS", 10'000);
    std::unique_ptr<Lab> lab;
    std::uint64_t failures = 0;
    std::uint64_t spliced = 0;
    for (std::uint64_t seed = first; seed < first + count && failures < kMostFailures; ++seed) {
        if (!lab || seed % kSeedsPerLab == 0) {
            if (lab) expect_nothing_left(*lab);
            lab = make_lab(seed);
        }
        const Script script = make_script(seed);
        const Outcome direct = play_direct(script);
        const Outcome through = play_through(*lab, script, lab->next_client_address());
        spliced += through.counts("spliced") ? 1 : 0;
        std::vector<std::string> faults = judge(script, direct, through);
        if (!is_empty(*lab)) faults.emplace_back("something is left");
        for (const std::string& fault : faults) ADD_FAILURE() << "seed " << seed << ": " << fault;
        if (!faults.empty()) {
            ++failures;
            ADD_FAILURE() << "again with SLUICE_MODEL_SEED=" << seed << " SLUICE_MODEL_SEEDS=1, or with the "
                          << seed % kSeedsPerLab << " seeds before it\n"
                          << script.text() << text("directly", direct) << '\n'
                          << text("through Sluice", through);
        }
        lab->now += 3s;  // leases come out of quarantine
        lab->settle();
    }
    expect_nothing_left(*lab);
    // The connections that this is about were among them.
    if (count >= 1000) {
        EXPECT_GT(spliced, count / 4);
    }
}

}  // namespace
}  // namespace sluice::test
