// Random connections and packets for the splice tests, and a naive translation to compare with: it reads the
// two endpoints' positions, not the record, and computes every checksum in full.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "sluice/splice/make_record.h"
#include "sluice/splice/record.h"
#include "sluice/wire/tcp.h"

namespace sluice::splice {

using Bytes = std::vector<std::byte>;

// Of the port that translated packets leave by.
inline constexpr MacAddress kOwnMac{{2, 0, 0, 0, 0, 9}};

// Deterministic. value32() and value16() give the numbers at which arithmetic wraps far more often than
// chance would.
class Dice {
  public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}
    std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(engine_() % limit); }
    bool one_in(std::uint32_t n) { return below(n) == 0; }
    std::byte byte() { return static_cast<std::byte>(below(256)); }
    std::uint32_t value32();
    std::uint16_t value16();
    Bytes bytes(std::size_t size);
    IpAddress address(IpFamily family);
    MacAddress mac();

  private:
    std::mt19937_64 engine_;
};

Joint random_joint(Dice& dice, IpFamily family);

// A frame and where its parts lie.
struct TestFrame {
    Bytes bytes;
    IpFamily family = IpFamily::V4;
    std::size_t ip_size = 20;       // IP header
    std::size_t segment_size = 20;  // TCP header and payload; link padding may follow

    static constexpr std::size_t kIpAt = 14;
    std::size_t tcp_at() const { return kIpAt + ip_size; }
    std::byte* ip() { return bytes.data() + kIpAt; }
    std::byte* tcp() { return bytes.data() + tcp_at(); }
    const std::byte* ip() const { return bytes.data() + kIpAt; }
    const std::byte* tcp() const { return bytes.data() + tcp_at(); }
    std::size_t tcp_header_size() const { return (load8(tcp() + 12) >> 4U) * std::size_t{4}; }
    ByteView segment() const { return ByteView(bytes).subspan(tcp_at(), segment_size); }
    IpAddress source() const;
    IpAddress destination() const;

    void fill_checksums();
    bool ip_checksum_valid() const;  // true for IPv6
    bool tcp_checksum_valid() const;
};

// What a test decides about a packet; everything else is random.
struct Shape {
    wire::TcpFlags flags{.ack = true};
    Bytes options{};  // a multiple of four, at most 40
    std::size_t payload = 0;
    std::size_t ip_options = 0;  // IPv4 only, a multiple of four
    std::size_t padding = 0;
    std::uint8_t ttl = 64;
};
// A packet from the remote end of `from`; correct checksums.
TestFrame random_frame(Dice& dice, const FourTuple& from, const Shape& shape);

// Well-formed options: timestamps, SACK blocks, NOPs, unknown and misfit kinds in any order and number, often
// ended early with anything behind the end.
Bytes random_options(Dice& dice);
Shape random_shape(Dice& dice, IpFamily family);

// The frame as it must leave: by the arithmetic of the quiet point, byte by byte, checksums in full.
TestFrame expected(const TestFrame& frame, const Joint& joint, Direction direction,
                   const MacAddress& own_mac);

template <IpFamily kFamily>
struct FamilyTag {
    static constexpr IpFamily kValue = kFamily;
};

}  // namespace sluice::splice
