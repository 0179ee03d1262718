// Numbers or files run out: nobody is lost, nothing spins, and it goes on when there are some again.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "socket_lab.h"

namespace sluice::load {
namespace {

class SocketShortage : public SocketLab {
  protected:
    // Not one file more may be opened, as long as this exists.
    class NoMoreFiles {
      public:
        NoMoreFiles() {
            ::getrlimit(RLIMIT_NOFILE, &before_);
            const int lowest = ::dup(0);
            ::close(lowest);
            ::rlimit now = before_;
            now.rlim_cur = static_cast<::rlim_t>(lowest);
            EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &now), 0);
        }
        NoMoreFiles(const NoMoreFiles&) = delete;
        NoMoreFiles& operator=(const NoMoreFiles&) = delete;
        ~NoMoreFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }

      private:
        ::rlimit before_{};
    };

    // Without the broker's turn.
    bool all_open(std::size_t n) {
        const auto limit = std::chrono::steady_clock::now() + 20s;
        while (clients.opened.size() < n && std::chrono::steady_clock::now() < limit) {
            clients.transport->turn(now);
            clients.transport->rest(now, 10ms);
        }
        return clients.opened.size() == n;
    }
};

// As many are accepted as there are numbers; who comes then waits, and the last number freed is the first to
// be used again.
TEST_F(SocketShortage, AcceptsNoMoreThanItsCapacity) {
    listen({.capacity = 3});
    connect();
    for (Id id = 0; id < 3; ++id) EXPECT_EQ(connected(id), id);
    for (Id id = 3; id < 6; ++id) ASSERT_TRUE(clients.transport->open(now, id));
    ASSERT_TRUE(until([&] { return clients.opened.size() == 6 && !turn(); })) << "spins";
    EXPECT_EQ(broker.transport->totals().connections, 3U);

    broker.transport->abort(now, 1);
    ASSERT_TRUE(until([&] { return broker.opened.size() == 4 && !turn(); }));
    EXPECT_EQ(broker.opened.back(), 1U);
    clients.transport->close(now, 0);
    ASSERT_TRUE(until([&] { return broker.opened.size() == 5 && !turn(); }));
    EXPECT_EQ(broker.opened.back(), 0U);
    EXPECT_EQ(broker.transport->totals().connections, 3U);
}

// From within on_end() and on_open() as well: each that is accepted is sent away at once.
TEST_F(SocketShortage, FreesNumbersWhileItAccepts) {
    listen({.capacity = 1});
    connect();
    broker.at_open = [&](Id id) {
        EXPECT_TRUE(broker.transport->send(now, id, as_bytes("go")));
        broker.transport->close(now, id);
    };
    for (Id id = 0; id < 16; ++id) ASSERT_TRUE(clients.transport->open(now, id));
    ASSERT_TRUE(until([&] { return broker.ended.size() == 16 && clients.ended.size() == 16; }));
    for (Id id = 0; id < 16; ++id) EXPECT_EQ(clients.received[id], "go");
    for (const auto& end : broker.ended) EXPECT_EQ(end, (std::pair{Id{0}, End::Finished}));
}

// Without files open() begins nothing.
TEST_F(SocketShortage, OpensNothingWithoutFiles) {
    listen();
    connect();
    {
        const NoMoreFiles shortage;
        EXPECT_FALSE(clients.transport->open(now, 0));
        EXPECT_FALSE(turn());
        EXPECT_EQ(clients.transport->totals().connections, 0U);
    }
    connected(0);
    EXPECT_TRUE(clients.ended.empty());
}

// Without files nobody is accepted for a moment, or until one is closed here.
TEST_F(SocketShortage, AcceptsAgainWhenThereAreFiles) {
    listen();
    connect();
    connected(0);
    for (Id id = 1; id < 5; ++id) ASSERT_TRUE(clients.transport->open(now, id));
    ASSERT_TRUE(all_open(5));
    {
        const NoMoreFiles shortage;
        broker.transport->rest(now, 20s);
        EXPECT_TRUE(broker.transport->turn(now));
        EXPECT_EQ(broker.opened.size(), 1U);
        EXPECT_FALSE(broker.transport->turn(now)) << "spins";
        broker.transport->abort(now, 0);
        EXPECT_TRUE(broker.transport->turn(now));
        EXPECT_EQ(broker.opened.size(), 2U) << "one file was freed";
        EXPECT_FALSE(broker.transport->turn(now));
        now += 101ms;
        EXPECT_TRUE(broker.transport->turn(now));
        EXPECT_TRUE(broker.transport->turn(now)) << "tries again, in vain";
        EXPECT_EQ(broker.opened.size(), 2U);
    }
    EXPECT_FALSE(broker.transport->turn(now));
    now += 101ms;
    ASSERT_TRUE(until([&] { return broker.opened.size() == 5; }));
    EXPECT_EQ(broker.transport->totals().connections, 4U);
}

// The limit on files is raised as far as it may be.
TEST_F(SocketShortage, RaisesTheLimitOnFiles) {
    ::rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    ::rlimit few = before;
    few.rlim_cur = before.rlim_max / 2;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    listen();
    ::rlimit after{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
    EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

}  // namespace
}  // namespace sluice::load
