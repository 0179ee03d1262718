// How connections end, whoever ends them and from wherever.
#include <gtest/gtest.h>

#include <string>

#include "socket_lab.h"

namespace sluice::load {
namespace {

using SocketEnd = SocketLab;

const std::string kMuch(8'000'000, 'm');  // more than the kernel takes at once

// Closing waits for what was sent before, and for the other side. One that reads has time, however long it
// all takes.
TEST_F(SocketEnd, ClosesAfterAllThatWasSent) {
    const Bare listener = bare_listener();
    connect({.targets = {listener.address()}});
    Bare peer = connected_to(listener, 0);
    ASSERT_TRUE(clients.transport->send(now, 0, as_bytes(kMuch)));
    clients.transport->close(now, 0);
    clients.transport->close(now, 0);
    EXPECT_FALSE(clients.transport->send(now, 0, as_bytes("more")));
    const Instant begin = now;
    std::size_t arrived = 0;
    ASSERT_TRUE(until([&] {
        const std::size_t size = peer.read().size();
        if (size > 0) now += 100ms;
        arrived += size;
        return peer.at_end();
    }));
    EXPECT_EQ(arrived, kMuch.size());
    EXPECT_GT(now - begin, 11s);
    // Half closed: what comes is still delivered.
    ASSERT_TRUE(peer.send("late"));
    ASSERT_TRUE(until([&] { return clients.received[0] == "late"; }));
    EXPECT_TRUE(clients.ended.empty());
    peer.close();
    ASSERT_TRUE(until([&] { return !clients.ended.empty(); }));
    EXPECT_EQ(clients.ended, (Ended{{0, End::Finished}}));
}

// The other side closes first: it gets what waits for it before this side closes too.
TEST_F(SocketEnd, FollowsAPeerThatCloses) {
    const Bare listener = bare_listener();
    connect({.targets = {listener.address()}});
    Bare peer = connected_to(listener, 0);
    ASSERT_TRUE(clients.transport->send(now, 0, as_bytes(kMuch)));
    ASSERT_TRUE(peer.send("farewell"));
    ASSERT_EQ(::shutdown(peer.socket(), SHUT_WR), 0);
    ASSERT_TRUE(until([&] { return clients.received[0] == "farewell" && !turn(); }));
    EXPECT_TRUE(clients.ended.empty());
    std::size_t arrived = 0;
    ASSERT_TRUE(until([&] {
        arrived += peer.read().size();
        return peer.at_end();
    }));
    EXPECT_EQ(arrived, kMuch.size());
    EXPECT_EQ(clients.ended, (Ended{{0, End::Finished}}));
}

TEST_F(SocketEnd, BothMayCloseAtOnce) {
    listen();
    connect();
    for (const Id id : {0U, 1U}) {
        const Id there = connected(id);
        clients.transport->close(now, id);
        broker.transport->close(now, there);
    }
    ASSERT_TRUE(until([&] { return clients.ended.size() == 2 && broker.ended.size() == 2; }));
    for (const User* user : {&clients, &broker}) {
        for (const auto& [id, end] : user->ended) EXPECT_EQ(end, End::Finished);
    }
}

// Who closes before the handshake is over closes right after it.
TEST_F(SocketEnd, ClosesBeforeItIsOpen) {
    listen();
    connect();
    ASSERT_TRUE(clients.transport->open(now, 5));
    clients.transport->close(now, 5);
    ASSERT_TRUE(until([&] { return !clients.ended.empty() && !broker.ended.empty(); }));
    EXPECT_EQ(clients.opened, (std::vector<Id>{5}));
    EXPECT_EQ(clients.ended, (Ended{{5, End::Finished}}));
    EXPECT_EQ(broker.ended, (Ended{{0, End::Finished}}));
}

// The other side may stay silent for close_timeout; while it speaks or reads it has time.
TEST_F(SocketEnd, WaitsForACloseOnlySoLong) {
    const Bare listener = bare_listener();
    connect({.targets = {listener.address()}});
    Bare peer = connected_to(listener, 0);
    clients.transport->close(now, 0);
    now += 9s;
    ASSERT_TRUE(peer.send("I am here"));
    ASSERT_TRUE(until([&] { return !clients.received[0].empty(); }));
    now += 9s;
    turn();
    EXPECT_TRUE(clients.ended.empty());
    now += 1001ms;
    turn();
    EXPECT_EQ(clients.ended, (Ended{{0, End::TimedOut}}));
    EXPECT_FALSE(peer.send("hello?") && peer.send("hello?")) << "it was not reset";

    // The same when the other side closed first and does not read.
    Bare deaf = connected_to(listener, 1);
    ASSERT_TRUE(clients.transport->send(now, 1, as_bytes(kMuch)));
    ASSERT_EQ(::shutdown(deaf.socket(), SHUT_WR), 0);
    const Instant begin = now;
    ASSERT_TRUE(until([&] {
        now += 10ms;
        return clients.ended.size() == 2;
    }));
    EXPECT_GT(now - begin, 10s);
    EXPECT_EQ(clients.ended.back(), (std::pair{Id{1}, End::TimedOut}));
}

// Aborting tells at once, from within any call, and resets the other side.
TEST_F(SocketEnd, AbortsFromAnywhere) {
    listen();
    connect();
    const Id from_outside = connected(0);
    clients.transport->abort(now, 0);
    EXPECT_EQ(clients.ended, (Ended{{0, End::Aborted}}));
    ASSERT_TRUE(until([&] { return !broker.ended.empty(); }));
    EXPECT_EQ(broker.ended, (Ended{{from_outside, End::Reset}}));
    clients.transport->abort(now, 0);  // it is no more

    // From within on_bytes(), whose bytes stay whole until it returns, kept ones too.
    for (const std::size_t kept : {0U, 5000U}) {
        const std::string text(kept + 3, 't');
        const Id there = connected(1);
        clients.at_bytes = [&](Id id, ByteView bytes) {
            if (bytes.size() < text.size()) return std::size_t{0};
            clients.transport->abort(now, id);
            EXPECT_EQ(as_text(bytes), text);
            return bytes.size();
        };
        ASSERT_TRUE(broker.transport->send(now, there, as_bytes(text).first(kept)));
        ASSERT_TRUE(until([&] { return !turn(); }));
        const std::size_t before = broker.ended.size();
        ASSERT_TRUE(broker.transport->send(now, there, as_bytes(text).subspan(kept)));
        ASSERT_TRUE(until([&] { return broker.ended.size() > before; }));
        EXPECT_EQ(clients.ended.back(), (std::pair{Id{1}, End::Aborted}));
        EXPECT_EQ(broker.ended.back(), (std::pair{there, End::Reset}));
    }
    // From within on_open(), of either side.
    clients.at_open = [&](Id id) { clients.transport->abort(now, id); };
    broker.at_open = [&](Id id) { broker.transport->abort(now, id); };
    ASSERT_TRUE(clients.transport->open(now, 2));
    ASSERT_TRUE(until([&] { return clients.ended.size() == 4 && broker.ended.size() == 4; }));
    // And before it is open.
    ASSERT_TRUE(clients.transport->open(now, 2));
    clients.transport->abort(now, 2);
    EXPECT_EQ(clients.ended.back(), (std::pair{Id{2}, End::Aborted}));
    EXPECT_EQ(clients.transport->totals().connections, 0U);
}

// A reset is told however little the connection was looked at: while its bytes are left, while bytes wait to
// be sent, and after a send() that met it first.
TEST_F(SocketEnd, TellsOfAReset) {
    const Bare listener = bare_listener();
    connect({.targets = {listener.address()}, .receive_limit = 1000});
    Bare unread = connected_to(listener, 0);
    clients.at_bytes = [](Id, ByteView) { return std::size_t{0}; };
    ASSERT_TRUE(unread.send(std::string(3000, 'u')));
    ASSERT_TRUE(until([&] { return !turn(); }));
    unread.reset();
    EXPECT_TRUE(clients.transport->send(now, 0, as_bytes("nobody is there")));
    ASSERT_TRUE(until([&] { return !clients.ended.empty(); }));
    EXPECT_EQ(clients.ended, (Ended{{0, End::Reset}}));

    Bare waiting = connected_to(listener, 1);
    ASSERT_TRUE(clients.transport->send(now, 1, as_bytes(kMuch)));
    ASSERT_EQ(::shutdown(waiting.socket(), SHUT_WR), 0);
    ASSERT_TRUE(until([&] { return !turn(); }));
    waiting.reset();
    ASSERT_TRUE(until([&] { return clients.ended.size() == 2; }));
    EXPECT_EQ(clients.ended.back(), (std::pair{Id{1}, End::Reset}));

    connected_to(listener, 2).reset();
    EXPECT_TRUE(clients.transport->send(now, 2, as_bytes("nobody is there")));
    EXPECT_TRUE(clients.transport->send(now, 2, as_bytes("nobody is there")));
    EXPECT_EQ(clients.ended.size(), 2U) << "told from within send()";
    clients.transport->close(now, 2);
    ASSERT_TRUE(until([&] { return clients.ended.size() == 3 && !turn(); }));
    EXPECT_EQ(clients.ended.back(), (std::pair{Id{2}, End::Reset}));
}

// One that leaves its bytes and then closes ends in order if the other side closes too.
TEST_F(SocketEnd, ClosesOverBytesThatWereLeft) {
    const Bare listener = bare_listener();
    connect({.targets = {listener.address()}, .receive_limit = 1000});
    Bare peer = connected_to(listener, 0);
    clients.at_bytes = [](Id, ByteView) { return std::size_t{0}; };
    ASSERT_TRUE(peer.send(std::string(1000, 'u')));
    ASSERT_TRUE(until([&] { return !turn(); }));
    clients.transport->close(now, 0);
    ASSERT_TRUE(until([&] { return peer.read().empty() && peer.at_end(); }));
    peer.close();
    ASSERT_TRUE(until([&] { return !clients.ended.empty(); }));
    EXPECT_EQ(clients.ended, (Ended{{0, End::Finished}}));
}

// Who is refused may try again from within on_end(), under the same number.
TEST_F(SocketEnd, IsRefusedAndTriesAgain) {
    SocketAddress nobody;
    {
        const Bare listener = bare_listener();
        nobody = listener.address();
    }
    connect({.targets = {nobody}});
    clients.at_end = [&](Id id, End) {
        if (clients.ended.size() == 5) return;
        EXPECT_TRUE(clients.transport->open(now, id));
    };
    ASSERT_TRUE(clients.transport->open(now, 7));
    EXPECT_FALSE(clients.transport->open(now, 7)) << "it is in use";
    ASSERT_TRUE(until([&] { return clients.ended.size() == 5; }));
    for (const auto& end : clients.ended) EXPECT_EQ(end, (std::pair{Id{7}, End::Refused}));
    EXPECT_TRUE(clients.opened.empty());
    EXPECT_EQ(clients.transport->totals().connections, 0U);
}

// A broadcast address is one that the kernel itself knows no way to. It is told in a turn, one try a turn.
TEST_F(SocketEnd, TellsOfTheUnreachable) {
    connect({.targets = {{IpAddress::v4(127, 255, 255, 255), 1883}}});
    clients.at_end = [&](Id id, End) { EXPECT_TRUE(clients.transport->open(now, id)); };
    ASSERT_TRUE(clients.transport->open(now, 0));
    EXPECT_TRUE(clients.ended.empty());
    EXPECT_EQ(clients.transport->tuple(0).remote.port, 1883);
    clients.transport->rest(now, 1h);
    EXPECT_TRUE(clients.transport->turn(now));
    EXPECT_EQ(clients.ended, (Ended{{0, End::Unreachable}}));
    EXPECT_TRUE(clients.transport->turn(now));
    EXPECT_EQ(clients.ended.size(), 2U);
}

// A SYN that nobody answers: the listener's queue holds one, and its owner does not accept.
TEST_F(SocketEnd, WaitsForAHandshakeOnlySoLong) {
    const Bare listener = bare_listener(0);
    connect({.targets = {listener.address()}, .connect_timeout = 5s});
    ASSERT_TRUE(clients.transport->open(now, 0));
    ASSERT_TRUE(until([&] { return clients.opened.size() == 1; }));
    ASSERT_TRUE(clients.transport->open(now, 1));
    now += 5s - 1ns;
    turn();
    EXPECT_TRUE(clients.ended.empty());
    now += 1ms;
    EXPECT_TRUE(turn());
    EXPECT_EQ(clients.ended, (Ended{{1, End::TimedOut}}));
    now += 1h;
    EXPECT_FALSE(turn()) << "the open one has no limit";
}

// What an event would have told of a connection that is gone is not told of the one that has its number and,
// likely, its file.
TEST_F(SocketEnd, MistakesNoEventForAnother) {
    constexpr Id kEach = 8;
    const Bare listener = bare_listener();
    connect({.targets = {listener.address()}});
    std::vector<Bare> peers;
    for (Id id = 0; id < kEach; ++id) peers.push_back(connected_to(listener, id));
    // From now on there is room for one handshake more, and none for those that follow.
    ASSERT_EQ(::listen(listener.socket(), 0), 0);
    ASSERT_TRUE(clients.transport->open(now, kEach));
    ASSERT_TRUE(until([&] { return clients.opened.size() == kEach + 1; }));
    // All others have bytes and a reset to tell of in the same turn; the first to be heard renews the rest.
    for (Bare& peer : peers) {
        ASSERT_TRUE(peer.send("old"));
        peer.reset();
    }
    clients.at_bytes = [&](Id id, ByteView bytes) {
        clients.received[id] += as_text(bytes);
        for (Id other = 0; other < kEach; ++other) {
            if (other == id) continue;
            clients.transport->abort(now, other);
            EXPECT_TRUE(clients.transport->open(now, other));
        }
        return bytes.size();
    };
    ASSERT_TRUE(until([&] { return clients.ended.size() == kEach && !turn(); }));
    EXPECT_EQ(clients.opened.size(), kEach + 1);
    EXPECT_EQ(clients.received.size(), 1U);
    EXPECT_EQ(clients.transport->totals().connections, kEach);
    EXPECT_EQ(clients.ended.back(), (std::pair{clients.received.begin()->first, End::Reset}));
}

}  // namespace
}  // namespace sluice::load
