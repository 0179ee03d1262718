// Devices and brokers of any size, that read when they like, over whatever scales and segments: at no moment
// is either promised more than the other takes, nothing is sent twice, and every byte arrives.
#include <random>

#include "worker/splice/promises.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Dice {
  public:
    explicit Dice(std::uint32_t seed) : random_(seed) {}
    std::uint32_t between(std::uint32_t least, std::uint32_t most) {
        return std::uniform_int_distribution<std::uint32_t>(least, most)(random_);
    }
    bool one_in(std::uint32_t n) { return between(1, n) == 1; }
    // Small ones are as likely as large ones.
    std::uint32_t size() { return between(1, 8) << between(6, 14); }
    tcp::EndpointOptions host() {
        static constexpr std::array<std::uint16_t, 4> kMss{100, 536, 1200, 1460};
        tcp::EndpointOptions options{.receive_mss = kMss[between(0, 3)],
                                     .receive_buffer = std::max(600U, size())};
        options.window_scale = static_cast<std::uint8_t>(between(0, 9));
        // What a scale cannot say, no window of this host can.
        options.receive_buffer = std::max(options.receive_buffer, 4U << *options.window_scale);
        if (one_in(3)) options.window_scale.reset();
        options.sack = !one_in(3);
        options.timestamps = !one_in(3);
        return options;
    }

  private:
    std::mt19937 random_;
};

void tell(std::uint32_t seed) {
    SCOPED_TRACE(seed);
    Dice dice(seed);
    Lab lab({.brokers = 1,
             .health = "type = \"tcp\"\ninterval = \"1s\"\ntimeout = \"500ms\"",
             .ipv6 = dice.one_in(2)});
    lab.brokers[0]->host.accept_options = dice.host();
    lab.run(seconds(3));
    const std::uint32_t first =
        std::max<std::uint32_t>(backend::kSmallestWindow, lab.brokers[0]->host.accept_options.receive_buffer);
    Promises promises(lab, first);
    const SocketAddress from = lab.next_client_address();
    lab.clients.now = lab.now;
    lab.clients.addresses.push_back(from.address);
    Socket& client = lab.clients.connect(from, lab.listener(), Lab::kFrontMac, dice.host());
    lab.settle();
    std::string up;
    const auto publish = [&] {
        const std::string text(dice.size(), 'u');
        up += text;
        client.write(std::string_view(text));
    };
    client.write(std::string_view(connect_packet("device")));
    // Who sends on without waiting for the CONNACK has its first window again and again.
    lab.settle();
    if (dice.one_in(2)) publish();
    if (dice.one_in(2)) lab.run(milliseconds(dice.between(1, 60)));
    lab.settle();
    std::string down;
    for (int i = 0; i < 60; ++i) {
        Socket* const broker = lab.brokers[0]->socket_of("device");
        if (dice.one_in(3)) publish();
        if (broker != nullptr && dice.one_in(3)) {
            const std::string text(dice.size(), 'd');
            down += text;
            broker->write(std::string_view(text));
        }
        for (Socket* const s : {&client, broker}) {
            if (s == nullptr || !dice.one_in(4)) continue;
            s->hold = !s->hold;
            s->collect();
        }
        if (dice.one_in(2)) lab.run(milliseconds(dice.between(1, 100)));
        lab.settle();
    }
    client.hold = lab.brokers[0]->socket_of("device")->hold = false;
    client.collect();
    lab.brokers[0]->socket_of("device")->collect();
    lab.run(seconds(50));
    EXPECT_EQ(lab.brokers[0]->after_connect("device"), up);
    EXPECT_EQ(client.received, kConnackAccepted + down);
    EXPECT_EQ(promises.fault, "");
    EXPECT_EQ(client.endpoint.statistics().retransmits, 0U);
    EXPECT_EQ(lab.brokers[0]->socket_of("device")->endpoint.statistics().retransmits, 0U);
    EXPECT_EQ(lab.count(Counter::TcpRetransmits), 0U);
    client.abort();
    lab.settle();
    expect_nothing_left(lab);
}

TEST(SplicePromise, HoldsForAllKindsOfEnds) {
    for (std::uint32_t seed = 1; seed <= 150; ++seed) {
        tell(seed);
        if (HasFailure()) break;
    }
}

}  // namespace
}  // namespace sluice::test
