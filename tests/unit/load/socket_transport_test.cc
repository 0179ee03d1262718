#include "socket_transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "socket_lab.h"

namespace sluice::load {
namespace {

const SocketAddress kLoopback6{IpAddress::parse("::1").value(), 0};

class SocketEcho : public SocketLab, public testing::WithParamInterface<SocketAddress> {
  protected:
    std::mt19937 random{4711};

    std::size_t below(std::size_t n) { return random() % n; }

    // A frame is a length byte and so many bytes. Whole ones are taken, an unfinished one is left.
    static std::size_t take_frames(ByteView bytes) {
        std::size_t taken = 0;
        while (taken < bytes.size()) {
            const std::size_t size = 1U + load8(bytes.data() + taken);
            if (size > bytes.size() - taken) break;
            taken += size;
        }
        return taken;
    }
    std::string frames(std::size_t n) {
        std::string text;
        while (n-- > 0) {
            const std::size_t size = below(256);
            text += static_cast<char>(size);
            for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(below(256));
        }
        return text;
    }
    static bool have(const SocketAddress& address) {
        const Bare listener(listening_socket(address).socket);
        return listener.socket() >= 0;
    }
};

INSTANTIATE_TEST_SUITE_P(Families, SocketEcho, testing::Values(kLoopback4, kLoopback6), [](const auto& of) {
    return std::string(of.param.address.is_v4() ? "IPv4" : "IPv6");
});

// Streams cut anywhere, and taken a part at a time, arrive as they were, both ways.
TEST_P(SocketEcho, ArrivesWholeWhateverThePieces) {
    constexpr Id kClients = 150;
    if (!have(GetParam())) GTEST_SKIP() << "this machine does not have the address";
    listen({.capacity = kClients}, GetParam());
    connect({.sources = {GetParam().address}, .capacity = kClients});
    std::vector<std::string> sent(kClients);
    std::vector<std::size_t> at(kClients);
    std::uint64_t total = 0;
    for (std::string& stream : sent) total += (stream = frames(1 + below(150))).size();

    broker.at_bytes = [&](Id id, ByteView bytes) {
        const std::size_t taken = take_frames(bytes);
        EXPECT_TRUE(broker.transport->send(now, id, bytes.first(taken)));
        return taken;
    };
    clients.at_bytes = [&](Id id, ByteView bytes) {
        const std::size_t taken = take_frames(bytes);
        clients.received[id] += as_text(bytes.first(taken));
        if (clients.received[id].size() == sent[id].size()) clients.transport->close(now, id);
        return taken;
    };
    for (Id id = 0; id < kClients; ++id) ASSERT_TRUE(clients.transport->open(now, id));
    EXPECT_EQ(clients.transport->totals().connections, kClients);
    ASSERT_TRUE(until([&] {
        for (const Id id : clients.opened) {
            const std::size_t size = std::min(sent[id].size() - at[id], below(3000));
            EXPECT_TRUE(size == 0 ||
                        clients.transport->send(now, id, as_bytes(sent[id]).subspan(at[id], size)));
            at[id] += size;
        }
        return clients.ended.size() == kClients && broker.ended.size() == kClients;
    }));
    for (Id id = 0; id < kClients; ++id) EXPECT_EQ(clients.received[id], sent[id]) << id;
    for (const User* user : {&broker, &clients}) {
        for (const auto& [id, end] : user->ended) EXPECT_EQ(end, End::Finished) << id;
        const Transport::Totals totals = user->transport->totals();
        EXPECT_EQ(totals.connections, 0U);
        EXPECT_EQ(totals.bytes_in, total);
        EXPECT_EQ(totals.bytes_out, total);
        EXPECT_GE(totals.packets_in, std::uint64_t{kClients});
        EXPECT_GE(totals.packets_out, std::uint64_t{kClients});
    }
}

using SocketTransportTest = SocketLab;

// What is not taken is offered again in one piece with what follows, up to the limit; then nothing is read
// any more, and the other side feels it. The memory for it goes with it.
TEST_F(SocketTransportTest, OffersAgainWhatWasLeftUpToTheLimit) {
    constexpr std::size_t kLimit = 100'000;
    listen({.receive_limit = kLimit});
    connect({.send_limit = 50'000});
    const Id there = connected(3);
    const std::uint64_t idle = broker.transport->totals().memory_bytes;
    std::string stream;
    std::vector<std::size_t> offers;
    broker.at_bytes = [&](Id id, ByteView bytes) {
        EXPECT_EQ(id, there);
        EXPECT_EQ(as_text(bytes), stream.substr(0, bytes.size()));
        offers.push_back(bytes.size());
        return std::size_t{0};
    };
    // A piece a turn, until there is nothing to do for anybody although more would be sent.
    ASSERT_TRUE(until([&] {
        const std::string piece(7001, static_cast<char>('a' + stream.size() % 23));
        const bool sent = clients.transport->send(now, 3, as_bytes(piece));
        if (sent) stream += piece;
        return !turn() && !sent;
    }));
    ASSERT_FALSE(offers.empty());
    EXPECT_EQ(offers.back(), kLimit);
    EXPECT_LT(stream.size(), 100'000'000U);
    EXPECT_TRUE(std::is_sorted(offers.begin(), offers.end(), std::less_equal<>()));
    EXPECT_GE(broker.transport->totals().memory_bytes, idle + kLimit);

    broker.transport->abort(now, there);
    EXPECT_EQ(broker.ended, (Ended{{there, End::Aborted}}));
    ASSERT_TRUE(until([&] { return !clients.ended.empty(); }));
    EXPECT_EQ(clients.ended, (Ended{{3, End::Reset}}));
    EXPECT_LE(broker.transport->totals().memory_bytes, idle + 64);
    EXPECT_EQ(clients.transport->totals().connections, 0U);
}

// send() takes all or nothing, and what it took arrives, once, in order.
TEST_F(SocketTransportTest, SendsAllThatItTook) {
    const Bare listener = bare_listener();
    connect({.targets = {listener.address()}, .send_limit = 300'000});
    Bare peer = connected_to(listener, 0);
    std::string taken;
    std::string piece(10'000, 'x');
    for (char mark = 'A'; taken.size() < 100'000'000;
         mark = mark == 'Z' ? 'A' : static_cast<char>(mark + 1)) {
        piece.front() = mark;
        if (!clients.transport->send(now, 0, as_bytes(piece))) break;
        taken += piece;
    }
    ASSERT_LT(taken.size(), 100'000'000U);
    EXPECT_GT(clients.transport->totals().memory_bytes, 290'000U);
    ASSERT_TRUE(until([&] { return !turn(); })) << "spins, though nothing is read";
    std::string arrived;
    ASSERT_TRUE(until([&] {
        arrived += peer.read();
        return arrived.size() == taken.size();
    }));
    EXPECT_EQ(arrived, taken);
    EXPECT_EQ(clients.transport->totals().bytes_out, taken.size());
    EXPECT_TRUE(clients.transport->send(now, 0, as_bytes(piece))) << "there is room again";
}

// Each side knows the addresses of both; sources and targets are taken in turn.
TEST_F(SocketTransportTest, TakesSourcesAndTargetsInTurn) {
    listen({.listen = {kLoopback4, kLoopback4}});
    const std::vector<SocketAddress> targets = broker.transport->listening();
    ASSERT_EQ(targets.size(), 2U);
    EXPECT_NE(targets[0].port, targets[1].port);
    const std::vector<IpAddress> sources{IpAddress::v4(127, 0, 0, 2), IpAddress::v4(127, 0, 0, 3)};
    connect({.sources = sources});
    for (const Id id : {0U, 1U, 2U, 3U, 4U}) {
        const Id there = connected(id);
        const FourTuple tuple = clients.transport->tuple(id);
        EXPECT_EQ(tuple.local.address, sources[id % 2]);
        EXPECT_EQ(tuple.remote, targets[id / 2 % 2]);
        EXPECT_EQ(broker.transport->tuple(there), (FourTuple{tuple.remote, tuple.local}));
    }
}

// rest() ends when something arrives or is due, and takes nothing away from the turn after it.
TEST_F(SocketTransportTest, RestsUntilSomethingHappens) {
    listen();
    connect();
    connected(0);
    const auto begin = std::chrono::steady_clock::now();
    clients.transport->rest(now, 20ms);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 20ms);
    ASSERT_TRUE(clients.transport->send(now, 0, as_bytes("x")));
    broker.transport->rest(now, 1h);
    broker.transport->rest(now, 1h);
    EXPECT_TRUE(broker.transport->turn(now));
    EXPECT_EQ(broker.received[0], "x");
    // The close's limit is due in a moment.
    clients.transport->close(now, 0);
    now += 10s - 5ms;
    clients.transport->rest(now, 1h);
    now += 7ms;
    EXPECT_TRUE(clients.transport->turn(now));
    EXPECT_EQ(clients.ended, (Ended{{0, End::TimedOut}}));
}

// What cannot be is said in a sentence.
TEST_F(SocketTransportTest, SaysWhyItCannotBe) {
    listen();
    const SocketAddress taken = broker.transport->listening().front();
    const auto fault = [&](const SocketOptions& options) {
        std::string error;
        EXPECT_EQ(SocketTransport::make(options, clients, now, error), nullptr);
        return error;
    };
    EXPECT_EQ(fault({.listen = {kLoopback4, taken}, .capacity = 1}),
              "cannot listen on " + taken.to_string() + ": Address already in use");
    EXPECT_EQ(fault({.targets = {taken}, .sources = {IpAddress::v4(192, 0, 2, 1)}, .capacity = 1}),
              "cannot connect from 192.0.2.1: Cannot assign requested address");
    EXPECT_EQ(fault({.targets = {taken}, .sources = {kLoopback6.address}, .capacity = 1}),
              "cannot connect from ::1 to " + taken.to_string() + ": the families differ");
    EXPECT_EQ(fault({.capacity = 1}), "sockets need addresses either to connect to or to listen on");
    EXPECT_EQ(fault({.targets = {taken}}), "the number of connections is not within 1 to 2147483646");
}

}  // namespace
}  // namespace sluice::load
