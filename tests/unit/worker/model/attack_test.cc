// Who knows the addresses and ports of a connection but sees none of it can do to it no more than to a plain
// Linux host (RFC 5961): a flood of guesses neither ends, stalls nor redirects it, nothing of it is told to
// the guesser, and nothing of his reaches anybody. Both legs are attacked with every kind of segment,
// stepping through the number space by a window at a time or at random, in every phase; meanwhile two live
// hosts at the ends exchange a message now and then.
//
// Where the listener has sent cookies of late, strangers guess these as well.
//
// SLUICE_ATTACK_SEGMENTS says how many segments all of it takes, SLUICE_ATTACK_SEED where chance begins.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "worker/model/amount.h"
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

enum class Stage : std::uint8_t { AwaitConnect, Connecting, Replaying, Relayed, Resting, Spliced };
constexpr std::array kStages{Stage::AwaitConnect, Stage::Connecting, Stage::Replaying,
                             Stage::Relayed,      Stage::Resting,    Stage::Spliced};

// In which there are no messages to exchange yet.
bool waits(Stage stage) {
    return stage != Stage::Relayed && stage != Stage::Resting && stage != Stage::Spliced;
}
// Its legs differ, so that it rests whenever it is quiet for a moment.
bool stays_relayed(Stage stage) { return stage == Stage::Relayed || stage == Stage::Resting; }

session::Phase phase_of(Stage stage) {
    switch (stage) {
        case Stage::AwaitConnect: return session::Phase::AwaitConnect;
        case Stage::Connecting: return session::Phase::Connecting;
        case Stage::Replaying: return session::Phase::Replaying;
        case Stage::Relayed: return session::Phase::Relayed;
        case Stage::Resting: return session::Phase::Resting;
        case Stage::Spliced: return session::Phase::Spliced;
    }
    return session::Phase::Ended;
}

// What one guess consists of. Pairs are guesses that prepare each other: the first moves what is believed,
// the second is exact by what is believed then.
enum class Kind : std::uint8_t {
    Data,
    BareData,  // without ACK
    Ack,
    Fin,
    Reset,
    ResetAck,
    Syn,
    SynAck,
    ByteThenReset,
    ByteThenFin,
    FinThenReset,
    FinThenAck,
    AckThenReset,
};
constexpr std::array kKinds{Kind::Data,          Kind::BareData,    Kind::Ack,          Kind::Fin,
                            Kind::Reset,         Kind::ResetAck,    Kind::Syn,          Kind::SynAck,
                            Kind::ByteThenReset, Kind::ByteThenFin, Kind::FinThenReset, Kind::FinThenAck,
                            Kind::AckThenReset};

const char* name(Kind kind) {
    constexpr std::array kNames{
        "data",    "data without ACK", "ACK",           "FIN",          "RST",          "RST|ACK",     "SYN",
        "SYN|ACK", "byte then RST",    "byte then FIN", "FIN then RST", "FIN then ACK", "ACK then RST"};
    return kNames[static_cast<std::size_t>(kind)];
}

constexpr MacAddress kIntruder{{0x02, 0, 0, 0, 9, 66}};
constexpr std::uint32_t kWindow = 0xffff;  // a step through the number space

struct Siege {
    Stage stage = Stage::Spliced;
    bool ipv6 = false;
    unsigned workers = 1;
    std::uint64_t seed = 0;
    bool cookies = false;  // the connection was made by one

    std::string text() const {
        return std::string(session::to_string(phase_of(stage))) + (ipv6 ? " IPv6 " : " IPv4 ") +
               (cookies ? "by cookie " : "") + std::to_string(workers) + " workers, seed " +
               std::to_string(seed);
    }
};

void PrintTo(const Siege& siege, std::ostream* out) { *out << siege.text(); }

// The connection in its phase, and the attacker.
class Besieged {
  public:
    explicit Besieged(const Siege& siege);

    // One guess, a segment or a pair; returns the segments sent.
    std::size_t guess();
    // Where it is to rest, it does before the next guess.
    void fall_asleep();
    // A message each way, where there is one; false when something is not as it should be.
    bool exchange();
    // On to an exchange of messages, for what has not got so far, and an end in order.
    void finish();
    // One reset with the very number that is next, as if sent by the end of that side; then an end in order.
    void reset_exactly(Side side);
    // A guess while the client hears and says nothing for half a minute, as a device whose radio sleeps.
    void wake_after(const wire::TcpFlags& guess);
    std::string last() const;

    Lab lab;

  private:
    struct Leg {
        SocketAddress from;  // whom the attacker plays
        SocketAddress to;
        std::uint16_t port;
        std::array<std::uint32_t, kKinds.size()> cursor{};  // by kind: how far the number space was searched
    };

    static Setup setup(const Siege& siege);
    void open();
    void press();
    bool is_as_it_should_be(session::Phase phase) const;
    void guess_cookie();
    void send(const Leg& leg, std::uint32_t sequence, std::uint32_t acknowledgement, wire::TcpFlags flags,
              std::string_view payload);
    bool is_exact(const Leg& leg, std::uint32_t sequence) const;
    void watch(std::uint16_t port, ByteView frame);
    Socket* broker_end();
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

    const Siege siege_;
    std::mt19937_64 random_;
    Socket* client_ = nullptr;
    std::vector<Leg> legs_;
    std::size_t messages_ = 0;
    Kind kind_{};
    const Leg* leg_ = nullptr;
    std::uint32_t sequence_ = 0;
    std::uint32_t first_syn_ = 0;                 // of Sluice to the broker
    std::map<std::string, std::uint64_t> wrong_;  // what must not leave Sluice, and how often it did
};

Setup Besieged::setup(const Siege& siege) {
    return {.workers = siege.workers,
            .brokers = 1,
            .listener =
                siege.cookies ? "connect_timeout = \"10m\"\nhalf_open = 1\n" : "connect_timeout = \"10m\"\n",
            .pool = "attempt_timeout = \"10m\"\n",
            .ipv6 = siege.ipv6,
            .max_connections = 64};
}

Besieged::Besieged(const Siege& siege) : lab(setup(siege)), siege_(siege), random_(siege.seed) {
    open();
    const worker::ListedConnection row = lab.rows().at(0);
    EXPECT_EQ(row.phase, phase_of(siege.stage));
    legs_.push_back({.from = client_->tuple.local, .to = client_->tuple.remote, .port = 0});
    if (siege.stage != Stage::AwaitConnect) {
        legs_.push_back({.from = row.upstream.remote, .to = row.upstream.local, .port = 1});
    }
    for (Leg& leg : legs_) {
        for (std::uint32_t& at : leg.cursor) at = static_cast<std::uint32_t>(random_());
    }
    lab.on_sent = [this](std::uint16_t port, ByteView frame) { watch(port, frame); };
}

// On every worker more handshakes are half open than may be; a second later they are let go of.
void Besieged::press() {
    for (std::uint16_t n = 0; n < 200; ++n) {
        SocketAddress from = lab.next_client_address();
        from.port = static_cast<std::uint16_t>(3000 + n);
        lab.inject(0, make_segment({.from = from, .to = lab.listener(), .flags = {.syn = true}}));
    }
    lab.settle();
}

void Besieged::open() {
    if (siege_.cookies) press();
    lab.brokers[0]->answers = siege_.stage != Stage::Replaying;
    if (stays_relayed(siege_.stage)) lab.brokers[0]->host.accept_options.timestamps = false;
    if (siege_.stage == Stage::Spliced) {
        client_ = &connect_spliced(lab, "device");
    } else if (siege_.stage == Stage::AwaitConnect) {
        client_ = &lab.client();
        lab.settle();
        client_->write(std::string_view(connect_packet("device")).substr(0, 5));
    } else {
        lab.brokers[0]->host.deaf_tcp = siege_.stage == Stage::Connecting;
        client_ = &lab.connect("device");
    }
    lab.run(std::chrono::milliseconds(siege_.cookies ? 1100 : 100));
    fall_asleep();
    EXPECT_EQ(lab.count(Counter::SynCookiesAccepted), siege_.cookies ? 1U : 0U);
}

void Besieged::fall_asleep() {
    if (siege_.stage == Stage::Resting) lab.run(std::chrono::milliseconds(1100));
}

bool Besieged::is_as_it_should_be(session::Phase phase) const {
    if (stays_relayed(siege_.stage))
        return phase == session::Phase::Relayed || phase == session::Phase::Resting;
    return phase == phase_of(siege_.stage);
}

// What Sluice sends while it is attacked.
void Besieged::watch(std::uint16_t port, ByteView frame) {
    const auto ethernet = wire::EthernetView::parse(frame);
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
    if (!packet || packet->protocol != wire::kProtocolTcp) return;
    const auto header = wire::TcpView::parse(packet->payload)->header();
    const std::size_t payload = wire::TcpView::parse(packet->payload)->payload().size();
    const MacAddress to = ethernet->destination();
    const MacAddress& owner = port == 0 ? lab.clients.mac : lab.brokers[0]->host.mac;
    if (to != owner && to != kIntruder) ++wrong_["a frame for somebody else"];
    // Resets of what is no connection carry the guesser's own numbers; anything else tells him the right
    // ones.
    if (to == kIntruder && !header->flags.rst) {
        ++wrong_[payload != 0 ? "payload for the attacker" : "the right numbers for the attacker"];
    }
    if (port == 1 && header->flags.syn) {
        const bool own = siege_.stage == Stage::Connecting && !header->flags.ack &&
                         (first_syn_ == 0 || first_syn_ == header->sequence);
        first_syn_ = header->sequence;
        if (!own) ++wrong_["a SYN for the broker"];
    }
}

void Besieged::send(const Leg& leg, std::uint32_t sequence, std::uint32_t acknowledgement,
                    wire::TcpFlags flags, std::string_view payload) {
    // One that the end itself could have sent now: that is no guess, and a chance of one in 2^32.
    if (is_exact(leg, sequence)) return;
    RawSegment raw{.from = leg.from,
                   .to = leg.to,
                   .sequence = sequence,
                   .acknowledgement = flags.ack ? acknowledgement : 0,
                   .flags = flags,
                   .window = static_cast<std::uint16_t>(random_()),
                   .payload = std::string(payload),
                   .source_mac = kIntruder};
    if (below(2) == 0) {
        raw.options.timestamps = wire::TcpTimestamps{.value = static_cast<std::uint32_t>(random_()),
                                                     .echo = static_cast<std::uint32_t>(random_())};
    }
    if (flags.syn) {
        raw.options.mss = 1460;
        raw.options.window_scale = 7;
        raw.options.sack_permitted = true;
    }
    // Now and then by the port that does not lead there.
    const std::uint16_t port = below(16) == 0 ? 1 - leg.port : leg.port;
    if (port == 1) raw.destination_mac = Lab::kBackMac;
    Frame frame = make_segment(raw);
    if (below(8) == 0) frame[frame.size() - 1] ^= std::byte{0x55};  // of the payload or the header
    lab.inject(port, frame);
}

bool Besieged::is_exact(const Leg& leg, std::uint32_t sequence) const {
    if (leg.port == 0) return tcp::Seq(sequence) == client_->endpoint.position().send_next;
    if (siege_.stage == Stage::Connecting) return false;
    for (const auto& socket : lab.brokers[0]->host.sockets) {
        if (tcp::Seq(sequence) == socket->endpoint.position().send_next) return true;
    }
    return false;
}

// In the name of somebody who may come in, with all that it takes to get to a broker.
void Besieged::guess_cookie() {
    const Leg& client = legs_[0];
    const Leg stranger{.from = {client.from.address, static_cast<std::uint16_t>(1024 + below(10000))},
                       .to = client.to,
                       .port = 0};
    const auto any = [&] { return static_cast<std::uint32_t>(random_()); };
    send(stranger, any(), any(), {.psh = true, .ack = true}, connect_packet("intruder"));
}

std::size_t Besieged::guess() {
    if (siege_.cookies && below(4) == 0) return guess_cookie(), 1;
    Leg& leg = legs_[below(static_cast<std::uint32_t>(legs_.size()))];
    const std::size_t kind = below(kKinds.size());
    kind_ = kKinds[kind];
    leg_ = &leg;
    // Every second guess goes on with the search, the others are anywhere.
    sequence_ = below(2) == 0 ? leg.cursor[kind] += kWindow : static_cast<std::uint32_t>(random_());
    const std::uint32_t s = sequence_;
    const auto ack = static_cast<std::uint32_t>(random_());
    static const std::string kStrange = connect_packet("intruder");
    const std::string_view text = std::string_view(kStrange).substr(0, below(2) == 0 ? 1 : kStrange.size());
    const std::string_view byte = "!";
    switch (kind_) {
        case Kind::Data: return send(leg, s, ack, {.psh = true, .ack = true}, text), 1;
        case Kind::BareData: return send(leg, s, ack, {}, text), 1;
        case Kind::Ack: return send(leg, s, ack, {.ack = true}, {}), 1;
        case Kind::Fin: return send(leg, s, ack, {.fin = true, .ack = true}, {}), 1;
        case Kind::Reset: return send(leg, s, ack, {.rst = true}, {}), 1;
        case Kind::ResetAck: return send(leg, s, ack, {.rst = true, .ack = true}, {}), 1;
        case Kind::Syn: return send(leg, s, ack, {.syn = true}, {}), 1;
        case Kind::SynAck: return send(leg, s, ack, {.syn = true, .ack = true}, {}), 1;
        case Kind::ByteThenReset:
            send(leg, s, ack, {.ack = true}, byte);
            return send(leg, s + 1, ack, {.rst = true}, {}), 2;
        case Kind::ByteThenFin:
            send(leg, s, ack, {.ack = true}, byte);
            return send(leg, s + 1, ack, {.fin = true, .ack = true}, {}), 2;
        case Kind::FinThenReset:
            send(leg, s, ack, {.fin = true, .ack = true}, {});
            return send(leg, s + 1, ack, {.rst = true}, {}), 2;
        case Kind::FinThenAck:
            send(leg, s, ack, {.fin = true, .ack = true}, {});
            return send(leg, s + 1, ack + 1, {.ack = true}, {}), 2;
        case Kind::AckThenReset:
            send(leg, s, ack, {.ack = true}, {});
            return send(leg, s, ack, {.rst = true, .ack = true}, {}), 2;
    }
    return 0;
}

std::string Besieged::last() const {
    if (leg_ == nullptr) return "before the first guess";
    return std::string(name(kind_)) + " at " + std::to_string(sequence_) + " as " + leg_->from.to_string();
}

Socket* Besieged::broker_end() { return lab.brokers[0]->socket_of("device"); }

bool Besieged::exchange() {
    lab.settle();
    const auto rows = lab.rows();
    if (rows.size() != 1 || !is_as_it_should_be(rows[0].phase)) {
        ADD_FAILURE() << siege_.text() << ": " << (rows.empty() ? "gone" : session::to_string(rows[0].phase));
        return false;
    }
    if (waits(siege_.stage)) return true;
    Socket* const broker = broker_end();
    client_->received.clear();
    broker->received.clear();
    const std::string up = "up " + std::to_string(++messages_) + ";";
    const std::string down = "down " + std::to_string(messages_) + ";";
    client_->write(std::string_view(up));
    broker->write(std::string_view(down));
    lab.run(std::chrono::milliseconds(1));  // nothing is lost, so nothing need be repeated
    EXPECT_EQ(broker->received, up) << siege_.text();
    EXPECT_EQ(client_->received, down) << siege_.text();
    return broker->received == up && client_->received == down;
}

// It goes on as if nothing had been, and when the operator ends it both ends hear of it at once: an attacker
// has not moved what Sluice believes of their numbers either.
void Besieged::finish() {
    SCOPED_TRACE(siege_.text());
    lab.on_sent = nullptr;
    for (const auto& [what, times] : wrong_) ADD_FAILURE() << what << ", " << times << " times";
    if (siege_.stage == Stage::AwaitConnect) {
        client_->write(std::string_view(connect_packet("device")).substr(5));
    }
    lab.brokers[0]->host.deaf_tcp = false;
    lab.run(std::chrono::seconds(40));  // the SYN is repeated
    ASSERT_NE(broker_end(), nullptr);
    if (siege_.stage == Stage::Replaying) broker_end()->write(std::string_view(kConnackAccepted));
    lab.settle();
    if (waits(siege_.stage)) {
        EXPECT_EQ(client_->received, kConnackAccepted);
    }
    EXPECT_EQ(lab.brokers[0]->visits.size(), 1U);
    EXPECT_EQ(lab.count(Counter::SynCookiesAccepted), siege_.cookies ? 1U : 0U);
    EXPECT_EQ(lab.count(Counter::SynCookiesFailed) != 0, siege_.cookies && leg_ != nullptr);
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.settle();
    EXPECT_EQ(client_->endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(broker_end()->endpoint.failure(), tcp::Failure::Reset);
    expect_nothing_left(lab);
}

void Besieged::reset_exactly(Side side) {
    SCOPED_TRACE(siege_.text());
    const bool as_client = side == Side::Client;
    Socket& played = as_client ? *client_ : *broker_end();
    Socket& deceived = as_client ? *broker_end() : *client_;
    lab.inject(as_client ? 0 : 1,
               make_segment({.from = played.tuple.local,
                             .to = played.tuple.remote,
                             .sequence = played.endpoint.position().send_next.value(),
                             .flags = {.rst = true},
                             .source_mac = kIntruder,
                             .destination_mac = as_client ? Lab::kFrontMac : Lab::kBackMac}));
    lab.run(std::chrono::seconds(1));
    EXPECT_EQ(deceived.endpoint.failure(), tcp::Failure::Reset);
    // The one that was played finds out when it speaks.
    played.write(std::string_view("anybody there?"));
    lab.run(std::chrono::seconds(1));
    EXPECT_EQ(played.endpoint.failure(), tcp::Failure::Reset);
    expect_nothing_left(lab);
}

void Besieged::wake_after(const wire::TcpFlags& guess) {
    SCOPED_TRACE(siege_.text() + ", " + wire::to_string(guess));
    lab.clients.silent = true;
    lab.inject(0, make_segment({.from = client_->tuple.local,
                                .to = client_->tuple.remote,
                                // In the window, so that nobody need be lucky.
                                .sequence = client_->endpoint.position().send_next.advance(5).value(),
                                .acknowledgement = 12345,
                                .flags = guess,
                                .source_mac = kIntruder}));
    lab.run(std::chrono::seconds(30));
    lab.clients.silent = false;
    exchange();
    finish();
}

std::vector<Siege> sieges() {
    std::vector<Siege> all;
    std::uint64_t seed = amount("SLUICE_ATTACK_SEED", 1);
    for (const Stage stage : kStages) {
        for (const bool ipv6 : {false, true}) {
            for (const unsigned workers : {1U, 3U}) {
                all.push_back({stage, ipv6, workers, seed++});
                if (stage != Stage::AwaitConnect && stage != Stage::Spliced) continue;
                all.push_back({stage, ipv6, workers, seed++, true});
            }
        }
    }
    return all;
}

class Attack : public testing::TestWithParam<Siege> {};

TEST_P(Attack, OfWhoSeesNothingChangesNothing) {
    const std::uint64_t segments = amount("SLUICE_ATTACK_SEGMENTS", 1'000'000) / sieges().size();
    constexpr std::size_t kBurst = 32;
    constexpr int kBurstsPerMessage = 30;
    Besieged besieged(GetParam());
    ASSERT_TRUE(besieged.exchange());
    std::uint64_t sent = 0;
    for (int bursts = 1; sent < segments; ++bursts) {
        for (const std::uint64_t end = sent + kBurst; sent < end;) sent += besieged.guess();
        besieged.lab.now += std::chrono::microseconds(500);
        besieged.lab.settle();
        besieged.fall_asleep();
        if (bursts % kBurstsPerMessage == 0) {
            ASSERT_TRUE(besieged.exchange()) << "after " << sent << " segments, last " << besieged.last();
        }
    }
    besieged.finish();
}

// One number in 2^32 does end it, as it ends a connection between plain hosts: cleanly.
TEST_P(Attack, WithTheExactNumberResetsBothEnds) {
    if (waits(GetParam().stage)) return;
    for (const Side side : {Side::Client, Side::Broker}) Besieged(GetParam()).reset_exactly(side);
}

// Who may be silent for a Keep Alive may be silent for as long when somebody else has spoken for him; except
// that a SYN in his name asks him, and six seconds of silence are an answer (doc/connection.md).
TEST_P(Attack, OnAClientThatSleepsDoesNotEndIt) {
    if (waits(GetParam().stage)) return;
    for (const wire::TcpFlags guess :
         {wire::TcpFlags{.rst = true}, wire::TcpFlags{.fin = true, .ack = true}}) {
        Besieged(GetParam()).wake_after(guess);
    }
}

std::string name_of(const testing::TestParamInfo<Siege>& info) {
    constexpr std::array kNames{"AwaitConnect", "Connecting", "Replaying", "Relayed", "Resting", "Spliced"};
    return std::string(kNames[static_cast<std::size_t>(info.param.stage)]) +
           (info.param.cookies ? "ByCookie" : "") + (info.param.ipv6 ? "Ipv6" : "Ipv4") +
           std::to_string(info.param.workers) + "Workers";
}

INSTANTIATE_TEST_SUITE_P(Blind, Attack, testing::ValuesIn(sieges()), name_of);

}  // namespace
}  // namespace sluice::test
