// Questions from other threads are answered on the thread that serves, or come back with an error; nobody
// waits for ever.
#include "sluice/daemon/telemetry_queries.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

namespace sluice::daemon {
namespace {

constexpr Duration kLong = 60s;

bool readable(int fd) {
    ::pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&wanted, 1, 0) == 1;
}

void await(int fd) {
    ::pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wanted, 1, 30'000), 1);
}

std::string text_of(const port::TelemetryDict& dict) {
    return dict.at(0).name + "=" + std::get<std::string>(dict.at(0).value);
}

port::TelemetryDict echo(const std::string& command, const std::string& parameter) {
    return {{command, parameter}};
}

TEST(TelemetryQueries, AreAnsweredByWhoServes) {
    const auto here = std::this_thread::get_id();
    TelemetryQueries telemetry_queries(
        [&](const std::string& command, const std::string& parameter) {
            EXPECT_EQ(std::this_thread::get_id(), here);
            return echo(command, parameter);
        },
        kLong);
    EXPECT_FALSE(readable(telemetry_queries.fd()));
    std::string answer;
    std::thread other([&] { answer = text_of(telemetry_queries.ask("what", "ever")); });
    await(telemetry_queries.fd());
    telemetry_queries.serve(Instant{});
    other.join();
    EXPECT_EQ(answer, "what=ever");
    EXPECT_FALSE(readable(telemetry_queries.fd()));
}

TEST(TelemetryQueries, OneThatNobodyAnswersComesBack) {
    int answers = 0;
    TelemetryQueries telemetry_queries(
        [&](const std::string& command, const std::string& parameter) {
            ++answers;
            return echo(command, parameter);
        },
        1ms);
    EXPECT_EQ(text_of(telemetry_queries.ask("a", "b")), "error=the control thread is busy; ask again");
    telemetry_queries.serve(Instant{});
    EXPECT_EQ(answers, 0) << "an answer that nobody waits for";
}

TEST(TelemetryQueries, OneThatIsGivenUpWhileItIsAnsweredHarmsNobody) {
    std::atomic<bool> given_up = false;
    TelemetryQueries telemetry_queries(
        [&](const std::string& command, const std::string& parameter) {
            given_up.wait(false);
            return echo(command, parameter);
        },
        50ms);
    std::string answer;
    std::thread other([&] {
        answer = text_of(telemetry_queries.ask("a", "b"));
        given_up = true;
        given_up.notify_all();
    });
    await(telemetry_queries.fd());
    telemetry_queries.serve(Instant{});
    other.join();
    EXPECT_EQ(answer, "error=the control thread is busy; ask again");
}

TEST(TelemetryQueries, TheEndSendsEverybodyAway) {
    TelemetryQueries telemetry_queries(echo, kLong);
    std::string answer;
    std::thread other([&] { answer = text_of(telemetry_queries.ask("a", "b")); });
    await(telemetry_queries.fd());
    telemetry_queries.close();
    other.join();
    EXPECT_EQ(answer, "error=sluiced is stopping");
    EXPECT_EQ(text_of(telemetry_queries.ask("a", "b")), "error=sluiced is stopping");
    telemetry_queries.serve(Instant{});
}

TEST(TelemetryQueries, ManyThreadsEachGetTheirOwnAnswer) {
    constexpr int kThreads = 8;
    constexpr int kQuestions = 200;
    TelemetryQueries telemetry_queries(echo, kLong);
    std::atomic<int> busy = kThreads;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
            for (int j = 0; j < kQuestions; ++j) {
                const std::string own = std::to_string(i) + "." + std::to_string(j);
                EXPECT_EQ(text_of(telemetry_queries.ask("q", own)), "q=" + own);
            }
            --busy;
        });
    }
    while (busy != 0) telemetry_queries.serve(Instant{});
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace sluice::daemon
