// Whole connections whose legs have codecs, through real workers over wires that lose: every byte arrives,
// also the first one behind a long silence, all ends are clean, and nothing is left.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "session/framing_codec.h"
#include "session/leg_rig.h"
#include "sluice/mqtt/connect.h"
#include "worker/lab.h"

namespace sluice::test {
namespace {

const std::string_view kConnack("\x20\x02\x00\x00", 4);

struct Case {
    bool client = false;  // its leg has a codec
    bool broker = false;
    bool transparent = false;
    bool ipv6 = false;
    unsigned workers = 1;
    double loss = 0.05;

    std::optional<FramingOptions> framing(bool has) const {
        if (!has) return std::nullopt;
        return FramingOptions{.limit = 2000, .patience = 60s, .transparent = transparent};
    }
};

class Codecs final : public session::CodecSource {
  public:
    explicit Codecs(const Case& c) : case_(c) {}
    std::unique_ptr<session::CodecChain> for_client(std::uint32_t) override { return make(case_.client); }
    std::unique_ptr<session::CodecChain> for_broker(std::uint32_t, std::uint32_t) override {
        return make(case_.broker);
    }
    void expect_used_well() const { watched_.expect_used_well(); }

  private:
    std::unique_ptr<session::CodecChain> make(bool has) const {
        return has ? watched_.make({*case_.framing(true)}) : nullptr;
    }
    Case case_;
    WatchedChain watched_;
};

// A socket of a host, and the codec that its leg expects.
struct End {
    End(Socket& s, const std::optional<FramingOptions>& framing) : socket(&s), stream(framing) {}

    void poll(Instant now) {
        if (!started && tcp::is_synchronized(socket->endpoint.state())) {
            started = true;
            stream.start(now);
        }
        if (taken < socket->received.size()) {
            stream.arrive(now, std::string_view(socket->received).substr(taken));
            taken = socket->received.size();
        }
        if (socket->endpoint.at_end() && !std::exchange(told_end, true)) stream.end_of_stream(now);
        if (!stream.to_send.empty()) socket->write(std::string_view(std::exchange(stream.to_send, {})));
        if (closes && socket->unsent.empty() && stream.all_said()) socket->shutdown();
    }
    void write(Instant now, std::string_view text) {
        sent += text;
        stream.write(now, text);
    }
    void close(Instant now) {
        closes = true;
        stream.finish(now);
    }

    Socket* socket;
    FramedEnd stream;
    std::string sent;  // text
    std::size_t taken = 0;
    bool started = false;
    bool told_end = false;
    bool closes = false;
};

// Clients and brokers that talk at random.
class Talks {
  public:
    Talks(const Case& c, unsigned seed)
        : codecs_(c),
          lab({.workers = c.workers, .ipv6 = c.ipv6, .codecs = &codecs_}),
          random_(seed),
          case_(c) {
        for (const auto& broker : lab.brokers) {
            broker->host.listen(1883, [](Socket&) {});
            broker->host.on_accept = [this](Socket& s) {
                servers_.push_back(std::make_unique<End>(s, case_.framing(case_.broker)));
            };
        }
        std::bernoulli_distribution lost(c.loss);
        lab.lose_sent =
            lab.lose_received = [this, lost](std::uint16_t, ByteView) mutable { return lost(random_); };
    }
    ~Talks() { codecs_.expect_used_well(); }
    Talks(const Talks&) = delete;
    Talks& operator=(const Talks&) = delete;

    // All of them connected: each client's End, and its broker's beside it.
    void open(unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            clients.push_back(std::make_unique<End>(lab.client(), case_.framing(case_.client)));
            clients.back()->write(lab.now, connect_packet("device-" + std::to_string(i)));
        }
        brokers.resize(count);
        const auto connected = [](const auto& c) { return c->stream.text == kConnack; };
        for (int i = 0; i < 400 && !std::ranges::all_of(clients, connected); ++i) run(50ms, 5ms);
        for (const auto& c : clients) ASSERT_EQ(c->stream.text, kConnack);
        for (const End* b : brokers) ASSERT_NE(b, nullptr);
    }

    // step: how often the ends look at what has come.
    void run(Duration duration, Duration step = 50ms) {
        const Instant end = lab.now + duration;
        do {
            poll();
            lab.run(std::min<Duration>(end - lab.now, step));
        } while (lab.now < end);
        poll();
    }

    // Random texts of random sizes at random moments, from both ends.
    void talk(unsigned rounds) {
        for (unsigned r = 0; r < rounds; ++r) {
            for (std::size_t i = 0; i < clients.size(); ++i) {
                if (random_() % 2 == 0) clients[i]->write(lab.now, noise(random_() % 4000, seed()));
                if (random_() % 2 == 0) brokers[i]->write(lab.now, noise(random_() % 6000, seed()));
            }
            run(std::chrono::milliseconds(random_() % 60), 5ms);
        }
    }
    bool all_arrived() const {
        for (std::size_t i = 0; i < clients.size(); ++i) {
            if (clients[i]->stream.text.size() != brokers[i]->sent.size()) return false;
            if (brokers[i]->stream.text.size() != clients[i]->sent.size()) return false;
        }
        return true;
    }
    void expect_every_byte() {
        for (int i = 0; i < 1200 && !all_arrived(); ++i) run(100ms);
        for (std::size_t i = 0; i < clients.size(); ++i) {
            EXPECT_TRUE(clients[i]->stream.text == brokers[i]->sent) << "to client " << i;
            EXPECT_TRUE(brokers[i]->stream.text == clients[i]->sent) << "to broker " << i;
        }
    }
    // Each end closes first of every other connection.
    void close() {
        for (std::size_t i = 0; i < clients.size(); ++i)
            (i % 2 == 0 ? *clients[i] : *brokers[i]).close(lab.now);
        run(5s);
        for (std::size_t i = 0; i < clients.size(); ++i) {
            EXPECT_TRUE((i % 2 == 0 ? *brokers[i] : *clients[i]).stream.ended());
            (i % 2 == 0 ? *brokers[i] : *clients[i]).close(lab.now);
        }
        run(10s);
        for (std::size_t i = 0; i < clients.size(); ++i) {
            for (const End* end : {clients[i].get(), brokers[i]}) {
                EXPECT_TRUE(end->stream.ended());
                EXPECT_FALSE(end->stream.failed());
                EXPECT_EQ(end->socket->endpoint.failure(), tcp::Failure::None);
            }
        }
        expect_nothing_left(lab);
    }
    std::uint64_t obstacles() const {
        std::uint64_t n = 0;
        for (const Counter c : {Counter::RelayedMixedFamilies, Counter::RelayedTimestamps,
                                Counter::RelayedSack, Counter::RelayedSegmentSize, Counter::RelayedRange}) {
            n += lab.count(c);
        }
        return n;
    }

  private:
    unsigned seed() { return static_cast<unsigned>(random_()); }
    void poll() {
        for (const auto& c : clients) c->poll(lab.now);
        for (const auto& s : servers_) {
            s->poll(lab.now);
            if (s->sent.empty()) answer(*s);
            s->poll(lab.now);
        }
    }
    void answer(End& server) {
        const auto result = mqtt::read_connect(as_bytes(server.stream.text), 1 << 20);
        const auto* const connect = std::get_if<mqtt::Connect>(&result);
        if (connect == nullptr) return;
        brokers[std::stoul(std::string(connect->client_id.substr(7)))] = &server;
        server.write(lab.now, kConnack);
    }

    Codecs codecs_;

  public:
    Lab lab;
    std::vector<std::unique_ptr<End>> clients;
    std::vector<End*> brokers;  // by client

  private:
    std::vector<std::unique_ptr<End>> servers_;
    std::mt19937 random_;
    Case case_;
};

void expect_carried(const Case& c, unsigned seed) {
    SCOPED_TRACE(testing::Message() << "codecs " << c.client << c.broker << ", IPv6 " << c.ipv6 << ", "
                                    << c.workers << " workers, seed " << seed);
    constexpr unsigned kClients = 4;
    Talks talks(c, seed);
    talks.open(kClients);
    talks.talk(30);
    talks.expect_every_byte();
    // The first byte behind a silence comes from either end, or both at once.
    for (unsigned turn = 0; turn < 4; ++turn) {
        talks.run(std::chrono::seconds(6 + turn));
        EXPECT_EQ(talks.lab.usage().resting != 0, !c.transparent);
        for (std::size_t i = 0; i < kClients; ++i) {
            if ((turn + i) % 3 != 0) talks.clients[i]->write(talks.lab.now, noise(1 + turn * 1700, turn));
            if ((turn + i) % 3 != 1) talks.brokers[i]->write(talks.lab.now, noise(1 + turn * 900, turn));
        }
        talks.expect_every_byte();
    }
    talks.talk(10);
    talks.expect_every_byte();
    EXPECT_EQ(talks.lab.count(Counter::Spliced), c.transparent ? kClients : 0U);
    EXPECT_EQ(talks.obstacles(), 0U);
    talks.close();
}

class Codec : public testing::TestWithParam<std::tuple<bool, unsigned>> {
  protected:
    void expect_both(Case c) const {
        std::tie(c.ipv6, c.workers) = GetParam();
        expect_carried(c, 1);
        c.loss = 0;
        expect_carried(c, 2);
    }
};

TEST_P(Codec, OfTheClientsLegCarriesEveryByte) { expect_both({.client = true}); }
TEST_P(Codec, OfTheBrokersLegCarriesEveryByte) { expect_both({.broker = true}); }
TEST_P(Codec, OfBothLegsCarriesEveryByte) { expect_both({.client = true, .broker = true}); }
// Behind its preface it is not needed any more.
TEST_P(Codec, ThatIsTransparentIsSpliced) {
    expect_both({.client = true, .transparent = true});
    expect_both({.client = true, .broker = true, .transparent = true});
}

INSTANTIATE_TEST_SUITE_P(Lab, Codec, testing::Combine(testing::Bool(), testing::Values(1U, 3U)),
                         [](const auto& info) {
                             return std::string(std::get<0>(info.param) ? "IPv6" : "IPv4") +
                                    std::to_string(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace sluice::test
