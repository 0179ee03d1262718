// What the balancer costs in round trips: the same clients and brokers talk through it and without it, a
// virtual distance apart, and nobody waits longer because of the windows that Sluice announces.
#include <deque>

#include "worker/splice/promises.h"

namespace sluice::test::distance_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kOneWay = milliseconds(50);
constexpr const char* kTcp = "type = \"tcp\"\ninterval = \"1s\"\ntimeout = \"500ms\"";

// Frames between a client's host and whoever is at the other end take their time.
class Distance {
  public:
    struct Frames {
        Instant due;
        bool to_client;
        std::vector<std::byte> frame;
    };
    void put(Instant now, bool to_client, ByteView frame) {
        on_the_way_.push_back({now + kOneWay, to_client, {frame.begin(), frame.end()}});
    }
    template <typename Deliver>
    void take(Instant now, Deliver&& deliver) {
        while (!on_the_way_.empty() && on_the_way_.front().due <= now) {
            const Frames f = std::move(on_the_way_.front());
            on_the_way_.pop_front();
            deliver(f.to_client, f.frame);
        }
    }

  private:
    std::deque<Frames> on_the_way_;
};

struct Task {
    std::string connect = connect_packet("device");
    std::string up = {};             // sent on the CONNACK
    std::string down = {};           // likewise by the broker, on its CONNACK
    std::size_t buffer = 1U << 20U;  // of either end
};

// Round trips until all has arrived.
struct Trips {
    double connack = 0;
    double all = 0;
};

tcp::EndpointOptions options_of(const Task& task) {
    return {.receive_buffer = static_cast<std::uint32_t>(task.buffer), .send_buffer = 1U << 24U};
}

double trips(Duration time) {
    return std::chrono::duration<double>(time) / (2 * std::chrono::duration<double>(kOneWay));
}

// One turn a millisecond until everything has come, or for ten minutes.
template <typename Turn>
Trips transfer(const Task& task, Socket& client, Broker& broker, Instant& now, Turn&& turn) {
    const Instant start = now;
    Trips result;
    std::optional<Instant> answered;
    bool asked = false;
    client.write(std::string_view(task.connect));
    while (now < start + seconds(600)) {
        turn();
        if (client.received.empty()) continue;
        if (!answered) {
            answered = now;
            result.connack = trips(now - start);
        }
        if (now < *answered + 2 * kOneWay) continue;
        if (!asked) {
            asked = true;
            client.write(std::string_view(task.up));
            broker.socket_of("device")->write(std::string_view(task.down));
        }
        if (client.received.size() >= 4 + task.down.size() &&
            broker.after_connect("device").size() >= task.up.size()) {
            result.all = trips(now - start);
            return result;
        }
    }
    return result;
}

Trips directly(const Task& task) {
    Broker broker({IpAddress::v4(10, 2, 0, 2)}, 1);
    broker.host.accept_options = options_of(task);
    Host host(MacAddress{{0x02, 0, 0, 0, 1, 99}}, {IpAddress::v4(10, 1, 1, 1)});
    Instant now = Instant{} + std::chrono::hours(1);
    Distance distance;
    const auto turn = [&] {
        now += milliseconds(1);
        distance.take(now, [&](bool to_client, ByteView frame) {
            (to_client ? host : broker.host).on_frame(now, frame);
        });
        host.on_timer(now);
        broker.host.on_timer(now);
        for (; !host.out.empty(); host.out.pop_front()) distance.put(now, false, host.out.front());
        for (; !broker.host.out.empty(); broker.host.out.pop_front()) {
            distance.put(now, true, broker.host.out.front());
        }
    };
    host.now = now;
    Socket& client = host.connect({IpAddress::v4(10, 1, 1, 1), 20000}, {IpAddress::v4(10, 2, 0, 2), 1883},
                                  broker.host.mac, options_of(task));
    return transfer(task, client, broker, now, turn);
}

Trips through_sluice(const Task& task, const Setup& setup) {
    Lab lab(setup);
    Broker& broker = *lab.brokers[0];
    broker.host.accept_options = options_of(task);
    lab.run(seconds(3));
    Distance distance;
    lab.lose_sent = [&](std::uint16_t port, ByteView frame) {
        if (port == 0) distance.put(lab.now, true, frame);
        return port == 0;
    };
    bool arriving = false;
    lab.lose_received = [&](std::uint16_t port, ByteView frame) {
        if (port == 0 && !arriving) distance.put(lab.now, false, frame);
        return port == 0;
    };
    const auto turn = [&] {
        lab.run(milliseconds(1));
        distance.take(lab.now, [&](bool to_client, ByteView frame) {
            if (to_client) {
                lab.clients.on_frame(lab.now, frame);
            } else {
                lab.inject(0, frame);
            }
        });
        lab.settle();
    };
    const SocketAddress from = lab.next_client_address();
    lab.clients.now = lab.now;
    lab.clients.addresses.push_back(from.address);
    Socket& client = lab.clients.connect(from, lab.listener(), Lab::kFrontMac, options_of(task));
    const Trips result = transfer(task, client, broker, lab.now, turn);
    EXPECT_EQ(lab.count(Counter::Spliced), 1U);
    return result;
}

void compare(const char* what, const Task& task, const Setup& setup, double more) {
    SCOPED_TRACE(what);
    const Trips without = directly(task);
    const Trips with = through_sluice(task, setup);
    EXPECT_GT(without.all, 0);
    EXPECT_LE(with.connack, without.connack + more);
    EXPECT_LE(with.all, without.all + more);
    EXPECT_GT(with.all, 0);
    ::testing::Test::RecordProperty(
        what, std::to_string(with.all) + " round trips, directly " + std::to_string(without.all));
}

TEST(SpliceDistance, IsNoneForWhoKnowsTheBrokers) {
    for (const bool ipv6 : {false, true}) {
        const ::sluice::test::Setup learned{
            .brokers = 1, .listener = "max_connect_size = \"256KiB\"", .health = kTcp, .ipv6 = ipv6};
        compare("a small CONNECT", {}, learned, 0.1);
        compare("a CONNECT of 20 KB", {.connect = large_connect(20'000)}, learned, 0.1);
        compare("a CONNECT of 70 KB", {.connect = large_connect(70'000)}, learned, 0.1);
        compare("a CONNECT of 120 KB", {.connect = large_connect(120'000)}, learned, 0.1);
        compare("10 MB up", {.up = std::string(10'000'000, 'u')}, learned, 0.1);
        compare("10 MB down", {.down = std::string(10'000'000, 'd')}, learned, 0.1);
        compare("1 MB both ways, small buffers",
                {.up = std::string(1'000'000, 'u'), .down = std::string(1'000'000, 'd'), .buffer = 32'768},
                learned, 0.6);
    }
}

// Without probes the first 2 KiB must be read before a larger CONNECT is let in.
TEST(SpliceDistance, IsOneRoundTripForALargeConnectToABrokerThatNobodyKnows) {
    const ::sluice::test::Setup unknown{.brokers = 1, .listener = "max_connect_size = \"256KiB\""};
    compare("a small CONNECT", {}, unknown, 0.1);
    compare("a CONNECT of 70 KB", {.connect = large_connect(70'000)}, unknown, 1.1);
    compare("10 MB up", {.up = std::string(10'000'000, 'u')}, unknown, 0.1);
    compare("10 MB down", {.down = std::string(10'000'000, 'd')}, unknown, 0.1);
}

}  // namespace
}  // namespace sluice::test::distance_test
