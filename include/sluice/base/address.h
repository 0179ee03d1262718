// Addresses as values: MAC, IP of either family, prefix, socket address and four-tuple. All are trivially
// copyable and compare by value, so they can be keys, live in records and travel through mailboxes.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

enum class IpFamily : std::uint8_t { V4 = 4, V6 = 6 };

// Calls run.operator()<family>(): from a value to the code that is written once for both.
template <typename Run>
decltype(auto) with_family(IpFamily family, Run&& run) {
    return family == IpFamily::V4 ? run.template operator()<IpFamily::V4>()
                                  : run.template operator()<IpFamily::V6>();
}

struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};  // transmission order

    // As it stands in a frame: six bytes.
    bool is_at(const std::byte* at) const {
        std::uint32_t front[2];
        std::uint16_t back[2];
        std::memcpy(front, bytes.data(), 4);
        std::memcpy(front + 1, at, 4);
        std::memcpy(back, bytes.data() + 4, 2);
        std::memcpy(back + 1, at + 4, 2);
        return front[0] == front[1] && back[0] == back[1];
    }
    friend bool operator==(const MacAddress& a, const MacAddress& b) {
        return a.is_at(reinterpret_cast<const std::byte*>(b.bytes.data()));
    }
    bool is_multicast() const { return (bytes[0] & 1U) != 0; }  // broadcast included
    bool is_zero() const { return *this == MacAddress{}; }
};

inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

// An IPv4 or IPv6 address in 16 bytes, network byte order. IPv4 is held in its mapped form ::ffff:a.b.c.d
// (RFC 4291 section 2.5.5.2), so both families share one representation, one comparison and one hash. A
// mapped address must not appear on the wire as IPv6: the IPv6 view refuses it.
class IpAddress {
  public:
    constexpr IpAddress() = default;  // "::", unspecified

    // Four bytes in network order.
    static IpAddress v4(std::span<const std::byte, 4> bytes) {
        IpAddress a;
        a.bytes_ = kMapped;
        std::memcpy(a.bytes_.data() + 12, bytes.data(), 4);
        return a;
    }
    static IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
    // Host byte order, as arithmetic on ranges wants it.
    static IpAddress v4(std::uint32_t host_order);
    // Sixteen bytes in network order.
    static IpAddress v6(std::span<const std::byte, 16> bytes) {
        IpAddress a;
        std::memcpy(a.bytes_.data(), bytes.data(), 16);
        return a;
    }
    // Dotted quad or RFC 4291 text, nothing around it. A mapped address in IPv6 text is refused.
    static std::optional<IpAddress> parse(std::string_view text);

    IpFamily family() const { return is_v4() ? IpFamily::V4 : IpFamily::V6; }
    bool is_v4() const { return word(0) == 0 && std::memcmp(bytes_.data() + 8, kMapped.data() + 8, 4) == 0; }
    bool is_v6() const { return !is_v4(); }
    // Requires is_v4(). Host byte order.
    std::uint32_t v4_value() const;
    // Network order: 4 bytes for IPv4, 16 for IPv6.
    std::span<const std::byte> wire_bytes() const {
        const auto all = std::as_bytes(std::span(bytes_));
        return is_v4() ? all.subspan(12) : all;
    }
    // All 16 bytes, mapped form for IPv4.
    std::span<const std::uint8_t, 16> bytes() const { return bytes_; }

    bool is_unspecified() const;  // 0.0.0.0 or ::
    bool is_multicast() const;    // 224/4 or ff00::/8
    bool is_loopback() const;     // 127/8 or ::1
    bool is_link_local() const;   // 169.254/16 or fe80::/10
    // The next address of the same family (range expansion); wraps at the end of the family.
    IpAddress next() const;

    std::string to_string() const;  // RFC 5952 for IPv6

    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
    // Two words, because every packet asks; the default compares bytes.
    friend bool operator==(const IpAddress& a, const IpAddress& b) {
        return a.word(0) == b.word(0) && a.word(8) == b.word(8);
    }

  private:
    static constexpr std::array<std::uint8_t, 16> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    std::uint64_t word(std::size_t at) const {
        std::uint64_t w;
        std::memcpy(&w, bytes_.data() + at, sizeof w);
        return w;
    }

    std::array<std::uint8_t, 16> bytes_{};
};

// An address with a prefix length: a network, or an interface address such as 10.1.0.1/24 whose host bits are
// kept. Length counts within the family: 0..32 or 0..128.
struct IpPrefix {
    IpAddress address;
    std::uint8_t length = 0;

    // "10.1.0.0/24", "fd00::/64"; without "/n" a single host.
    static std::optional<IpPrefix> parse(std::string_view text);
    bool contains(const IpAddress& candidate) const;  // false across families
    // The IPv4 subnet's broadcast address, or nullopt (IPv6, /31, /32).
    std::optional<IpAddress> broadcast() const;
    std::string to_string() const;

    friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

// TCP address and port; port in host byte order.
struct SocketAddress {
    IpAddress address;
    std::uint16_t port = 0;

    // "10.1.0.1:1883" or "[fd00::1]:1883"; port 1..65535.
    static std::optional<SocketAddress> parse(std::string_view text);
    std::string to_string() const;

    friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

// One TCP connection as Sluice sees it: local is Sluice's own end.
struct FourTuple {
    SocketAddress local;
    SocketAddress remote;

    std::string to_string() const;  // "remote -> local"
    friend auto operator<=>(const FourTuple&, const FourTuple&) = default;
};

std::string to_string(const MacAddress& mac);
std::optional<MacAddress> parse_mac(std::string_view text);

template <typename H>
H AbslHashValue(H h, const IpAddress& a) {
    return H::combine_contiguous(std::move(h), a.bytes().data(), a.bytes().size());
}
template <typename H>
H AbslHashValue(H h, const SocketAddress& s) {
    return H::combine(std::move(h), s.address, s.port);
}
template <typename H>
H AbslHashValue(H h, const FourTuple& t) {
    return H::combine(std::move(h), t.local, t.remote);
}

}  // namespace sluice
