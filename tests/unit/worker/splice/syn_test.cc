// A SYN for a tuple that is spliced: while the connection lives it is the broker's to challenge (RFC 5961
// section 4), and once only stragglers are waited for it opens the tuple anew, if it is later than all that
// the tuple has carried (RFC 6191).
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

const std::string kOptions = " mss 1460 scale 7 sackok";

void close_in_order(Spliced& story, const std::string& clock) {
    story.client_passes("F. 0:0" + clock);
    story.broker_passes("F. 0:0 ack 1");
    story.client_passes(". 1:1 ack 1" + clock);
    EXPECT_EQ(story.phase(), session::Phase::Closing);
}

TEST(SpliceSyn, OnALiveTupleGoesToTheBrokerWhoseChallengeComesBack) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("S 5000000:5000000 win 65535 ts 90/0" + kOptions);
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        story.broker_passes(". 0:0 ack 0");
        story.client_passes("R 0:0");  // there is no such connection here any more
        EXPECT_EQ(story.lab.rows().size(), 0U);
        // The SYN again, and it opens the tuple anew.
        story.client("S 5000000:5000000 win 65535 ts 1090/0" + kOptions);
        ASSERT_EQ(story.tap.tcp.size(), 1U);
        EXPECT_TRUE(story.tap.tcp[0].is_syn_ack());
        EXPECT_EQ(story.tap.tcp[0].to, story.leg(Side::Client).remote);
        EXPECT_EQ(story.phase(), session::Phase::Handshake);
        EXPECT_EQ(story.lab.count(Counter::ClosedClientReset), 1U);
        EXPECT_EQ(story.moved("drop_"), Moved{});
    }
}

// The same with hosts: a device that lost power comes back by the same port.
TEST(SpliceSyn, OfAClientThatRebootedConnectsItAgain) {
    for (const bool ipv6 : {false, true}) {
        Lab lab({.brokers = 1, .ipv6 = ipv6});
        const SocketAddress from = connect_spliced(lab, "device").tuple.local;
        lab.clients.sockets.clear();
        Socket& again = lab.client(from);
        lab.run(std::chrono::seconds(2));
        EXPECT_EQ(again.endpoint.state(), tcp::State::Established);
        EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);
        again.write(std::string_view(connect_packet("device")));
        lab.run(std::chrono::milliseconds(50));
        EXPECT_EQ(again.received, kConnackAccepted);
        ASSERT_EQ(lab.rows().size(), 1U);
        EXPECT_EQ(lab.rows()[0].phase, session::Phase::Spliced);
        again.abort();
        lab.settle();
        expect_nothing_left(lab);
    }
}

TEST(SpliceSyn, RepeatedFromTheHandshakeChangesNothing) {
    for (const bool ipv6 : {false, true}) {
        Plot plot;
        plot.broker.scale = 10;  // a SYN's window is not scaled (RFC 7323 section 2.2)
        Spliced story(over(ipv6, plot));
        story.client_passes("S -21:-21 win 65535" + kOptions);
        story.broker_passes(". 0:0 ack 0 win 0");
        story.broker_passes("S. -5:-5 ack -20 win 65535" + kOptions);
        story.client_passes(". 0:0 ack 0");
        story.client_passes("P. 0:10");
        story.broker_passes("P. 0:10 ack 10 win 0");
        story.expect_alive();
    }
}

TEST(SpliceSyn, InOneBurstWithDataKeepsItsPlace) {
    Spliced story;
    const std::string syn = "S 5000000:5000000" + kOptions;
    for (const std::string& line : {std::string("P. 0:10"), syn, std::string("P. 10:20")}) {
        story.lab.inject(0, story.frame(Side::Client, line));
    }
    story.lab.settle();
    story.expect({"broker P. 0:10", "broker " + syn, "broker P. 10:20"});
    story.expect_alive();
}

TEST(SpliceSyn, WithAWrongChecksumIsDropped) {
    Spliced story;
    story.client("S 5000000:5000000 badsum" + kOptions);
    story.expect({});
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_tcp_checksum", 1}}));
    story.expect_alive();
}

struct Reuse {
    const char* syn;
    bool timestamps;
    bool opens;
};

TEST(SpliceSyn, DuringTheLingerOpensTheTupleAnewWhenItIsLater) {
    for (const Reuse& r :
         {Reuse{"S 100000:100000 ts 501/0", true, true}, Reuse{"S -100:-100 ts 501/0", true, true},
          Reuse{"S 100000:100000 ts 499/0", true, false},
          // Within one tick of the clock, and without a clock, numbers decide.
          Reuse{"S 100000:100000 ts 500/0", true, true}, Reuse{"S -100:-100 ts 500/0", true, false},
          Reuse{"S 100000:100000", false, true}, Reuse{"S 2:2", false, true}, Reuse{"S 1:1", false, false},
          Reuse{"S -100:-100", false, false}}) {
        SCOPED_TRACE(r.syn);
        Plot plot;
        plot.client.timestamps = plot.broker.timestamps = r.timestamps;
        Spliced story(plot);
        close_in_order(story, r.timestamps ? " ts 500/0" : "");
        const std::string syn = r.syn + kOptions;
        if (!r.opens) {
            story.client_passes(syn);  // the broker may know better
            EXPECT_EQ(story.phase(), session::Phase::Closing);
            story.lab.run(std::chrono::seconds(1));
            story.expect_gone(Counter::ClosedOrderly);
            continue;
        }
        story.client(syn);
        ASSERT_EQ(story.tap.tcp.size(), 1U);
        EXPECT_TRUE(story.tap.tcp[0].is_syn_ack());
        EXPECT_EQ(story.tap.tcp[0].port, 0);
        EXPECT_EQ(story.phase(), session::Phase::Handshake);
        EXPECT_EQ(story.lab.count(Counter::LeasesReleased), 1U);
        EXPECT_EQ(story.lab.usage().backends[0][0].quarantined, 1U);
    }
}

}  // namespace
}  // namespace sluice::test
