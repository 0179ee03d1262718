// Two endpoints on a perfect link: open, talk, close. What an endpoint does with single segments, and on a
// bad link, is told elsewhere.
#include "sluice/tcp/endpoint.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace sluice::tcp {
namespace {

// A segment that owns its payload, for the time it is on the way.
struct Parcel {
    Segment segment;
    std::vector<std::byte> bytes;
    Segment view() const {
        Segment s = segment;
        s.payload = bytes;
        s.payload_tail = {};
        return s;
    }
};

class Wire : public Output {
  public:
    void send(const Segment& segment) override {
        Parcel parcel{segment, {segment.payload.begin(), segment.payload.end()}};
        parcel.bytes.insert(parcel.bytes.end(), segment.payload_tail.begin(), segment.payload_tail.end());
        parcels.push_back(std::move(parcel));
    }
    std::deque<Parcel> parcels;
};

class Pair : public testing::Test {
  protected:
    explicit Pair(EndpointOptions options = {}) : a(options), b(options) {}

    void open() {
        b.listen(Seq(0xfffffff0U));
        a.connect(now, Seq(0x7ffffff0U), from_a);
        run();
    }
    // Delivers until both sides are silent.
    void run() {
        while (!from_a.parcels.empty() || !from_b.parcels.empty()) {
            deliver(from_a, b, from_b);
            deliver(from_b, a, from_a);
        }
    }
    void deliver(Wire& from, Endpoint& to, Wire& answers) {
        if (from.parcels.empty()) return;
        const Parcel parcel = std::move(from.parcels.front());
        from.parcels.pop_front();
        to.on_segment(now, parcel.view(), answers);
    }
    void pass(Duration time) {
        now += time;
        if (a.next_deadline() <= now) a.on_timer(now, from_a);
        if (b.next_deadline() <= now) b.on_timer(now, from_b);
        run();
    }
    std::string read(Endpoint& from, Wire& out) {
        std::string text;
        while (from.readable() != 0) {
            const ByteView piece = from.peek();
            text += as_text(piece);
            from.consume(now, piece.size(), out);
        }
        return text;
    }

    Instant now{1h};
    Wire from_a;
    Wire from_b;
    Endpoint a;
    Endpoint b;
};

TEST_F(Pair, HandshakeAgreesOnOptions) {
    open();
    EXPECT_EQ(a.state(), State::Established);
    EXPECT_EQ(b.state(), State::Established);
    for (const Endpoint* end : {&a, &b}) {
        EXPECT_TRUE(end->position().timestamps);
        EXPECT_TRUE(end->position().sack);
        EXPECT_TRUE(end->position().window_scale);
        EXPECT_EQ(end->position().send_scale, 7);
        EXPECT_EQ(end->position().send_mss, 1448);
        EXPECT_EQ(end->next_deadline(), kNever);
    }
    EXPECT_EQ(a.position().send_next, b.position().receive_next);
    EXPECT_EQ(b.position().send_next, a.position().receive_next);
}

TEST_F(Pair, DataBothWays) {
    open();
    EXPECT_EQ(a.write(now, as_bytes("ping"), from_a), 4U);
    run();
    EXPECT_EQ(read(b, from_b), "ping");
    EXPECT_EQ(a.send_queue(), 4U);  // the ACK is delayed
    EXPECT_EQ(b.write(now, as_bytes("pong"), from_b), 4U);
    run();
    EXPECT_TRUE(a.all_acknowledged());
    EXPECT_EQ(read(a, from_a), "pong");
    pass(40ms);
    EXPECT_TRUE(b.all_acknowledged());
    EXPECT_EQ(a.statistics().retransmits + b.statistics().retransmits, 0U);
}

TEST_F(Pair, WrittenBeforeTheHandshakeFollowsIt) {
    b.listen(Seq(1));
    a.connect(now, Seq(2), from_a);
    a.write(now, as_bytes("early"), from_a);
    a.shutdown(now, from_a);
    EXPECT_EQ(from_a.parcels.size(), 1U);
    run();
    EXPECT_EQ(read(b, from_b), "early");
    EXPECT_TRUE(b.at_end());
    EXPECT_EQ(b.state(), State::CloseWait);
    EXPECT_EQ(a.state(), State::FinWait2);
}

TEST_F(Pair, MoreThanTheBuffersAcrossSequenceWrap) {
    open();
    std::string sent;
    for (int i = 0; i < 100'000; ++i) sent += std::to_string(i) + ' ';
    std::string received;
    std::size_t written = 0;
    while (received.size() < sent.size()) {
        written += a.write(now, as_bytes(std::string_view(sent).substr(written)), from_a);
        run();
        received += read(b, from_b);
        run();
        pass(1ms);
    }
    EXPECT_EQ(received, sent);
    EXPECT_EQ(a.statistics().bytes_out, sent.size());
    EXPECT_EQ(a.statistics().retransmits, 0U);
}

TEST_F(Pair, HalfCloseLeavesTheOtherDirectionOpen) {
    open();
    a.write(now, as_bytes("last words"), from_a);
    a.shutdown(now, from_a);
    run();
    EXPECT_EQ(b.state(), State::CloseWait);
    EXPECT_TRUE(b.peer_finished());
    EXPECT_FALSE(b.at_end());
    EXPECT_EQ(read(b, from_b), "last words");
    EXPECT_TRUE(b.at_end());
    b.write(now, as_bytes("heard"), from_b);
    run();
    EXPECT_EQ(read(a, from_a), "heard");
    b.shutdown(now, from_b);
    run();
    EXPECT_EQ(b.state(), State::Closed);
    EXPECT_EQ(b.failure(), Failure::None);
    EXPECT_EQ(a.state(), State::TimeWait);
    pass(60s);
    EXPECT_EQ(a.state(), State::Closed);
    EXPECT_EQ(a.failure(), Failure::None);
    EXPECT_EQ(a.next_deadline(), kNever);
}

TEST_F(Pair, BothCloseAtOnce) {
    open();
    a.shutdown(now, from_a);
    b.shutdown(now, from_b);
    deliver(from_a, b, from_b);
    EXPECT_EQ(b.state(), State::Closing);
    run();
    EXPECT_EQ(a.state(), State::TimeWait);
    EXPECT_EQ(b.state(), State::TimeWait);
}

TEST_F(Pair, BothOpenAtOnce) {
    a.connect(now, Seq(100), from_a);
    b.connect(now, Seq(200), from_b);
    run();
    EXPECT_EQ(a.state(), State::Established);
    EXPECT_EQ(b.state(), State::Established);
    a.write(now, as_bytes("hello"), from_a);
    run();
    EXPECT_EQ(read(b, from_b), "hello");
}

TEST_F(Pair, AbortTellsThePeer) {
    open();
    a.write(now, as_bytes("read me"), from_a);
    a.abort(now, from_a);
    EXPECT_EQ(a.failure(), Failure::Aborted);
    run();
    EXPECT_EQ(b.state(), State::Closed);
    EXPECT_EQ(b.failure(), Failure::Reset);
    EXPECT_EQ(read(b, from_b), "read me");
    EXPECT_TRUE(from_b.parcels.empty());
}

TEST_F(Pair, ClosedWindowIsProbedUntilItOpens) {
    open();
    const std::string text(200'000, 'x');
    std::size_t written = 0;
    for (int i = 0; i < 10; ++i) {
        written += a.write(now, as_bytes(std::string_view(text).substr(written)), from_a);
        run();
    }
    EXPECT_LE(b.readable(), 64U * 1024);
    EXPECT_GT(b.readable(), 63U * 1024);
    for (int i = 0; i < 600; ++i) pass(10s);  // far beyond probe_retries, but answered
    EXPECT_EQ(a.state(), State::Established);
    std::string received;
    while (received.size() < text.size()) {
        written += a.write(now, as_bytes(std::string_view(text).substr(written)), from_a);
        received += read(b, from_b);
        pass(100ms);
    }
    EXPECT_EQ(received, text);
}

}  // namespace
}  // namespace sluice::tcp
