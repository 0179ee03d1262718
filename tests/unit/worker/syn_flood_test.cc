// A flood of SYNs from addresses that answer nothing, half a million a second, and clients that come
// meanwhile: they get in at once, are spliced like others, and nothing of the flood is left behind.
//
// SLUICE_FLOOD_MILLISECONDS says how long it is, in the lab's time.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "worker/model/amount.h"
#include "worker/packets.h"

namespace sluice::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Flood {
    bool ipv6 = false;
    unsigned workers = 1;
};
void PrintTo(const Flood& f, std::ostream* out) {
    *out << (f.ipv6 ? "IPv6, " : "IPv4, ") << f.workers << " workers";
}

class SynFlood : public testing::TestWithParam<Flood> {
  protected:
    explicit SynFlood(const std::string& listener = "half_open = 300\n")
        : lab({.workers = GetParam().workers,
               .listener = listener,
               .ipv6 = GetParam().ipv6,
               .max_connections = 3000}) {}

    SocketAddress stranger() {
        const auto port = static_cast<std::uint16_t>(1024 + random_() % 60000);
        if (!GetParam().ipv6)
            return {IpAddress::v4(static_cast<std::uint32_t>(0x0a018000U + random_() % 0x7f00)), port};
        return {*IpAddress::parse("fd00:1::dead:" + std::to_string(random_() % 10000)), port};
    }

    Frame forged_syn() {
        return make_segment({.from = stranger(),
                             .to = lab.listener(),
                             .sequence = static_cast<std::uint32_t>(random_()),
                             .flags = {.syn = true},
                             .options = {.mss = 1460}});
    }

    // 50 SYNs each 100 microseconds.
    void flood() {
        for (int i = 0; i < 50; ++i) lab.inject(0, forged_syn());
        lab.now += microseconds(100);
        lab.settle();
    }

    Lab lab;

  private:
    std::mt19937 random_{GetParam().workers};
};

TEST_P(SynFlood, KeepsNobodyOut) {
    // Of before: held, and answered only when the flood is over.
    Socket& settled = lab.connect("settled");
    std::vector<Frame> held_back;
    bool hold_back = true;
    lab.lose_received = [&](std::uint16_t port, ByteView frame) {
        if (port == 0 && hold_back) held_back.emplace_back(frame.begin(), frame.end());
        return port == 0 && hold_back;
    };
    std::vector<Socket*> early;
    for (int i = 0; i < 20; ++i) {
        hold_back = false;
        early.push_back(&lab.client());
        lab.inject(0, lab.clients.out.front());
        lab.clients.out.pop_front();
        hold_back = true;
        lab.settle();
    }
    ASSERT_EQ(lab.usage().half_open, 20U);
    hold_back = false;

    const auto steps = amount("SLUICE_FLOOD_MILLISECONDS", 50) * 10;
    std::vector<Socket*> clients;
    for (std::uint64_t step = 0; step < steps; ++step) {
        if (step % (steps / 100) == 0) {
            clients.push_back(&lab.client());
            clients.back()->write(connect_packet("c" + std::to_string(clients.size())));
        }
        flood();
        EXPECT_LE(lab.usage().half_open, 300U);
    }
    EXPECT_GE(lab.count(Counter::SynCookiesSent), steps * 50 - 300);
    lab.run(milliseconds(1));
    for (const Socket* c : clients) EXPECT_EQ(c->received, kConnackAccepted);
    EXPECT_GE(lab.count(Counter::SynCookiesAccepted), clients.size() * 9 / 10);
    for (const Frame& frame : held_back) lab.inject(0, frame);
    for (Socket* c : early) c->write(connect_packet("e" + std::to_string(c->tuple.local.port)));
    settled.write("\xc0\x00 still here");
    lab.run(milliseconds(100));
    for (const Socket* c : early) EXPECT_EQ(c->received, kConnackAccepted);
    EXPECT_EQ(lab.count(Counter::Spliced), clients.size() + early.size() + 1);
    EXPECT_EQ(lab.broker_of("settled")->after_connect("settled"), std::string_view("\xc0\x00 still here"));

    lab.run(seconds(11));
    EXPECT_EQ(lab.usage().half_open, 0U);
    EXPECT_EQ(lab.usage().connections, clients.size() + early.size() + 1);
    EXPECT_LE(lab.frames->outstanding(), 64U * GetParam().workers);
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.settle();
    expect_nothing_left(lab);
}

// Who had lost his first SYN asks again after a second, and waits no longer.
TEST_P(SynFlood, CostsAClientWhoseSynIsLostOneSecond) {
    Socket& client = lab.client();
    client.write(connect_packet("unlucky"));
    lab.clients.out.clear();
    lab.run(milliseconds(999));
    for (int i = 0; i < 20; ++i) flood();
    EXPECT_EQ(client.received, kConnackAccepted);
}

// Where half_open names more places than there are, a flood gets half of those that are left.
void expect_room(Lab& lab, const std::function<void()>& flood, std::uint32_t places, std::uint32_t clients) {
    std::vector<Socket*> all;
    for (std::uint32_t i = 0; i < clients; ++i) {
        for (int k = 0; k < 10; ++k) flood();
        all.push_back(&lab.client());
        all.back()->write(connect_packet("c" + std::to_string(i)));
        lab.settle();
        EXPECT_EQ(all.back()->received, kConnackAccepted) << i;
        EXPECT_LE(lab.usage().half_open, places / 2 + 3);  // rounded up by each worker
    }
    EXPECT_EQ(lab.count(Counter::DropSynTableFull), 0U);
    EXPECT_EQ(lab.count(Counter::DropSynListenerFull), 0U);
}

class SynFloodOnAFullTable : public SynFlood {
  protected:
    SynFloodOnAFullTable() : SynFlood("half_open = 1000000\n") {}
};
TEST_P(SynFloodOnAFullTable, KeepsNobodyOut) {
    expect_room(
        lab, [this] { flood(); }, 3000, 100);
}

class SynFloodOnAFullListener : public SynFlood {
  protected:
    SynFloodOnAFullListener() : SynFlood("half_open = 1000000\nmax_connections = 600\n") {}
};
TEST_P(SynFloodOnAFullListener, KeepsNobodyOut) {
    expect_room(
        lab, [this] { flood(); }, 600, 40);
}

const auto kFloods = testing::Values(Flood{false, 1}, Flood{false, 3}, Flood{true, 1}, Flood{true, 3});
INSTANTIATE_TEST_SUITE_P(Of, SynFlood, kFloods);
INSTANTIATE_TEST_SUITE_P(Of, SynFloodOnAFullTable, kFloods);
INSTANTIATE_TEST_SUITE_P(Of, SynFloodOnAFullListener, kFloods);

}  // namespace
}  // namespace sluice::test
