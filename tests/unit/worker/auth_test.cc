// Enhanced authentication (MQTT 5 section 4.12): broker and client exchange AUTH packets before the CONNACK,
// whose Server Keep Alive counts all the same.
#include <gtest/gtest.h>

#include <string>

#include "worker/lab.h"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

const std::string kAuth("\xf0\x03\x18\x01\x00", 5);                 // continue authentication
const std::string kConnack("\x20\x06\x00\x00\x03\x13\x00\x02", 8);  // Server Keep Alive 2 s

// A broker that wants `rounds` AUTH packets from the client before it accepts.
void demand_auth(Lab& lab, std::size_t rounds) {
    lab.brokers[0]->host.listen(1883, [rounds](Socket& socket) {
        const std::size_t connect = connect_packet("careful", mqtt::Version::V5, 600).size();
        if (socket.received.size() < connect) return;
        const std::size_t heard = (socket.received.size() - connect) / kAuth.size();
        const std::size_t said =
            static_cast<std::size_t>(socket.endpoint.statistics().bytes_out) / kAuth.size();
        if (heard == said) socket.write(heard < rounds ? kAuth : kConnack);
    });
}

TEST(Auth, PassesBothWaysUntilTheConnackThatIsThenRead) {
    for (const std::size_t rounds : {1U, 3U}) {
        Lab lab({.brokers = 1});
        demand_auth(lab, rounds);
        Socket& client = lab.client();
        lab.run();
        client.write(connect_packet("careful", mqtt::Version::V5, 600));
        lab.run();
        std::string expected;
        for (std::size_t n = 0; n < rounds; ++n) {
            expected += kAuth;
            EXPECT_EQ(client.received, expected);
            ASSERT_EQ(lab.rows().size(), 1U);
            EXPECT_EQ(lab.rows()[0].phase, session::Phase::Replaying) << "no record before the CONNACK";
            client.write(std::string_view(kAuth));
            lab.run();
        }
        EXPECT_EQ(client.received, expected + kConnack);
        lab.run(100ms);  // its delayed ACK
        ASSERT_EQ(lab.rows().size(), 1U);
        EXPECT_EQ(lab.rows()[0].phase, session::Phase::Spliced);
        EXPECT_EQ(lab.rows()[0].keep_alive, 2);
        lab.run(14s);
        EXPECT_EQ(lab.count(Counter::ClosedIdle), 1U);
        expect_nothing_left(lab);
    }
}

TEST(Auth, AClientThatNeverAnswersIsEndedAtBothSides) {
    Lab lab({.brokers = 1, .listener = "connect_timeout = \"3s\""});
    demand_auth(lab, 1);
    Socket& client = lab.client();
    lab.run();
    client.write(connect_packet("careful", mqtt::Version::V5, 600));
    lab.run(2s);
    EXPECT_EQ(lab.rows().size(), 1U);
    lab.run(3s);
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(lab.count(Counter::ClosedBrokerTimeout), 1U);
    expect_nothing_left(lab);
}

}  // namespace
}  // namespace sluice::test
