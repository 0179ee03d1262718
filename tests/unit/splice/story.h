// The stage for stories of a spliced connection: four endpoints, two wires between the outer ones, and a
// record in place of the inner ones once they are quiet.
//
//     client -- client_end | upstream_end -- broker        until the quiet point
//     client ---------- record ----------- broker          from then on
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <string>

#include "kit.h"
#include "netsim/link.h"
#include "sluice/splice/translate.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/ip_packet.h"

namespace sluice::splice {

using tcp::Endpoint;
using tcp::EndpointOptions;
using tcp::Segment;
using tcp::Seq;
using tcp::State;

inline EndpointOptions options(std::uint8_t scale, std::uint32_t clock, bool timestamps) {
    return {.receive_mss = 1400,
            .send_mss_limit = 1400,
            .receive_buffer = 256 * 1024,
            .window_scale = scale,
            .timestamps = timestamps,
            .timestamp_offset = clock,
            .time_wait = 1s};
}

inline std::string pattern(std::size_t size, std::uint32_t seed) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24U);
    return text;
}

struct Setting {
    const char* name;
    IpFamily family;
    bool timestamps;
};

class SpliceStory : public testing::TestWithParam<Setting> {
  protected:
    // Where a segment comes from.
    enum class Place : std::uint8_t { Client, ClientEnd, UpstreamEnd, Broker };

    struct Sender final : tcp::Output {
        Sender(SpliceStory& s, Place p) : story(s), place(p) {}
        void send(const Segment& segment) override { story.on_sent(place, segment); }
        SpliceStory& story;
        Place place;
    };

    Endpoint& at(Place place) {
        switch (place) {
            case Place::Client: return client;
            case Place::ClientEnd: return client_end;
            case Place::UpstreamEnd: return upstream_end;
            case Place::Broker: return broker;
        }
        __builtin_unreachable();
    }
    static Place peer(Place place) {
        switch (place) {
            case Place::Client: return Place::ClientEnd;
            case Place::ClientEnd: return Place::Client;
            case Place::UpstreamEnd: return Place::Broker;
            case Place::Broker: return Place::UpstreamEnd;
        }
        __builtin_unreachable();
    }
    Sender& out(Place place) { return senders[static_cast<std::size_t>(place)]; }

    void on_sent(Place from, const Segment& segment) {
        if (!spliced) {
            std::string bytes(as_text(segment.payload));
            bytes += as_text(segment.payload_tail);
            near.push_back({peer(from), segment, std::move(bytes)});
        } else if (GetParam().family == IpFamily::V4) {
            through(v4, from, segment);
        } else {
            through(v6, from, segment);
        }
    }

    // A segment of the client's or the broker's as a frame through the record, and on over the lossy wire.
    template <IpFamily kFamily>
    void through(Record<kFamily>& record, Place from, const Segment& segment) {
        const Direction direction = from == Place::Client ? Direction::ToBroker : Direction::ToClient;
        const FourTuple& leg = (from == Place::Client ? joint.client : joint.broker).tuple;
        Bytes frame(2000);
        frame.resize(wire::write_tcp_frame({.source = leg.remote.address, .destination = leg.local.address},
                                           {.source_port = leg.remote.port,
                                            .destination_port = leg.local.port,
                                            .sequence = segment.seq.value(),
                                            .acknowledgement = segment.ack.value(),
                                            .flags = segment.flags,
                                            .window = segment.window,
                                            .options = segment.options},
                                           segment.payload, segment.payload_tail, frame));
        const auto packet = Packet<kFamily>::parse(frame);
        ASSERT_TRUE(packet.has_value());
        last = translate(record, direction, *packet, kOwnMac, milliseconds32(now));
        ASSERT_FALSE(is_drop(last));

        wire::IpError error{};
        const auto ip = wire::parse_ip_packet(load16(frame.data() + 12), ByteView(frame).subspan(14), error);
        ASSERT_TRUE(ip.has_value());
        ASSERT_TRUE(wire::tcp_checksum_valid(ip->source, ip->destination, ip->payload));
        const auto view = wire::TcpView::parse(ip->payload);
        const auto header = view->header();
        ASSERT_TRUE(header.has_value());
        wires[static_cast<std::size_t>(direction)].send(now, {.seq = Seq(header->sequence),
                                                              .ack = Seq(header->acknowledgement),
                                                              .flags = header->flags,
                                                              .window = header->window,
                                                              .options = header->options,
                                                              .payload = view->payload(),
                                                              .payload_tail = {}});
    }

    // Before the splice, wires are short and perfect.
    void settle() {
        for (int i = 0; i < 10; ++i) {
            while (!near.empty()) {
                auto [to, segment, bytes] = std::move(near.front());
                near.pop_front();
                segment.payload = as_bytes(bytes);
                segment.payload_tail = {};
                at(to).on_segment(now, segment, out(to));
            }
            now += 10ms;
            for (const Place p : {Place::Client, Place::ClientEnd, Place::UpstreamEnd, Place::Broker}) {
                at(p).on_timer(now, out(p));
            }
        }
    }
    std::string read(Place place) {
        std::string text;
        while (at(place).readable() != 0) {
            const std::string piece(as_text(at(place).peek()));
            at(place).consume(now, piece.size(), out(place));
            text += piece;
        }
        return text;
    }
    void write(Place place, std::string_view text) {
        ASSERT_EQ(at(place).write(now, as_bytes(text), out(place)), text.size());
    }

    // Both handshakes, CONNECT and CONNACK, and the quiet point.
    void SetUp() override {
        Dice dice(9);
        joint.client.tuple = {.local = {dice.address(GetParam().family), 1883},
                              .remote = {dice.address(GetParam().family), 40000}};
        joint.broker.tuple = {.local = {dice.address(GetParam().family), 2000},
                              .remote = {dice.address(GetParam().family), 1883}};
        client_end.listen(Seq(0x1000));
        broker.listen(Seq(0xfffffff0));
        client.connect(now, Seq(0xffffff00), out(Place::Client));
        upstream_end.connect(now, Seq(0x80000000), out(Place::UpstreamEnd));
        settle();
        write(Place::Client, "connect");
        settle();
        write(Place::UpstreamEnd, read(Place::ClientEnd));
        settle();
        ASSERT_EQ(read(Place::Broker), "connect");
        write(Place::Broker, "connack!");
        settle();
        write(Place::ClientEnd, read(Place::UpstreamEnd));
        settle();
        ASSERT_EQ(read(Place::Client), "connack!");
        settle();

        joint.client.position = client_end.position();
        joint.broker.position = upstream_end.position();
        ASSERT_EQ(obstacle_to_splice(joint), std::nullopt);
        if (GetParam().family == IpFamily::V4) {
            v4 = make_record<IpFamily::V4>(joint);
        } else {
            v6 = make_record<IpFamily::V6>(joint);
        }
        spliced = true;
    }

    // One event of the spliced life: the next arrival or timer. False when there is none.
    bool step() {
        Instant next = std::min(client.next_deadline(), broker.next_deadline());
        for (const auto& wire : wires) next = std::min(next, wire.next_arrival());
        if (next == kNever) return false;
        now = std::max(now, next);
        Segment segment;
        std::string bytes;
        while (wires[0].receive(now, segment, bytes)) broker.on_segment(now, segment, out(Place::Broker));
        while (wires[1].receive(now, segment, bytes)) client.on_segment(now, segment, out(Place::Client));
        client.on_timer(now, out(Place::Client));
        broker.on_timer(now, out(Place::Broker));
        return true;
    }
    void run(Duration time) {
        const Instant end = now + time;
        while (now < end && step()) {
        }
    }
    void make_wires(const tcp::kit::LinkOptions& o) {
        wires = {tcp::kit::Link(o, 21), tcp::kit::Link(o, 22)};
    }
    const Core& core() const { return GetParam().family == IpFamily::V4 ? v4.core : v6.core; }
    // Sluice's own resets, straight to the end they are for; what that answers reaches no connection any
    // more.
    void reset(Place place) {
        spliced = false;
        const Direction direction = place == Place::Broker ? Direction::ToBroker : Direction::ToClient;
        const Resets resets(core(), direction);
        for (const Segment& segment : resets.segments()) {
            at(place).on_segment(now, segment, out(place));
            while (!near.empty()) {
                const Segment answer = near.front().segment;
                near.pop_front();
                if (const auto exact = tcp::reset_for(answer)) at(place).on_segment(now, *exact, out(place));
            }
        }
    }
    // What the client's kernel would send now, as far as its clock goes.
    Segment from_client(Seq seq) const {
        Segment segment;
        segment.seq = seq;
        if (GetParam().timestamps) {
            segment.options.timestamps =
                wire::TcpTimestamps{milliseconds32(now) + 0x1000, joint.client.position.last_timestamp_sent};
        }
        return segment;
    }
    void expect_undisturbed() {
        EXPECT_EQ(client.state(), State::Established);
        EXPECT_EQ(broker.state(), State::Established);
        write(Place::Client, "ping");
        run(1s);
        EXPECT_EQ(read(Place::Broker), "ping");
        write(Place::Broker, "pong");
        run(1s);
        EXPECT_EQ(read(Place::Client), "pong");
    }

    struct Near {
        Place to;
        Segment segment;
        std::string bytes;
    };

    Instant now{10s};
    // Every scale differs from every other but the one that Sluice repeats to the broker; so do the clocks.
    Endpoint client{options(3, 0x00001000, GetParam().timestamps)};
    Endpoint client_end{options(5, 0xfffff000, GetParam().timestamps)};
    Endpoint upstream_end{options(3, 0x70000000, GetParam().timestamps)};
    Endpoint broker{options(9, 0xfffffff0, GetParam().timestamps)};
    std::array<Sender, 4> senders{Sender{*this, Place::Client}, Sender{*this, Place::ClientEnd},
                                  Sender{*this, Place::UpstreamEnd}, Sender{*this, Place::Broker}};
    std::deque<Near> near;
    std::array<tcp::kit::Link, 2> wires{tcp::kit::Link({}, 1), tcp::kit::Link({}, 2)};  // by Direction
    bool spliced = false;
    Joint joint;
    Record<IpFamily::V4> v4;
    Record<IpFamily::V6> v6;
    Verdict last = Verdict::Forward;
};

}  // namespace sluice::splice
