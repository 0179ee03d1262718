#include "sluice/daemon/log_watch.h"

#include <gtest/gtest.h>

namespace sluice::daemon::log_watch_test {
namespace {

constexpr Instant kStart{1h};
const std::string kPath = "/var/log/c.log";
const std::string kFull = "cannot be written: No space left on device";

struct Watched {
    LogWatch watch;
    Instant now = kStart;
    std::uint64_t lost = 0;
    std::string fault;

    // What is told: "", or the text behind a sign of what it is.
    std::string look(Duration later = 0s) {
        now += later;
        const auto news = watch.look(now, kPath, fault, lost);
        return news ? (news->trouble ? "! " : "ok ") + news->text : "";
    }
};

const std::string kTold =
    "! the connection log /var/log/c.log cannot be written: No space left on device; lines are kept while "
    "there is memory for them, and the others counted in connection_log_lost";

TEST(LogWatch, SaysNothingWhileAllIsWell) {
    Watched log;
    EXPECT_EQ(log.look(), "");
    EXPECT_EQ(log.look(1h), "");
}

TEST(LogWatch, TellsTroubleAndItsEndOnce) {
    Watched log;
    log.fault = kFull;
    EXPECT_EQ(log.look(1s), kTold);
    EXPECT_EQ(log.look(1h), "");
    log.lost += 3;
    EXPECT_EQ(log.look(1s), "");
    log.fault.clear();
    EXPECT_EQ(log.look(1s), "");
    EXPECT_EQ(log.look(LogWatch::kCalm - 2s), "");
    EXPECT_EQ(log.look(1s), "ok the connection log /var/log/c.log can be written again; 3 lines were lost");
    EXPECT_EQ(log.look(1h), "");
    log.fault = kFull;
    EXPECT_EQ(log.look(1s), kTold) << "the next time is another matter";
}

TEST(LogWatch, ADiskThatIsAlmostFullIsOneTrouble) {
    Watched log;
    log.fault = kFull;
    EXPECT_EQ(log.look(), kTold);
    for (int i = 0; i < 100; ++i) {
        log.fault = i % 2 == 0 ? "" : kFull;
        EXPECT_EQ(log.look(i % 2 == 0 ? 20ms : LogWatch::kCalm - 1s), "");
    }
}

TEST(LogWatch, LinesThatAreLostWithoutAFaultAreTroubleToo) {
    Watched log;
    ++log.lost;
    EXPECT_EQ(log.look(),
              "! the connection log /var/log/c.log is written too slowly; lines are kept while there is "
              "memory for them, and the others counted in connection_log_lost");
    log.lost += 9;
    EXPECT_EQ(log.look(20ms), "");
    EXPECT_EQ(log.look(LogWatch::kCalm),
              "ok the connection log /var/log/c.log can be written again; 10 lines were lost");
}

TEST(LogWatch, AReloadTellsTroubleThatLastsOnceMore) {
    Watched log;
    log.fault = kFull;
    EXPECT_EQ(log.look(), kTold);
    log.lost += 2;
    log.watch.tell_again();
    EXPECT_EQ(log.look(), kTold);
    log.lost += 3;
    EXPECT_EQ(log.look(), "");
    // One that ends it does not keep its end from being told.
    log.watch.tell_again();
    log.fault.clear();
    EXPECT_EQ(log.look(), "");
    EXPECT_EQ(log.look(LogWatch::kCalm),
              "ok the connection log /var/log/c.log can be written again; 5 lines were lost");
}

TEST(LogWatch, WithoutALogThereIsNoTrouble) {
    Watched log;
    log.fault = kFull;
    EXPECT_EQ(log.look(), kTold);
    EXPECT_FALSE(log.watch.look(log.now, "", "", log.lost + 5));
    EXPECT_FALSE(log.watch.look(log.now + 1h, kPath, "", log.lost + 5));
}

}  // namespace
}  // namespace sluice::daemon::log_watch_test
