// Two packet transports speak to each other: what each is told, and what stays of it.
#include <gtest/gtest.h>

#include "packet_lab.h"

namespace sluice::load::test {
namespace {

class PacketTransportTest : public testing::TestWithParam<bool> {
  protected:
    static LabOptions options() { return {.ipv6 = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(Families, PacketTransportTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "V6" : "V4"; });

TEST_P(PacketTransportTest, AConnectionOpensSpeaksAndEndsInOrder) {
    PacketLab lab(options());
    lab.servers.echoes = true;
    lab.open(3);
    lab.run(1ms);
    ASSERT_TRUE(lab.clients.records[3].open);
    const Id other = lab.accepted(3);
    EXPECT_EQ(lab.clients.transport->totals().connections, 1U);
    EXPECT_EQ(lab.servers.transport->totals().connections, 1U);
    lab.send(lab.clients, 3, "hello");
    lab.run(100ms);
    EXPECT_EQ(lab.servers.records[other].bytes, "hello");
    EXPECT_EQ(lab.clients.records[3].bytes, "hello");
    lab.clients.transport->close(lab.now, 3);
    lab.run(100ms);
    EXPECT_EQ(lab.clients.records[3].ends, std::vector{End::Finished});
    EXPECT_EQ(lab.servers.records[other].ends, std::vector{End::Finished});
    EXPECT_EQ(lab.clients.transport->totals().connections, 0U);
    EXPECT_EQ(lab.servers.transport->totals().connections, 0U);
    EXPECT_EQ(lab.clients.transport->totals().bytes_out, 5U);
    EXPECT_EQ(lab.clients.transport->totals().bytes_in, 5U);
    EXPECT_EQ(lab.clients.transport->totals().retransmits, 0U);
    EXPECT_EQ(lab.clients.transport->awake(), 1U);  // TIME-WAIT
    lab.run(1100ms);
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
}

TEST_P(PacketTransportTest, TheOtherSideMayCloseFirst) {
    PacketLab lab(options());
    lab.open(0);
    lab.run(1ms);
    const Id other = lab.accepted(0);
    lab.send(lab.servers, other, "bye");
    lab.servers.transport->close(lab.now, other);
    lab.run(100ms);
    EXPECT_EQ(lab.clients.records[0].bytes, "bye");
    EXPECT_EQ(lab.clients.records[0].ends, std::vector{End::Finished});
    EXPECT_EQ(lab.servers.records[other].ends, std::vector{End::Finished});
}

TEST_P(PacketTransportTest, AnOwedAckKeepsItAwakeUntilItIsSent) {
    PacketLab lab(options());
    lab.open(0);
    lab.run(1ms);
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
    EXPECT_EQ(lab.servers.transport->awake(), 0U);
    // The first bytes that are read open the window further than a SYN can say, which is worth an ACK at
    // once.
    lab.send(lab.clients, 0, "x");
    lab.run(1ms);
    EXPECT_EQ(lab.servers.transport->awake(), 0U);
    lab.send(lab.clients, 0, "question");
    lab.run(1ms);
    EXPECT_EQ(lab.clients.transport->awake(), 1U);
    EXPECT_EQ(lab.servers.transport->awake(), 1U);
    lab.run(60ms);
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
    EXPECT_EQ(lab.servers.transport->awake(), 0U);
    EXPECT_EQ(lab.clients.transport->wakes(), 2U);
    EXPECT_EQ(lab.servers.transport->wakes(), 2U);
}

TEST_P(PacketTransportTest, AnAnswerTakesTheAckAlong) {
    PacketLab lab(options());
    lab.open(0);
    lab.run(1ms);
    lab.servers.echoes = true;
    lab.watch = true;
    lab.send(lab.clients, 0, "question");
    lab.run(100ms);
    EXPECT_EQ(lab.take_seen().size(), 3U);  // question, answer with ACK, ACK
}

TEST_P(PacketTransportTest, NobodyListensThere) {
    PacketLab lab(options());
    lab.inject_to(
        lab.servers,
        {.local = {lab.addressing.source(0), 5000}, .remote = {lab.addressing.target(0).address, 99}},
        {.seq = tcp::Seq(7),
         .ack = {},
         .flags = {.syn = true},
         .options = {},
         .payload = {},
         .payload_tail = {}});
    lab.watch = true;
    lab.run(10ms);
    EXPECT_GE(lab.take_seen().size(), 1U);
    EXPECT_EQ(lab.servers.transport->totals().connections, 0U);
    EXPECT_EQ(lab.servers.transport->totals().dropped, 1U);
}

TEST_P(PacketTransportTest, ARefusedAttemptEndsAtOnceAndMayBeRepeated) {
    LabOptions o = options();
    PacketLab lab(o);
    // The listening side knows the address but listens on another port.
    lab.servers.transport = std::make_unique<PacketTransport>(
        lab.now, PacketTransportOptions{.capacity = 10},
        std::vector<SocketAddress>{{lab.addressing.target(0).address, 1884}}, lab.servers.port,
        lab.servers.pool, lab.servers);
    lab.open(0);
    lab.run(1ms);
    EXPECT_EQ(lab.clients.records[0].ends, std::vector{End::Refused});
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
    lab.open(0);
    lab.run(1ms);
    EXPECT_EQ(lab.clients.records[0].ends.size(), 2U);
}

TEST_P(PacketTransportTest, WhereNobodyAnswersForTheNextHopItIsUnreachable) {
    PacketLab lab(options());
    lab.cut = true;
    lab.open(0);
    lab.open(1);
    EXPECT_TRUE(lab.run_until([&] { return lab.clients.ended == 2; }, 5s));
    EXPECT_EQ(lab.clients.records[0].ends, std::vector{End::Unreachable});
    // While the failure is remembered, at once.
    lab.open(2);
    EXPECT_EQ(lab.clients.records[2].ends, std::vector{End::Unreachable});
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
    lab.cut = false;
    lab.run(4s);
    lab.open(2);
    lab.run(1ms);
    EXPECT_TRUE(lab.clients.records[2].open);
}

TEST_P(PacketTransportTest, ASilentOtherSideTimesOut) {
    PacketLab lab(options());
    lab.open(0);
    lab.run(10ms);
    lab.cut = true;
    lab.open(1);
    EXPECT_TRUE(lab.run_until([&] { return lab.clients.ended == 1; }, 31s));
    EXPECT_EQ(lab.clients.records[1].ends, std::vector{End::TimedOut});
    lab.clients.transport->close(lab.now, 0);
    EXPECT_TRUE(lab.run_until([&] { return lab.clients.ended == 2; }, 11s));
    EXPECT_EQ(lab.clients.records[0].ends, std::vector{End::TimedOut});
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
}

TEST_P(PacketTransportTest, EitherSideMayAbort) {
    PacketLab lab(options());
    lab.open(0);
    lab.open(1);
    lab.run(1ms);
    const Id of_one = lab.accepted(1);
    lab.clients.transport->abort(lab.now, 0);
    EXPECT_EQ(lab.clients.records[0].ends, std::vector{End::Aborted});
    lab.servers.transport->abort(lab.now, of_one);
    EXPECT_EQ(lab.servers.records[of_one].ends, std::vector{End::Aborted});
    lab.run(1ms);
    EXPECT_EQ(lab.clients.records[1].ends, std::vector{End::Reset});
    EXPECT_EQ(lab.servers.transport->totals().connections, 0U);
    EXPECT_EQ(lab.clients.transport->awake() + lab.servers.transport->awake(), 0U);
}

TEST_P(PacketTransportTest, AnAttemptMayBeAborted) {
    PacketLab lab(options());
    lab.open(0);
    lab.clients.transport->abort(lab.now, 0);
    EXPECT_EQ(lab.clients.records[0].ends, std::vector{End::Aborted});
    lab.run(50ms);
    EXPECT_EQ(lab.clients.opened, 0U);
    EXPECT_EQ(lab.servers.opened, 0U);
    EXPECT_TRUE(lab.servers.records.empty());
}

TEST_P(PacketTransportTest, ANumberMayBeUsedAgainAtOnce) {
    // A hundred connections on one tuple within the same millisecond, each closed by the client: the
    // accepting side sees ever later numbers, so TIME-WAIT on the client's side is in nobody's way.
    PacketLab lab(options());
    for (unsigned i = 0; i < 100; ++i) {
        lab.open(5);
        lab.settle();
        ASSERT_TRUE(lab.clients.records[5].open);
        lab.clients.transport->close(lab.now, 5);
        lab.settle();
        ASSERT_EQ(lab.clients.records[5].ends.size(), i + 1);
    }
    EXPECT_EQ(lab.servers.ended, 100U);
    EXPECT_EQ(lab.clients.transport->totals().retransmits, 0U);
    EXPECT_EQ(lab.clients.transport->awake(), 1U);
}

TEST_P(PacketTransportTest, ALaterSynTakesAnAcceptedTupleOutOfTimeWait) {
    PacketLab lab(options());
    for (unsigned i = 0; i < 20; ++i) {
        lab.open(5);
        lab.settle();
        ASSERT_TRUE(lab.clients.records[5].open) << i;
        lab.servers.transport->close(lab.now, lab.accepted(5));
        lab.settle();
        ASSERT_EQ(lab.clients.records[5].ends.size(), i + 1);
    }
    EXPECT_EQ(lab.servers.opened, 20U);
    EXPECT_EQ(lab.clients.transport->totals().retransmits, 0U);
    EXPECT_EQ(lab.servers.transport->awake(), 1U);
    lab.run(1100ms);
    EXPECT_EQ(lab.servers.transport->awake(), 0U);
}

TEST_P(PacketTransportTest, TheNumberIsFreeWithinOnEnd) {
    PacketLab lab(options());
    unsigned again = 3;
    lab.clients.when_ended = [&](Instant now, Id id, End) {
        if (again-- > 0) {
            EXPECT_TRUE(lab.clients.transport->open(now, id));
        }
    };
    lab.open(0);
    lab.settle();
    lab.clients.transport->close(lab.now, 0);  // ends in TIME-WAIT
    lab.settle();
    EXPECT_TRUE(lab.clients.records[0].open);
    lab.servers.transport->abort(lab.now, lab.accepted(0));
    lab.settle();
    EXPECT_TRUE(lab.clients.records[0].open);
    lab.clients.transport->abort(lab.now, 0);
    lab.settle();
    EXPECT_TRUE(lab.clients.records[0].open);
    EXPECT_EQ(lab.clients.records[0].ends, (std::vector{End::Finished, End::Reset, End::Aborted}));
    EXPECT_EQ(lab.clients.transport->totals().connections, 1U);
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
}

TEST_P(PacketTransportTest, WhatIsNotTakenComesAgainWithMore) {
    PacketLab lab(options());
    std::vector<std::string> seen;
    lab.servers.take = [&](Instant, Id, ByteView bytes) {
        seen.emplace_back(as_text(bytes));
        return bytes.size() < 6 ? std::size_t{0} : std::size_t{4};
    };
    lab.open(0);
    lab.run(1ms);
    lab.send(lab.clients, 0, "abc");
    lab.run(100ms);
    lab.send(lab.clients, 0, "def");
    lab.run(100ms);
    lab.send(lab.clients, 0, "g");
    lab.run(100ms);
    EXPECT_EQ(seen, (std::vector<std::string>{"abc", "abcdef", "efg"}));
    // Bytes that wait cannot sleep.
    EXPECT_EQ(lab.servers.transport->awake(), 1U);
}

TEST_P(PacketTransportTest, BytesThatNobodyTakesDoNotKeepAClosedConnection) {
    PacketLab lab(options());
    lab.servers.take = [](Instant, Id, ByteView) { return std::size_t{0}; };
    lab.open(0);
    lab.run(1ms);
    lab.send(lab.clients, 0, "abc");
    lab.clients.transport->close(lab.now, 0);
    lab.run(100ms);
    EXPECT_EQ(lab.servers.ended, 1U);
    EXPECT_EQ(lab.clients.records[0].ends, std::vector{End::Finished});
}

TEST_P(PacketTransportTest, SendTakesAllOrNothing) {
    LabOptions o = options();
    o.endpoint.send_buffer = 10'000;
    PacketLab lab(o);
    lab.open(0);
    lab.run(1ms);
    lab.servers.take = [](Instant, Id, ByteView) { return std::size_t{0}; };
    EXPECT_FALSE(lab.clients.transport->send(lab.now, 0, as_bytes(std::string(10'001, 'x'))));
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
    unsigned taken = 0;
    while (lab.clients.transport->send(lab.now, 0, as_bytes(std::string(4'000, 'x')))) {
        lab.run(50ms);
        ASSERT_LT(++taken, 100U);
    }
    // The receive buffer of the other side, and our own.
    EXPECT_GE(taken, 256U * 1024 / 4000);
    EXPECT_LE(taken, 256U * 1024 / 4000 + 3);
    EXPECT_EQ(lab.clients.transport->totals().bytes_out, taken * 4000U);
}

TEST_P(PacketTransportTest, ALongStreamArrivesWhole) {
    PacketLab lab(options());
    std::string sent;
    for (int i = 0; i < 60'000; ++i) sent += std::to_string(i) + ",";
    std::size_t next = 0;
    lab.open(0);
    lab.run(1ms);
    const Id other = lab.accepted(0);
    lab.servers.take = [](Instant, Id, ByteView bytes) {
        return bytes.size() > 700 ? bytes.size() - 333 : 0;
    };
    EXPECT_TRUE(lab.run_until([&] {
        const std::string piece = sent.substr(next, 20'000);
        if (!piece.empty() && lab.clients.transport->send(lab.now, 0, as_bytes(piece))) next += piece.size();
        return next == sent.size();
    }));
    lab.servers.take = nullptr;
    lab.send(lab.clients, 0, "end");
    lab.run(100ms);
    EXPECT_TRUE(lab.servers.records[other].bytes == sent + "end");
}

TEST_P(PacketTransportTest, CallbacksMayCallForAnyConnection) {
    PacketLab lab(options());
    PacketTransport& clients = *lab.clients.transport;
    PacketTransport& servers = *lab.servers.transport;
    lab.clients.when_open = [&](Instant now, Id id) {
        EXPECT_TRUE(clients.send(now, id, as_bytes("one")));
        if (id < 10) {
            EXPECT_TRUE(clients.open(now, id + 1));
        }
        if (id == 10) clients.abort(now, 0);  // of another connection
    };
    lab.servers.take = [&](Instant now, Id id, ByteView bytes) {
        EXPECT_TRUE(servers.send(now, id, bytes));
        if (servers.tuple(id).remote == lab.addressing.tuple(3).local) servers.abort(now, id);
        if (servers.tuple(id).remote == lab.addressing.tuple(4).local) servers.close(now, id);
        return bytes.size();
    };
    lab.clients.take = [&](Instant now, Id id, ByteView bytes) {
        if (id == 5) clients.abort(now, id);
        if (id == 6) clients.close(now, id);
        return bytes.size();
    };
    lab.open(0);
    lab.run(200ms);
    EXPECT_EQ(lab.clients.opened, 11U);
    EXPECT_EQ(lab.clients.records[0].ends, std::vector{End::Aborted});
    EXPECT_EQ(lab.clients.records[3].ends, std::vector{End::Reset});
    EXPECT_EQ(lab.clients.records[4].ends, std::vector{End::Finished});
    EXPECT_EQ(lab.clients.records[5].ends, std::vector{End::Aborted});
    EXPECT_EQ(lab.clients.records[6].ends, std::vector{End::Finished});
    EXPECT_EQ(clients.totals().connections, 6U);
    EXPECT_EQ(servers.totals().connections, 6U);
}

TEST_P(PacketTransportTest, MoreThanThereIsRoomForIsNotAnswered) {
    LabOptions o = options();
    o.capacity = 10;
    PacketLab lab(o);
    PacketTransportOptions larger{.capacity = 20};
    lab.clients.transport = std::make_unique<PacketTransport>(
        lab.now, larger, lab.addressing, lab.clients.port, lab.clients.pool, lab.clients);
    for (Id id = 0; id < 12; ++id) lab.open(id);
    lab.run(100ms);
    EXPECT_EQ(lab.clients.opened, 10U);
    EXPECT_EQ(lab.clients.ended, 0U);
    EXPECT_EQ(lab.servers.transport->totals().dropped, 2U);
    EXPECT_EQ(lab.servers.transport->totals().turned_away, 2U);
    lab.clients.transport->close(lab.now, 0);
    EXPECT_TRUE(lab.run_until([&] { return lab.clients.opened == 11; }, 3s));  // the SYN comes again
}

TEST_P(PacketTransportTest, AFullPortLosesNothing) {
    PacketLab lab(options());
    lab.clients.port.limit_transmit(0);
    for (Id id = 0; id < 200; ++id) lab.open(id);
    lab.run(10ms);
    EXPECT_EQ(lab.clients.opened, 0U);
    lab.clients.port.limit_transmit(port::MemoryPort::kNoLimit);
    lab.run(10ms);
    EXPECT_EQ(lab.clients.opened, 200U);
    EXPECT_EQ(lab.clients.transport->totals().retransmits, 0U);
    EXPECT_EQ(lab.clients.transport->totals().dropped, 0U);
}

}  // namespace
}  // namespace sluice::load::test
