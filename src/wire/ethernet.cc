// Ethernet II: two addresses and a type.
#include "sluice/wire/ethernet.h"

#include <cstring>

namespace sluice::wire {
namespace {

std::string hex16(std::uint16_t value) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text = "0x";
    for (unsigned shift = 16; shift > 0; shift -= 4) text += kDigits[(value >> (shift - 4)) & 15U];
    return text;
}

}  // namespace

std::optional<EthernetView> EthernetView::parse(ByteView frame) {
    if (frame.size() < kEthernetHeaderSize) return std::nullopt;
    return EthernetView(frame);
}

std::size_t write_ethernet_header(const EthernetHeader& header, ByteSpan out) {
    store_mac(out.data(), header.destination);
    store_mac(out.data() + kEthernetSourceAt, header.source);
    store16(out.data() + kEtherTypeAt, header.ether_type);
    return kEthernetHeaderSize;
}

std::string to_string(const EthernetHeader& header) {
    return to_string(header.source) + " > " + to_string(header.destination) + " type " +
           hex16(header.ether_type);
}

}  // namespace sluice::wire
