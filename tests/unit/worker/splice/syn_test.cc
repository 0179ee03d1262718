// A SYN for a tuple that is spliced passes to nobody: behind it might be a connection that nobody has decided
// on. While the record lives its sender is challenged (RFC 5961 section 4) and, if that tells nothing, asked;
// once only stragglers are waited for it opens the tuple anew, if it is later than all that the tuple has
// carried (RFC 6191).
#include "worker/splice/story.h"

namespace sluice::test::syn_test {
namespace {

const std::string kOptions = " mss 1460 scale 7 sackok";

void close_in_order(Spliced& story, const std::string& clock) {
    story.client_passes("F. 0:0" + clock);
    story.broker_passes("F. 0:0 ack 1");
    story.client_passes(". 1:1 ack 1" + clock);
    EXPECT_EQ(story.phase(), session::Phase::Closing);
}

using std::chrono::milliseconds;
using std::chrono::seconds;

const char* name(Side side) { return side == Side::Client ? "client " : "broker "; }
Side opposite(Side side) { return side == Side::Client ? Side::Broker : Side::Client; }

TEST(SpliceSyn, OnALiveTuplePassesToNobodyAndIsChallenged) {
    for (const bool ipv6 : {false, true}) {
        for (const Side side : {Side::Client, Side::Broker}) {
            // From elsewhere, of the handshake itself, with text, and an answer to nobody's.
            for (const char* const syn : {"S 5000000:5000000 win 65535 ts 90/0", "S -21:-21 win 65535 nots",
                                          "S 0:40", "SF 0:0", "S. 7000:7000 ack 0", "S. -5:-5 ack -20"}) {
                SCOPED_TRACE(syn);
                Spliced story(over(ipv6));
                story.says(side, syn + kOptions);
                story.expect({name(side) + std::string(". 0:0 ack 0")});
                EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_splice_syn", 1}}));
                EXPECT_EQ(story.moved("splice_challenges"), (Moved{{"splice_challenges", 1}}));
                story.client_passes("P. 0:10");
                story.broker_passes("P. 0:10 ack 10");
                story.expect_alive();
            }
            Spliced story(over(ipv6));
            story.says(side, "SR 0:0");  // nonsense, and nobody answers an RST
            story.expect({});
            story.expect_alive();
        }
    }
}

// The numbers of the challenge are those that both ends have confirmed, so the answer of an end that has
// forgotten is exact.
TEST(SpliceSyn, OfAnEndThatHasForgottenEndsTheOldConnectionByItsReset) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("P. 0:10");
        story.broker_passes(". 0:0 ack 10");
        story.client_passes("P. 10:30");
        story.broker_passes("P. 0:7 ack 10");
        const std::string syn = "S 5000000:5000000 win 65535 ts 90/0" + kOptions;
        story.client(syn);
        story.expect({"client . 0:0 ack 10"});
        story.client("R 10:10");
        story.expect({"broker R 10:10"});
        EXPECT_EQ(story.lab.rows().size(), 0U);
        EXPECT_EQ(story.lab.count(Counter::ClosedClientReset), 1U);
        // The SYN again, and it opens the tuple anew.
        story.client(syn);
        ASSERT_EQ(story.tap.tcp.size(), 1U);
        EXPECT_TRUE(story.tap.tcp[0].is_syn_ack());
        EXPECT_EQ(story.tap.tcp[0].to, story.leg(Side::Client).remote);
        EXPECT_EQ(story.phase(), session::Phase::Handshake);
    }
}

TEST(SpliceSyn, IsChallengedTwiceASecondAtMost) {
    Spliced story;
    const std::string syn = "S 5000000:5000000" + kOptions;
    for (int i = 0; i < 9; ++i) {
        story.client(syn);
        story.lab.run(milliseconds(100));
    }
    story.expect({"client . 0:0 ack 0", "client . 0:0 ack 0"});
    story.expect_alive();
}

// A firewall may eat the challenge or the reset. Who lives answers a probe; silence to three is an answer
// too.
TEST(SpliceSyn, OfAnEndThatSaysNothingElseEndsTheOldConnection) {
    for (const bool ipv6 : {false, true}) {
        for (const Side side : {Side::Client, Side::Broker}) {
            Spliced story(over(ipv6));
            story.says(side, "S 5000000:5000000" + kOptions);
            story.lab.run(milliseconds(5900));
            const std::string probe = name(side) + std::string(". -1:-1 ack 0");
            story.expect({name(side) + std::string(". 0:0 ack 0"), probe, probe, probe});
            EXPECT_EQ(story.phase(), session::Phase::Spliced);
            story.lab.run(milliseconds(200));
            story.expect({"client R. 0:0 ack 0", "broker R. 0:0 ack 0"});
            story.expect_gone(side == Side::Client ? Counter::ClosedClientTimeout
                                                   : Counter::ClosedBrokerTimeout);
        }
    }
}

TEST(SpliceSyn, ThatWasForgedEndsNothingAsLongAsTheEndAnswers) {
    for (const bool ipv6 : {false, true}) {
        for (const Side side : {Side::Client, Side::Broker}) {
            Spliced story(over(ipv6));
            for (int i = 0; i < 5; ++i) {
                story.says(side, "S 5000000:5000000" + kOptions);
                story.lab.run(milliseconds(1100));
                story.expect(
                    {name(side) + std::string(". 0:0 ack 0"), name(side) + std::string(". -1:-1 ack 0")});
                story.says(side, ". 0:0 ack 0");
                story.expect({name(opposite(side)) + std::string(". 0:0 ack 0")});
                story.lab.run(seconds(7));
                story.expect({});
            }
            story.expect_alive();
        }
    }
}

// What a stranger says in the end's place is no answer, and what the other end says is none either.
TEST(SpliceSyn, OnlyTheAskedEndItselfAnswers) {
    Spliced story;
    story.client("S 5000000:5000000" + kOptions);
    story.lab.run(milliseconds(1100));
    story.client(". 1000000:1000000 ack 0");
    story.client(". 0:0 ack 1000000");
    story.broker("P. 0:10 ack 0");
    story.lab.run(seconds(6));
    EXPECT_EQ(story.lab.count(Counter::ClosedClientTimeout), 1U);
}

// With hosts: a device that lost power comes back by the same port, whoever its worker is.
TEST(SpliceSyn, OfAClientThatRebootedConnectsItAgain) {
    for (const unsigned workers : {1U, 3U}) {
        for (const bool ipv6 : {false, true}) {
            Lab lab({.workers = workers, .brokers = 1, .ipv6 = ipv6});
            const SocketAddress from = connect_spliced(lab, "device").tuple.local;
            const std::size_t at_broker = lab.brokers[0]->host.sockets.size();
            lab.clients.sockets.clear();
            Socket& again = lab.client(from);
            lab.run(milliseconds(500));
            EXPECT_EQ(lab.brokers[0]->host.sockets.size(), at_broker);
            lab.run(seconds(2));
            EXPECT_EQ(again.endpoint.state(), tcp::State::Established);
            EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);
            again.write(std::string_view(connect_packet("device")));
            lab.run(milliseconds(50));
            EXPECT_EQ(again.received, kConnackAccepted);
            ASSERT_EQ(lab.rows().size(), 1U);
            EXPECT_EQ(lab.rows()[0].phase, session::Phase::Spliced);
            again.abort();
            lab.settle();
            expect_nothing_left(lab);
        }
    }
}

TEST(SpliceSyn, InOneBurstWithDataDisturbsNothing) {
    Spliced story;
    const std::string syn = "S 5000000:5000000" + kOptions;
    for (const std::string& line : {std::string("P. 0:10"), syn, std::string("P. 10:20")}) {
        story.lab.inject(0, story.frame(Side::Client, line));
    }
    story.lab.settle();
    story.expect({"client . 0:0 ack 0", "broker P. 0:10", "broker P. 10:20"});
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
            story.client(syn);  // as a host in TIME-WAIT answers it
            story.expect({"client . 1:1 ack 1" + std::string(r.timestamps ? " ts 0/500" : "")});
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
}  // namespace sluice::test::syn_test
