#include "sluice/splice/cut.h"

#include <algorithm>
#include <cstring>

#include "sluice/wire/checksum.h"

namespace sluice::splice {
namespace {

// Stores a 16-bit field of an IPv4 header, and what that makes of the header's checksum.
void replace_in_ipv4(std::byte* ip, std::size_t at, std::uint16_t value) {
    store16(ip + wire::kIpv4ChecksumAt,
            wire::checksum_update16(load16(ip + wire::kIpv4ChecksumAt), load16(ip + at), value));
    store16(ip + at, value);
}

void move_urgent_pointer(std::byte* tcp, wire::TcpFlags& flags, std::size_t by) {
    if (!flags.urg) return;
    const std::size_t urgent = load16(tcp + wire::kTcpUrgentPointerAt);
    flags.urg = urgent > by;
    store16(tcp + wire::kTcpUrgentPointerAt,
            flags.urg ? static_cast<std::uint16_t>(urgent - by) : std::uint16_t{0});
}

}  // namespace

template <IpFamily kFamily>
Cut<kFamily>::Cut(const Packet<kFamily>& packet, std::size_t limit) : packet_(packet) {
    headers_ = wire::kEthernetHeaderSize + packet.size() - packet.payload_size();
    const wire::TcpFlags flags = packet.flags();
    const std::size_t most = wire::kEthernetHeaderSize + limit;
    if (flags.syn || flags.rst || most <= headers_ || packet.payload_size() == 0) return;
    room_ = most - headers_;
    pieces_ = (packet.payload_size() + room_ - 1) / room_;
}

template <IpFamily kFamily>
std::size_t Cut<kFamily>::payload_of(std::size_t piece) const {
    return std::min(room_, packet_.payload_size() - piece * room_);
}

template <IpFamily kFamily>
std::uint32_t Cut<kFamily>::write(std::size_t piece, ByteSpan out) const {
    const std::size_t payload = payload_of(piece);
    std::memcpy(out.data(), packet_.ethernet(), headers_);
    std::memcpy(out.data() + headers_, packet_.ethernet() + headers_ + piece * room_, payload);
    finish(out.data(), piece, payload);
    return static_cast<std::uint32_t>(headers_ + payload);
}

template <IpFamily kFamily>
std::uint32_t Cut<kFamily>::keep_first() {
    const std::size_t payload = payload_of(0);
    finish(packet_.ethernet(), 0, payload);
    return static_cast<std::uint32_t>(headers_ + payload);
}

// frame: the packet's headers and behind them the piece's payload.
template <IpFamily kFamily>
void Cut<kFamily>::finish(std::byte* frame, std::size_t piece, std::size_t payload) const {
    std::byte* const ip = frame + wire::kEthernetHeaderSize;
    const std::size_t size = headers_ - wire::kEthernetHeaderSize + payload;
    if constexpr (kFamily == IpFamily::V4) {
        replace_in_ipv4(ip, wire::kIpv4LengthAt, static_cast<std::uint16_t>(size));
        replace_in_ipv4(ip, wire::kIpv4IdentificationAt,
                        static_cast<std::uint16_t>(load16(ip + wire::kIpv4IdentificationAt) + piece));
    } else {
        store16(ip + wire::kIpv6LengthAt, static_cast<std::uint16_t>(size - wire::kIpv6HeaderSize));
    }
    std::byte* const tcp = ip + (packet_.tcp() - packet_.ip());
    const std::size_t offset = piece * room_;
    wire::TcpFlags flags = wire::TcpFlags::from_byte(load8(tcp + wire::kTcpFlagsAt));
    move_urgent_pointer(tcp, flags, offset);
    const bool last = piece + 1 == pieces_;
    flags.fin = flags.fin && last;
    flags.psh = flags.psh && last;
    flags.cwr = flags.cwr && piece == 0;
    store8(tcp + wire::kTcpFlagsAt, flags.to_byte());
    store32(tcp + wire::kTcpSequenceAt,
            load32(tcp + wire::kTcpSequenceAt) + static_cast<std::uint32_t>(offset));
    store16(tcp + wire::kTcpChecksumAt, 0);
    const FourTuple tuple = packet_.tuple();
    const ByteView segment(tcp, static_cast<std::size_t>(frame + headers_ + payload - tcp));
    store16(tcp + wire::kTcpChecksumAt,
            wire::transport_checksum(tuple.remote.address, tuple.local.address, wire::kProtocolTcp, segment));
}

template class Cut<IpFamily::V4>;
template class Cut<IpFamily::V6>;

void allow_fragments(const Packet<IpFamily::V4>& packet) {
    const std::uint16_t field = load16(packet.ip() + wire::kIpv4FragmentAt);
    replace_in_ipv4(packet.ip(), wire::kIpv4FragmentAt,
                    static_cast<std::uint16_t>(field & ~wire::kIpv4DontFragment));
}

}  // namespace sluice::splice
