// IPv4: lengths are checked before anything else is believed, because everything behind the header hangs on
// them.
#include "sluice/wire/ipv4.h"

#include <cstring>

#include "sluice/wire/checksum.h"

namespace sluice::wire {

std::optional<Ipv4View> Ipv4View::parse(ByteView bytes, IpError& error) {
    error = IpError::Ipv4Malformed;
    if (bytes.size() < kIpv4HeaderSize) return std::nullopt;
    if (ip_version(bytes.data()) != 4) return std::nullopt;
    const std::size_t header_size = ipv4_header_size(bytes.data());
    const std::size_t total_length = load16(bytes.data() + kIpv4LengthAt);
    if (header_size < kIpv4HeaderSize || total_length < header_size) return std::nullopt;
    if (total_length > bytes.size()) {
        error = IpError::Truncated;
        return std::nullopt;
    }
    return Ipv4View(bytes.first(total_length));
}

bool Ipv4View::checksum_valid() const { return checksum_sum(bytes_.first(header_size())) == 0xffff; }

Ipv4Header Ipv4View::header() const {
    return {.traffic_class = traffic_class(),
            .identification = identification(),
            .dont_fragment = dont_fragment(),
            .more_fragments = more_fragments(),
            .fragment_offset = fragment_offset(),
            .ttl = ttl(),
            .protocol = protocol(),
            .source = source(),
            .destination = destination()};
}

std::size_t write_ipv4_header(const Ipv4Header& header, std::size_t payload_size, ByteSpan out) {
    std::byte* const p = out.data();
    // The sum grows with the fields: reading them back just after they were written in parts would stall.
    std::uint32_t sum = 0;
    const auto put = [&](std::size_t at, std::uint32_t half) {
        store16(p + at, static_cast<std::uint16_t>(half));
        sum += half;
    };
    put(0, 0x4500U | header.traffic_class);  // version 4, five words
    put(kIpv4LengthAt, static_cast<std::uint32_t>(kIpv4HeaderSize + payload_size));
    put(kIpv4IdentificationAt, header.identification);
    put(kIpv4FragmentAt, (header.dont_fragment ? kIpv4DontFragment : 0U) |
                             (header.more_fragments ? kIpv4MoreFragments : 0U) |
                             (header.fragment_offset / 8U));
    put(kIpv4TtlAt, std::uint32_t{header.ttl} << 8U | header.protocol);
    for (const auto& [at, address] : {std::pair(kIpv4SourceAt, header.source.v4_value()),
                                      std::pair(kIpv4DestinationAt, header.destination.v4_value())}) {
        put(at, address >> 16U);
        put(at + 2, address & 0xffffU);
    }
    sum = (sum & 0xffffU) + (sum >> 16U);
    sum += sum >> 16U;
    store16(p + kIpv4ChecksumAt, checksum_finish(static_cast<std::uint16_t>(sum)));
    return kIpv4HeaderSize;
}

std::string to_string(const Ipv4Header& header) {
    std::string text = "IPv4 " + header.source.to_string() + " > " + header.destination.to_string() +
                       " protocol " + std::to_string(header.protocol) + " ttl " + std::to_string(header.ttl) +
                       " id " + std::to_string(header.identification);
    if (header.traffic_class != 0) text += " class " + std::to_string(header.traffic_class);
    if (header.dont_fragment) text += " DF";
    if (header.more_fragments || header.fragment_offset != 0) {
        text += " fragment " + std::to_string(header.fragment_offset) + (header.more_fragments ? "+" : "");
    }
    return text;
}

}  // namespace sluice::wire
