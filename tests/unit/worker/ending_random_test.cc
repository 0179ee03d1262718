// Many connections over bad wires, each with an end that says something and then ends in some way at some
// moment, and another one that reads slowly: every byte that Sluice had acknowledged arrives.
#include <gtest/gtest.h>

#include <algorithm>

#include "sluice/base/random.h"
#include "worker/packets.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kId = "device-1";

enum class End : std::uint8_t { Reset, Fin, FinThenReset, Silence };

// Drawn from a seed.
struct Fate {
    explicit Fate(std::uint64_t seed) : random(seed) {}
    std::uint64_t below(std::uint64_t n) { return random.below(n); }

    SplitMix64 random;
    bool ipv6 = below(2) == 0;
    unsigned workers = below(2) == 0 ? 1U : 3U;
    bool by_client = below(3) != 0;
    End end = static_cast<End>(below(4));
    std::uint64_t loss = below(4) == 0 ? 0 : below(8);  // percent, each way on either side
    bool sack = below(2) == 0;
    bool timestamps = below(2) == 0;
    std::uint32_t window = static_cast<std::uint32_t>(1500 + below(20000));  // of the broker
    std::size_t size = below(60000);
    Duration unreachable = below(2) == 0 ? Duration{0} : milliseconds(below(3000));  // the broker, at first
    Duration thinks =
        below(2) == 0 ? Duration{0} : milliseconds(below(2000));  // the broker, over the CONNECT
    Duration moment = milliseconds(below(4) == 0 ? below(50) : below(6000));
    std::size_t appetite = 300 + below(3000);  // bytes that the reader takes every 50 ms
};

class Scene {
  public:
    explicit Scene(const Fate& fate) : fate_(fate), lab_(setup(fate)), tap_(lab_), broker_(*lab_.brokers[0]) {
        SplitMix64 dice(fate_.random.next());
        const auto lose = [this, dice](std::uint16_t port, ByteView) mutable {
            const bool cut = silent_ && port == (fate_.by_client ? 0 : 1);
            return dice.below(100) < fate_.loss || cut;
        };
        lab_.lose_sent = lose;
        lab_.lose_received = lose;
        broker_.holds = true;
        broker_.answers = false;
        broker_.host.accept_options.sack = fate_.sack;
        broker_.host.accept_options.timestamps = fate_.timestamps;
        broker_.host.accept_options.receive_buffer = fate_.window;
        broker_.host.deaf_tcp = true;
        words_.resize(fate_.size);
        for (char& c : words_) c = static_cast<char>(dice.next() >> 56U);
    }

    void run() {
        client_ = &lab_.client();
        client_->hold = true;
        const Instant start = lab_.now;
        const std::string connect = connect_packet(kId, mqtt::Version::V311, 0);
        client_->write(fate_.by_client ? connect + words_ : connect);
        stream_ = fate_.by_client ? connect + words_ : kConnackAccepted + words_;
        while (lab_.now < start + fate_.moment + minutes(4)) {
            step(start);
            if (lab_.now > start + fate_.moment + seconds(20) && delivered()) break;
        }
        // What never became a CONNECT, or an answer to one, is for nobody; nor is it where the broker's
        // neighbor could not be found.
        const Counter proper = fate_.by_client ? Counter::ConnectAccepted : Counter::ConnackAccepted;
        if (lab_.count(proper) != 0 && lab_.count(Counter::UpstreamUnreachable) == 0) {
            ASSERT_TRUE(delivered()) << describe();
            EXPECT_TRUE(stream_.starts_with(reader()->received));
        }
        lab_.command({.kind = worker::Command::Kind::Stop});
        lab_.settle();
        expect_nothing_left(lab_);
    }

  private:
    static Setup setup(const Fate& fate) {
        return {.workers = fate.workers,
                .brokers = 1,
                .listener = "idle_timeout = \"0s\"\nconnect_timeout = \"60s\"\n",
                .pool = "attempt_timeout = \"60s\"\n",
                .ipv6 = fate.ipv6};
    }
    Socket* broker_end() const { return broker_.socket_of(kId); }
    Socket* speaker() const { return fate_.by_client ? client_ : broker_end(); }
    Socket* reader() const { return fate_.by_client ? broker_end() : client_; }
    bool delivered() const {
        return acknowledged_ == 0 || (reader() && reader()->received.size() >= acknowledged_);
    }

    std::string describe() const {
        return std::to_string(acknowledged_) + " of " + std::to_string(stream_.size()) + " acknowledged, " +
               std::to_string(reader() == nullptr ? 0 : reader()->received.size()) + " arrived; by " +
               (fate_.by_client ? "client" : "broker") + ", end " +
               std::to_string(static_cast<int>(fate_.end)) + ", loss " + std::to_string(fate_.loss) +
               ", undelivered " + std::to_string(lab_.count(Counter::RelayBytesUndelivered));
    }

    void step(Instant start) {
        lab_.run(milliseconds(50));
        note();
        broker_.host.deaf_tcp = lab_.now < start + fate_.unreachable;
        if (!answered_ && broker_end() && lab_.now >= start + fate_.unreachable + fate_.thinks) {
            broker_end()->write(fate_.by_client ? kConnackAccepted : stream_);
            answered_ = true;
        }
        if (!ended_ && speaker() && lab_.now >= start + fate_.moment) end();
        if (reader()) take(*reader());
    }

    void end() {
        ended_ = true;
        switch (fate_.end) {
            case End::Reset: speaker()->abort(); return;
            case End::Fin: speaker()->shutdown(); return;
            case End::FinThenReset:
                speaker()->shutdown();
                lab_.run(milliseconds(fate_.below(30)));
                speaker()->abort();
                return;
            case End::Silence: silent_ = true; return;
        }
    }

    // How far Sluice has acknowledged the speaker's stream; the first acknowledgement is that of the SYN.
    void note() {
        for (const SeenSegment& s : tap_.tcp) {
            if (s.port != (fate_.by_client ? 0 : 1) || !s.tcp.flags.ack || s.tcp.flags.rst) continue;
            if (!zero_) zero_ = s.tcp.acknowledgement;
            const std::size_t bytes = s.tcp.acknowledgement - *zero_;
            acknowledged_ = std::max(acknowledged_, std::min(bytes, stream_.size()));
        }
        tap_.tcp.clear();
        tap_.frames.clear();
    }

    void take(Socket& socket) {
        std::size_t left = fate_.appetite;
        while (left != 0 && socket.endpoint.readable() != 0) {
            const ByteView piece = socket.endpoint.peek();
            const std::size_t taken = std::min(left, piece.size());
            socket.received += as_text(piece.first(taken));
            socket.endpoint.consume(lab_.now, taken, socket);
            left -= taken;
        }
    }

    Fate fate_;
    Lab lab_;
    Tap tap_;
    Broker& broker_;
    Socket* client_ = nullptr;
    std::string words_;
    std::string stream_;  // all that the speaker wants to say
    bool answered_ = false;
    bool ended_ = false;
    bool silent_ = false;
    std::optional<std::uint32_t> zero_;
    std::size_t acknowledged_ = 0;
};

class EndingRandom : public testing::TestWithParam<std::uint64_t> {};

INSTANTIATE_TEST_SUITE_P(, EndingRandom, testing::Range<std::uint64_t>(0, 8));

TEST_P(EndingRandom, EveryAcknowledgedByteArrives) {
    constexpr std::uint64_t kSeeds = 40;
    for (std::uint64_t seed = kSeeds * GetParam(); seed < kSeeds * (GetParam() + 1); ++seed) {
        SCOPED_TRACE(seed);
        Scene(Fate(seed)).run();
        if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace sluice::test
