// What Sluice says to strangers: who floods it with one thing takes nothing from those who ask for another,
// nor from those who ask once.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <string>

#include "worker/packets.h"

namespace sluice::test::answers_test {
namespace {

struct Case {
    bool ipv6;
    unsigned workers;
};

class Answers : public testing::TestWithParam<Case> {
  protected:
    Answers() { set_speed(1); }  // the least of every kind: 200 a second and worker, half of them in shares

    void set_speed(std::uint32_t speed) {
        for (std::uint16_t port = 0; port < 2; ++port) {
            worker::Command command;
            command.kind = worker::Command::Kind::SetSpeed;
            command.port = port;
            command.speed = speed;
            lab.command(command);
        }
        lab.settle();
    }
    // Another host, over IPv6 another /64, for each number.
    SocketAddress stranger(std::uint32_t number) const {
        const auto low = static_cast<std::uint8_t>(number);
        const auto high = static_cast<std::uint8_t>(number >> 8U);
        if (!GetParam().ipv6) return {IpAddress::v4(172, 16, high, low), 7000};
        std::array<std::byte, 16> bytes{std::byte{0xfd}, std::byte{9}};
        bytes[6] = std::byte{high};
        bytes[7] = std::byte{low};
        return {IpAddress::v6(bytes), 7000};
    }
    SocketAddress source() const {
        return {*IpAddress::parse(GetParam().ipv6 ? "fd00:2::10" : "10.2.0.10"), 2000};
    }
    RawSegment says(const SocketAddress& from, std::string text) const {
        return {.from = from,
                .to = lab.listener(),
                .sequence = 5,
                .acknowledgement = 1000,
                .flags = {.ack = true},
                .payload = std::move(text)};
    }
    void receive(const RawSegment& segment) {
        lab.inject(0, make_segment(segment));
        if (++received_ % 64 == 0) lab.settle();
    }
    void flood(int segments, const std::function<RawSegment(std::uint32_t)>& make) {
        for (int i = 0; i < segments; ++i) receive(make(static_cast<std::uint32_t>(i)));
        lab.settle();
    }
    // How many of a hundred hosts that were not heard before are told.
    std::uint64_t told(const std::function<RawSegment(SocketAddress)>& make) {
        const std::uint64_t before = lab.count(Counter::TcpResetsSent);
        for (int i = 0; i < 100; ++i) receive(make(stranger(fresh_++)));
        lab.settle();
        return lab.count(Counter::TcpResetsSent) - before;
    }

    Lab lab{{.workers = GetParam().workers, .ipv6 = GetParam().ipv6}};

  private:
    int received_ = 0;
    std::uint32_t fresh_ = 50'000;
};

TEST_P(Answers, AFloodOfOneKindLeavesTheOthers) {
    flood(20'000, [&](std::uint32_t i) { return says(stranger(i), ""); });
    EXPECT_GT(lab.count(Counter::DropTcpResetRate), 15'000U);
    EXPECT_EQ(told([&](SocketAddress from) { return says(from, ""); }), 0U) << "the flood's own";
    EXPECT_EQ(told([&](SocketAddress from) { return says(from, "\xc0\x00"); }), 100U) << "PINGREQ";
    EXPECT_EQ(told([&](SocketAddress from) { return says(from, "x"); }), 100U) << "a probe with a byte";
    EXPECT_EQ(told([&](SocketAddress from) {
                  RawSegment syn = says(from, "");
                  syn.to.port = 1;
                  syn.flags = {.syn = true};
                  return syn;
              }),
              100U)
        << "a closed port";
    lab.run(1s);
    EXPECT_EQ(told([&](SocketAddress from) { return says(from, ""); }), 100U);
}

TEST_P(Answers, ASourceWithoutEndLeavesTheOthers) {
    flood(8'000, [&](std::uint32_t) { return says(stranger(1), "text"); });
    EXPECT_GT(lab.count(Counter::DropTcpResetRate), 4'000U);
    EXPECT_GE(told([&](SocketAddress from) { return says(from, "text"); }), 99U);
}

TEST_P(Answers, AFinIsTextAndAPortScanIsNot) {
    flood(8'000, [&](std::uint32_t i) {
        RawSegment syn = says(stranger(i), "");
        syn.to.port = static_cast<std::uint16_t>(1 + i % 1000);
        syn.flags = {.syn = true};
        return syn;
    });
    EXPECT_EQ(told([&](SocketAddress from) {
                  RawSegment fin = says(from, "");
                  fin.flags.fin = true;
                  return fin;
              }),
              100U);
}

TEST_P(Answers, StrangersTakeNothingFromBrokers) {
    const auto to_source = [&](SocketAddress from, std::uint32_t i) {
        return RawSegment{.from = from,
                          .to = {source().address, static_cast<std::uint16_t>(2000 + i % 1000)},
                          .sequence = 5,
                          .acknowledgement = 1000,
                          .flags = {.ack = true},
                          .payload = "text",
                          .destination_mac = Lab::kBackMac};
    };
    for (std::uint32_t i = 0; i < 8'000; ++i) {
        lab.inject(1, make_segment(to_source(stranger(i), i)));
        if (i % 64 == 0) lab.settle();
    }
    lab.settle();
    EXPECT_GT(lab.count(Counter::DropTcpResetRate), 4'000U);
    const std::uint64_t before = lab.count(Counter::TcpResetsSent);
    const SocketAddress broker{lab.seat_of(0).config.address};
    for (std::uint32_t i = 0; i < 100; ++i) lab.inject(1, make_segment(to_source(broker, i)));
    lab.settle();
    EXPECT_EQ(lab.count(Counter::TcpResetsSent) - before, 100U);
}

TEST_P(Answers, AllWorkersTogetherSendWhatThePortsSpeedAllows) {
    set_speed(100);
    flood(30'000, [&](std::uint32_t i) { return says(stranger(i), "text"); });
    const std::uint64_t sent = lab.count(Counter::TcpResetsSent);
    EXPECT_LE(sent, 3100U + 3 * 1024U) << "31 a second for each Mbit/s, and shares of one at least";
    EXPECT_GE(sent, 2500U);
    set_speed(10'000);
    lab.run(100ms);
    EXPECT_EQ(told([&](SocketAddress from) { return says(from, "text"); }), 100U);
}

TEST_P(Answers, APortThatTakesNoMoreIsNotGivenAnswers) {
    set_speed(0);
    lab.ports[0]->limit_transmit(0);
    for (std::uint32_t i = 0; i < 5000; ++i) {
        lab.inject(0, make_segment(says(stranger(i), "text")));
        if (i % 32 != 0) continue;
        for (const auto& worker : lab.workers) worker->step(lab.now);
    }
    EXPECT_EQ(lab.count(Counter::DropTxFull), 0U);
    EXPECT_LE(lab.count(Counter::TcpResetsSent), 512U * GetParam().workers);
    lab.ports[0]->limit_transmit(port::MemoryPort::kNoLimit);
    lab.settle();
    EXPECT_EQ(told([&](SocketAddress from) { return says(from, "text"); }), 100U);
}

TEST_P(Answers, AResetIsNeverLargerThanWhatItAnswers) {
    Tap tap(lab);
    for (const std::string& text : {std::string(), std::string("x"), std::string(500, 'x')}) {
        for (const wire::TcpFlags flags :
             {wire::TcpFlags{.ack = true}, wire::TcpFlags{.fin = true}, wire::TcpFlags{}}) {
            RawSegment segment = says(stranger(1), text);
            segment.flags = flags;
            const Frame question = make_segment(segment);
            tap.frames.clear();
            lab.inject(0, question);
            lab.settle();
            ASSERT_EQ(tap.frames.size(), 1U);
            EXPECT_LE(tap.frames[0].second.size(), question.size());
            // And is not answered itself.
            segment.flags.rst = true;
            lab.inject(0, make_segment(segment));
            lab.settle();
            EXPECT_EQ(tap.frames.size(), 1U);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Families, Answers,
                         testing::Values(Case{false, 1}, Case{true, 1}, Case{false, 3}, Case{true, 3}));

}  // namespace
}  // namespace sluice::test::answers_test
