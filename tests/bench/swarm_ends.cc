// What the swarm's clients and brokers do, each step a function of the frame that came.
#include <algorithm>
#include <array>

#include "sluice/mqtt/writer.h"
#include "swarm.h"

namespace sluice::bench {
namespace {

constexpr wire::TcpFlags kSyn{.syn = true};
constexpr wire::TcpFlags kSynAck{.syn = true, .ack = true};
constexpr wire::TcpFlags kAck{.ack = true};
constexpr wire::TcpFlags kPush{.psh = true, .ack = true};
constexpr wire::TcpFlags kFinAck{.fin = true, .ack = true};

// First bytes of MQTT packets (MQTT 3.1.1 section 2.2).
constexpr std::byte kConnect{0x10};
constexpr std::byte kConnack{0x20};
constexpr std::byte kPublish{0x30};
constexpr std::byte kPingreq{0xc0};
constexpr std::byte kPingresp{0xd0};

constexpr std::array<std::byte, 4> kAccepted{kConnack, std::byte{2}, std::byte{0}, std::byte{0}};
constexpr std::array<std::byte, 2> kPong{kPingresp, std::byte{0}};

std::uint32_t initial_sequence(std::uint32_t number) { return number * 0x85ebca6bU ^ 0x5bd1e995U; }

std::uint32_t echo_of(const wire::TcpHeader& header) {
    return header.options.timestamps ? header.options.timestamps->value : 0;
}

// In decimal, with leading zeros.
void write_number(std::uint32_t n, ByteSpan digits) {
    for (std::size_t i = digits.size(); i-- > 0; n /= 10) digits[i] = static_cast<std::byte>('0' + n % 10);
}
std::uint32_t read_number(ByteView digits) {
    std::uint32_t n = 0;
    for (const std::byte digit : digits) n = n * 10 + (static_cast<std::uint32_t>(digit) - '0');
    return n;
}

}  // namespace

Swarm::Speaker Swarm::client(std::uint32_t n) {
    return {clients_[n], plan_.client(n), plan_.listener(), n, false};
}

Swarm::Speaker Swarm::broker_end(std::uint32_t end) {
    return {broker_ends_[end], plan_.broker_of(end), plan_.source_of(end), end, true};
}

// --- beginning ---

void Swarm::open(std::uint64_t count, bool then_close) {
    to_open_ = tally_.opened + count;
    closing_ = then_close;
}

void Swarm::ping(std::uint32_t count, std::uint32_t among) {
    to_ping_ += count;
    ping_among_ = among;
}

void Swarm::bulk(std::uint64_t frames, std::uint32_t size, std::uint32_t among) {
    for (std::uint64_t& n : to_send_) n += frames / 2;
    bulk_payload_.assign(size, kPublish);  // so that any piece of it is known
    if (bulk_among_ == among) return;
    bulk_among_ = among;
    bulk_order_ = {Permutation(among, 0x1234567), Permutation(among, 0x7654321)};
}

// One frame that nothing asked for; false when there is none to send now.
bool Swarm::begin(bool broker) {
    if (to_send_[broker ? 1 : 0] != 0) {
        begin_bulk(broker);
        return true;
    }
    if (broker) return false;
    if (to_ping_ != 0) {
        begin_ping();
        return true;
    }
    if (tally_.opened < to_open_ && under_way() < window_) {
        begin_open();
        return true;
    }
    return false;
}

void Swarm::begin_open() {
    const Speaker speaker = client(next_client_);
    next_client_ = next_client_ + 1 == plan_.clients ? 0 : next_client_ + 1;
    speaker.end = {.send_next = initial_sequence(speaker.number), .receive_next = 0};
    ++tally_.opened;
    say(speaker, kSyn);
}

void Swarm::begin_ping() {
    --to_ping_;
    ++tally_.pings;
    say(client(next_ping_), kPush, mqtt::write_pingreq());
    next_ping_ = next_ping_ + 1 >= ping_among_ ? 0 : next_ping_ + 1;
}

void Swarm::begin_bulk(bool broker) {
    --to_send_[broker ? 1 : 0];
    (broker ? tally_.to_clients : tally_.to_brokers) += bulk_payload_.size();
    const std::uint32_t n = bulk_order_[broker ? 1 : 0].next();
    say(broker ? broker_end(broker_end_of_[n]) : client(n), kPush, bulk_payload_);
}

// --- clients ---

// Whether the segment is the next one. What has arrived before is acknowledged once more (RFC 9293
// section 3.10.7.4).
bool Swarm::in_order(const Speaker& speaker, const Heard& heard) {
    const std::uint32_t beyond = heard.header.acknowledgement - speaker.end.send_next;
    if (heard.header.flags.ack && beyond != 0 && beyond < 1U << 31U) ++tally_.acknowledged;
    const std::uint32_t ahead = heard.header.sequence - speaker.end.receive_next;
    if (ahead == 0) return true;
    const bool occupies = !heard.payload.empty() || heard.header.flags.fin || heard.header.flags.syn;
    if (ahead < 1U << 31U) {
        ++tally_.holes;
    } else if (occupies) {
        ++tally_.repeated;
        say(speaker, kAck, {}, echo_of(heard.header));
    }
    return false;
}

void Swarm::on_client(const Heard& heard) {
    const auto n = plan_.client_at(heard.to);
    if (!n || heard.from != plan_.listener()) {
        ++tally_.strangers;
        return;
    }
    const Speaker speaker = client(*n);
    End& end = speaker.end;
    const wire::TcpFlags flags = heard.header.flags;
    if (flags.rst) {
        ++tally_.resets;
        return;
    }
    const std::uint32_t echo = echo_of(heard.header);
    if (flags.syn && end.receive_next == 0) {
        end.receive_next = heard.header.sequence + 1;
        if (heard.header.acknowledgement != end.send_next) ++tally_.acknowledged;
        say(speaker, kAck, {}, echo);
        write_number(*n, std::span(connect_).subspan(connect_id_, kDigits));
        say(speaker, kPush, connect_, echo);
        return;
    }
    if (!in_order(speaker, heard)) return;
    end.receive_next += static_cast<std::uint32_t>(heard.payload.size()) + (flags.fin ? 1 : 0);
    if (!heard.payload.empty()) on_client_payload(speaker, heard);
    if (flags.fin) {
        ++tally_.closed;
        say(speaker, kAck, {}, echo);
    }
}

void Swarm::on_client_payload(const Speaker& speaker, const Heard& heard) {
    const std::uint32_t echo = echo_of(heard.header);
    switch (heard.payload.front()) {
        case kConnack:
            ++(std::ranges::equal(heard.payload, kAccepted) ? tally_.connected : tally_.refused);
            say(speaker, kAck, {}, echo);
            if (closing_) say(speaker, kFinAck, {}, echo);
            return;
        case kPingresp:
            ++tally_.pongs;
            say(speaker, kAck, {}, echo);
            return;
        case kPublish: tally_.at_clients += heard.payload.size(); return;  // its own next frame acknowledges
        default: ++tally_.strangers;
    }
}

// --- brokers ---

void Swarm::on_broker(const Heard& heard) {
    const auto number = plan_.broker_end_at(heard.to, heard.from);
    if (!number) {
        ++tally_.strangers;
        return;
    }
    const Speaker speaker = broker_end(*number);
    End& end = speaker.end;
    const wire::TcpFlags flags = heard.header.flags;
    if (flags.rst) {
        ++tally_.resets;
        return;
    }
    const std::uint32_t echo = echo_of(heard.header);
    if (flags.syn && end.receive_next != heard.header.sequence + 1) {
        end = {.send_next = initial_sequence(*number) + end.send_next,
               .receive_next = heard.header.sequence + 1};
        ++tally_.broker_opened;
        say(speaker, kSynAck, {}, echo);
        return;
    }
    if (!in_order(speaker, heard)) return;
    end.receive_next += static_cast<std::uint32_t>(heard.payload.size()) + (flags.fin ? 1 : 0);
    if (!heard.payload.empty()) on_broker_payload(speaker, heard);
    if (flags.fin) {
        ++tally_.broker_closed;
        say(speaker, kFinAck, {}, echo);
    }
}

void Swarm::on_broker_payload(const Speaker& speaker, const Heard& heard) {
    const std::uint32_t echo = echo_of(heard.header);
    switch (heard.payload.front()) {
        case kConnect: {
            if (heard.payload.size() != connect_.size()) break;
            const std::uint32_t n = read_number(heard.payload.subspan(connect_id_, kDigits));
            if (n >= plan_.clients) break;
            broker_end_of_[n] = speaker.number;
            ++tally_.broker_connected;
            say(speaker, kPush, kAccepted, echo);
            return;
        }
        case kPingreq: say(speaker, kPush, kPong, echo); return;
        case kPublish: tally_.at_brokers += heard.payload.size(); return;
        default: break;
    }
    ++tally_.strangers;
}

}  // namespace sluice::bench
