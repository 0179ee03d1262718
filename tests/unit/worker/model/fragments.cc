#include "worker/model/fragments.h"

#include <algorithm>
#include <utility>

#include "sluice/wire/ethernet.h"

namespace sluice::test {
namespace {

constexpr std::size_t kPiece = 256;  // bytes of the packet's payload
constexpr std::size_t kIp = wire::kEthernetHeaderSize;

void make_v4(Frame& frame, std::uint32_t id, std::size_t at, std::size_t size, bool more) {
    std::byte* const ip = frame.data() + kIp;
    store16(ip + 2, static_cast<std::uint16_t>(20 + size));
    store16(ip + 4, static_cast<std::uint16_t>(id));
    store16(ip + 6, static_cast<std::uint16_t>(at / 8 | (more ? 0x2000U : 0U)));
    store16(ip + 10, 0);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < 20; i += 2) sum += load16(ip + i);
    while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
    store16(ip + 10, static_cast<std::uint16_t>(~sum));
}

// RFC 8200 section 4.5.
void make_v6(Frame& frame, std::uint32_t id, std::size_t at, std::size_t size, bool more) {
    constexpr std::uint8_t kFragment = 44;
    frame.resize(frame.size() + 8);
    std::byte* const ip = frame.data() + kIp;
    store16(ip + 4, static_cast<std::uint16_t>(8 + size));
    ip[40] = std::exchange(ip[6], std::byte{kFragment});
    store16(ip + 42, static_cast<std::uint16_t>(at | (more ? 1U : 0U)));
    store32(ip + 44, id);
}

}  // namespace

std::vector<Frame> fragments_of(const Frame& whole) {
    static std::uint32_t id = 0;
    ++id;
    const bool v4 = load16(whole.data() + 12) == wire::kEtherTypeIpv4;
    const std::size_t begin = kIp + (v4 ? 20 : 40);
    const std::size_t payload = whole.size() - begin;
    if (payload <= kPiece) return {whole};
    const auto place = [&](std::size_t at) { return whole.begin() + static_cast<std::ptrdiff_t>(at); };
    std::vector<Frame> pieces;
    for (std::size_t at = 0; at < payload; at += kPiece) {
        const std::size_t size = std::min(kPiece, payload - at);
        Frame& piece = pieces.emplace_back(whole.begin(), place(begin));
        (v4 ? make_v4 : make_v6)(piece, id, at, size, at + size < payload);
        piece.insert(piece.end(), place(begin + at), place(begin + at + size));
    }
    if (id % 3 == 0) std::swap(pieces.front(), pieces.back());
    return pieces;
}

}  // namespace sluice::test
