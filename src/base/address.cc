// Text forms go through inet_pton/inet_ntop, which know RFC 4291 and RFC 5952 better than a hand-made parser
// would.
#include "sluice/base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace sluice {
namespace {

template <typename Int>
std::optional<Int> parse_decimal(std::string_view text) {
    Int value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

}  // namespace

IpAddress IpAddress::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    const std::array<std::uint8_t, 4> raw{a, b, c, d};
    return v4(std::as_bytes(std::span(raw)));
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
    return v4(static_cast<std::uint8_t>(host_order >> 24U), static_cast<std::uint8_t>(host_order >> 16U),
              static_cast<std::uint8_t>(host_order >> 8U), static_cast<std::uint8_t>(host_order));
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    if (text.size() > INET6_ADDRSTRLEN) return std::nullopt;
    const std::string terminated(text);
    std::array<std::byte, 16> raw{};
    if (inet_pton(AF_INET, terminated.c_str(), raw.data()) == 1) return v4(std::span(raw).first<4>());
    if (inet_pton(AF_INET6, terminated.c_str(), raw.data()) != 1) return std::nullopt;
    const IpAddress a = v6(raw);
    if (a.is_v4()) return std::nullopt;
    return a;
}

std::uint32_t IpAddress::v4_value() const {
    return (std::uint32_t{bytes_[12]} << 24U) | (std::uint32_t{bytes_[13]} << 16U) |
           (std::uint32_t{bytes_[14]} << 8U) | std::uint32_t{bytes_[15]};
}

bool IpAddress::is_unspecified() const { return is_v4() ? v4_value() == 0 : *this == IpAddress{}; }

bool IpAddress::is_multicast() const { return is_v4() ? (bytes_[12] & 0xf0U) == 0xe0 : bytes_[0] == 0xff; }

bool IpAddress::is_loopback() const {
    if (is_v4()) return bytes_[12] == 127;
    return std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto b) { return b == 0; }) && bytes_[15] == 1;
}

bool IpAddress::is_link_local() const {
    if (is_v4()) return bytes_[12] == 169 && bytes_[13] == 254;
    return bytes_[0] == 0xfe && (bytes_[1] & 0xc0U) == 0x80;
}

IpAddress IpAddress::next() const {
    IpAddress a = *this;
    const std::size_t first = is_v4() ? 12 : 0;
    for (std::size_t i = a.bytes_.size(); i-- > first;) {
        if (++a.bytes_[i] != 0) break;
    }
    return a;
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_v4()) {
        inet_ntop(AF_INET, bytes_.data() + 12, text.data(), text.size());
    } else {
        inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
    }
    return text.data();
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    const std::uint8_t longest = address->is_v4() ? 32 : 128;
    if (slash == std::string_view::npos) return IpPrefix{*address, longest};
    const auto length = parse_decimal<std::uint8_t>(text.substr(slash + 1));
    if (!length || *length > longest) return std::nullopt;
    return IpPrefix{*address, *length};
}

bool IpPrefix::contains(const IpAddress& candidate) const {
    if (candidate.family() != address.family()) return false;
    const std::size_t first = address.is_v4() ? 12 : 0;
    const std::size_t whole = length / 8U;
    const auto mine = address.bytes();
    const auto theirs = candidate.bytes();
    if (std::memcmp(mine.data() + first, theirs.data() + first, whole) != 0) return false;
    const unsigned rest = length % 8U;
    if (rest == 0) return true;
    const unsigned difference = static_cast<unsigned>(mine[first + whole]) ^ theirs[first + whole];
    return (difference >> (8U - rest)) == 0;
}

std::optional<IpAddress> IpPrefix::broadcast() const {
    if (address.is_v6() || length >= 31) return std::nullopt;
    return IpAddress::v4(address.v4_value() | (0xffffffffU >> length));
}

std::string IpPrefix::to_string() const { return address.to_string() + "/" + std::to_string(length); }

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    const auto port = parse_decimal<std::uint16_t>(text.substr(colon + 1));
    if (!address || !port || *port == 0 || address->is_v6() != bracketed) return std::nullopt;
    return SocketAddress{*address, *port};
}

std::string SocketAddress::to_string() const {
    const std::string text = address.to_string();
    return (address.is_v6() ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

std::string FourTuple::to_string() const { return remote.to_string() + " -> " + local.to_string(); }

std::string to_string(const MacAddress& mac) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    for (const auto b : mac.bytes) {
        if (!text.empty()) text += ':';
        text += kHex[b >> 4U];
        text += kHex[b & 15U];
    }
    return text;
}

std::optional<MacAddress> parse_mac(std::string_view text) {
    MacAddress mac;
    if (text.size() != 17) return std::nullopt;
    for (std::size_t i = 0; i < 6; ++i) {
        const char* const first = text.data() + i * 3;
        unsigned value = 0;
        const auto [end, error] = std::from_chars(first, first + 2, value, 16);
        if (error != std::errc{} || end != first + 2 || (i < 5 && first[2] != ':')) return std::nullopt;
        mac.bytes[i] = static_cast<std::uint8_t>(value);
    }
    return mac;
}

}  // namespace sluice
