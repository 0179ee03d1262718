#include "kit.h"

#include <algorithm>

#include "sluice/wire/checksum.h"
#include "sluice/wire/ip.h"

namespace sluice::splice {
namespace {

constexpr std::size_t kMaxOptions = 40;

void append(Bytes& to, std::initializer_list<unsigned> bytes) {
    for (const unsigned b : bytes) to.push_back(static_cast<std::byte>(b));
}

void append_random(Dice& dice, Bytes& to, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) to.push_back(dice.byte());
}

void append32(Bytes& to, std::uint32_t value) {
    to.resize(to.size() + 4);
    store32(to.data() + to.size() - 4, value);
}

// One option of a kind chosen by chance.
Bytes random_option(Dice& dice) {
    Bytes option;
    switch (dice.below(8)) {
        case 0:
        case 1:
        case 2: append(option, {1}); break;
        case 3:
            append(option, {8, 10});
            append32(option, dice.value32());
            append32(option, dice.value32());
            break;
        case 4: {
            const unsigned blocks = 1 + dice.below(4);
            append(option, {5, 2 + 8 * blocks});
            for (unsigned i = 0; i < 2 * blocks; ++i) append32(option, dice.value32());
            break;
        }
        case 5: {  // unknown
            const unsigned size = dice.below(8);
            append(option, {30 + dice.below(200), 2 + size});
            append_random(dice, option, size);
            break;
        }
        case 6: {  // timestamps and SACK of a size they do not have
            const unsigned size = dice.below(7);
            append(option, {dice.one_in(2) ? 8U : 5U, 2 + size});
            append_random(dice, option, size);
            break;
        }
        default:
            append(option, {2, 4});
            append_random(dice, option, 2);
            break;
    }
    return option;
}

// The mirror image of shift_options: reads kinds and lengths in the plainest way.
void move_options(std::byte* p, const std::byte* end, bool timestamps, std::uint32_t ack, std::uint32_t value,
                  std::uint32_t echo) {
    const auto add = [](std::byte* at, std::uint32_t n) { store32(at, load32(at) + n); };
    while (p < end && load8(p) != 0) {
        if (load8(p) == 1) {
            ++p;
            continue;
        }
        const std::uint8_t kind = load8(p);
        const std::uint8_t size = load8(p + 1);
        if (kind == 8 && size == 10 && timestamps) {
            add(p + 2, value);
            add(p + 6, echo);
        }
        if (kind == 5 && (size == 10 || size == 18 || size == 26 || size == 34)) {
            for (std::byte* edge = p + 2; edge < p + size; edge += 4) add(edge, ack);
        }
        p += size;
    }
}

void put_addresses(TestFrame& frame, const IpAddress& source, const IpAddress& destination) {
    std::byte* const at = frame.ip() + (frame.family == IpFamily::V4 ? 12 : 8);
    std::byte* const next = std::ranges::copy(source.wire_bytes(), at).out;
    std::ranges::copy(destination.wire_bytes(), next);
}

void put_ports(TestFrame& frame, std::uint16_t source, std::uint16_t destination) {
    store16(frame.tcp(), source);
    store16(frame.tcp() + 2, destination);
}

}  // namespace

std::uint32_t Dice::value32() {
    static constexpr std::array<std::uint32_t, 10> kCorners{
        0, 1, 0xffff, 0x10000, 0xffff0000, 0xfffffffe, 0xffffffff, 0x7fffffff, 0x80000000, 0x00ff00ff};
    return one_in(2) ? kCorners[below(kCorners.size())] : static_cast<std::uint32_t>(engine_());
}

std::uint16_t Dice::value16() {
    static constexpr std::array<std::uint16_t, 6> kCorners{0, 1, 0xff, 0xff00, 0xfffe, 0xffff};
    return one_in(2) ? kCorners[below(kCorners.size())] : static_cast<std::uint16_t>(engine_());
}

Bytes Dice::bytes(std::size_t size) {
    Bytes out;
    append_random(*this, out, size);
    return out;
}

IpAddress Dice::address(IpFamily family) {
    if (family == IpFamily::V4) return IpAddress::v4(value32());
    Bytes b = bytes(16);
    b[0] = std::byte{0xfd};  // never a mapped address
    return IpAddress::v6(std::span<const std::byte, 16>(b.data(), 16));
}

MacAddress Dice::mac() {
    MacAddress mac;
    for (auto& b : mac.bytes) b = static_cast<std::uint8_t>(below(256));
    return mac;
}

Joint random_joint(Dice& dice, IpFamily family) {
    Joint joint;
    const bool timestamps = !dice.one_in(3);
    for (LegFacts* leg : {&joint.client, &joint.broker}) {
        leg->tuple = {.local = {dice.address(family), dice.value16()},
                      .remote = {dice.address(family), dice.value16()}};
        const tcp::Seq next(dice.value32());
        leg->position = {.send_next = next,
                         .send_unacked = next,
                         .receive_next = tcp::Seq(dice.value32()),
                         .receive_edge = {},
                         .send_window = dice.value16(),
                         .last_timestamp_sent = dice.value32(),
                         .last_timestamp_received = dice.value32(),
                         .send_mss = 1448,
                         .peer_mss = 1460,
                         .receive_mss = 1460,
                         .send_scale = static_cast<std::uint8_t>(dice.below(15)),
                         .receive_scale = static_cast<std::uint8_t>(dice.below(15)),
                         .window_scale = true,
                         .timestamps = timestamps,
                         .sack = true};
        leg->mac = dice.mac();
        leg->port = static_cast<std::uint16_t>(dice.below(4));
    }
    joint.opened = dice.value32();
    joint.keep_alive = dice.value16();
    return joint;
}

IpAddress TestFrame::source() const {
    return family == IpFamily::V4 ? IpAddress::v4(std::span<const std::byte, 4>(ip() + 12, 4))
                                  : IpAddress::v6(std::span<const std::byte, 16>(ip() + 8, 16));
}

IpAddress TestFrame::destination() const {
    return family == IpFamily::V4 ? IpAddress::v4(std::span<const std::byte, 4>(ip() + 16, 4))
                                  : IpAddress::v6(std::span<const std::byte, 16>(ip() + 24, 16));
}

void TestFrame::fill_checksums() {
    if (family == IpFamily::V4) {
        store16(ip() + 10, 0);
        store16(ip() + 10, wire::checksum_finish(wire::checksum_sum({ip(), ip_size})));
    }
    store16(tcp() + 16, 0);
    store16(tcp() + 16, wire::transport_checksum(source(), destination(), wire::kProtocolTcp, segment()));
}

bool TestFrame::ip_checksum_valid() const {
    return family == IpFamily::V6 || wire::checksum_finish(wire::checksum_sum({ip(), ip_size})) == 0;
}

bool TestFrame::tcp_checksum_valid() const {
    return wire::tcp_checksum_valid(source(), destination(), segment());
}

TestFrame random_frame(Dice& dice, const FourTuple& from, const Shape& shape) {
    TestFrame frame;
    frame.family = from.local.address.family();
    const bool v4 = frame.family == IpFamily::V4;
    frame.ip_size = v4 ? 20 + shape.ip_options : 40;
    const std::size_t header_size = 20 + shape.options.size();
    frame.segment_size = header_size + shape.payload;
    const std::size_t total = frame.ip_size + frame.segment_size;
    frame.bytes = dice.bytes(TestFrame::kIpAt + total + shape.padding);

    store16(frame.bytes.data() + 12, v4 ? 0x0800 : 0x86dd);
    std::byte* const ip = frame.ip();
    if (v4) {
        store8(ip, static_cast<std::uint8_t>(0x40U | frame.ip_size / 4));
        store16(ip + 2, static_cast<std::uint16_t>(total));
        store16(ip + 6, 0x4000);
        store8(ip + 8, shape.ttl);
        store8(ip + 9, wire::kProtocolTcp);
    } else {
        store8(ip, 0x60);
        store16(ip + 4, static_cast<std::uint16_t>(frame.segment_size));
        store8(ip + 6, wire::kProtocolTcp);
        store8(ip + 7, shape.ttl);
    }
    put_addresses(frame, from.remote.address, from.local.address);

    std::byte* const tcp = frame.tcp();
    put_ports(frame, from.remote.port, from.local.port);
    store32(tcp + 4, dice.value32());
    store32(tcp + 8, dice.value32());
    store8(tcp + 12, static_cast<std::uint8_t>(header_size / 4 << 4U));
    store8(tcp + 13, shape.flags.to_byte());
    store16(tcp + 14, dice.value16());
    std::ranges::copy(shape.options, tcp + 20);
    frame.fill_checksums();
    return frame;
}

Bytes random_options(Dice& dice) {
    if (dice.one_in(4)) return {};
    if (dice.one_in(4)) {  // what most packets carry
        Bytes options;
        append(options, {1, 1, 8, 10});
        append32(options, dice.value32());
        append32(options, dice.value32());
        return options;
    }
    Bytes options;
    const std::size_t wanted = dice.below(8);
    for (std::size_t i = 0; i < wanted; ++i) {
        const Bytes option = random_option(dice);
        if (options.size() + option.size() > kMaxOptions) break;
        options.insert(options.end(), option.begin(), option.end());
    }
    if (options.size() < kMaxOptions && dice.one_in(3)) {
        append(options, {0});
        while (options.size() % 4 != 0) options.push_back(dice.byte());
    }
    while (options.size() % 4 != 0) append(options, {1});
    return options;
}

Shape random_shape(Dice& dice, IpFamily family) {
    return {.flags = wire::TcpFlags::from_byte(static_cast<std::uint8_t>(dice.below(256))),
            .options = random_options(dice),
            .payload = dice.one_in(3) ? 0 : dice.below(70),
            .ip_options = family == IpFamily::V4 && dice.one_in(4) ? 4 * dice.below(11) : 0,
            .padding = dice.one_in(3) ? dice.below(9) : 0,
            .ttl = static_cast<std::uint8_t>(2 + dice.below(254))};
}

TestFrame expected(const TestFrame& frame, const Joint& joint, Direction direction,
                   const MacAddress& own_mac) {
    const bool up = direction == Direction::ToBroker;
    const LegFacts& in = up ? joint.client : joint.broker;
    const LegFacts& out = up ? joint.broker : joint.client;
    TestFrame result = frame;
    std::ranges::copy(std::as_bytes(std::span(out.mac.bytes)), result.bytes.data());
    std::ranges::copy(std::as_bytes(std::span(own_mac.bytes)), result.bytes.data() + 6);
    std::byte* const limit = result.ip() + (frame.family == IpFamily::V4 ? 8 : 7);
    store8(limit, static_cast<std::uint8_t>(load8(limit) - 1));
    put_addresses(result, out.tuple.local.address, out.tuple.remote.address);
    put_ports(result, out.tuple.local.port, out.tuple.remote.port);

    std::byte* const tcp = result.tcp();
    const wire::TcpFlags flags = wire::TcpFlags::from_byte(load8(tcp + 13));
    const std::uint32_t sequence = out.position.send_next.value() - in.position.receive_next.value();
    const std::uint32_t back = in.position.send_next.value() - out.position.receive_next.value();
    const std::uint32_t acknowledgement = flags.ack ? 0 - back : 0;
    const std::uint32_t value = out.position.last_timestamp_sent - in.position.last_timestamp_received;
    const std::uint32_t echo =
        flags.ack ? out.position.last_timestamp_received - in.position.last_timestamp_sent : 0;
    store32(tcp + 4, load32(tcp + 4) + sequence);
    store32(tcp + 8, load32(tcp + 8) + acknowledgement);
    if (const std::uint64_t window = load16(tcp + 14); window != 0) {
        const std::uint64_t units = (window << in.position.send_scale) >> out.position.receive_scale;
        store16(tcp + 14, static_cast<std::uint16_t>(std::clamp<std::uint64_t>(units, 1, 65535)));
    }
    move_options(tcp + 20, tcp + frame.tcp_header_size(), in.position.timestamps, acknowledgement, value,
                 echo);
    result.fill_checksums();
    return result;
}

}  // namespace sluice::splice
