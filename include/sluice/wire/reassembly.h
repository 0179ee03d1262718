// Packets put together again from their fragments, in a bounded table (RFC 791 section 3.2, RFC 8200 section
// 4.5). Pure: fragments and the time come in, packets come out.
//
// Parts that overlap spoil their packet, with all of it that is still to come (RFC 5722, here for IPv4 as
// well); the same part once more is ignored. When there is no room, what is oldest of the same source gives
// way, then what is oldest of all: a flood from one address costs others nothing until it comes from many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/base/time.h"
#include "sluice/wire/fragment.h"

namespace sluice::wire {

struct ReassemblyLimits {
    // From a packet's first fragment that came: 60 s for IPv6 (RFC 8200); Linux has 30 s for IPv4, where RFC
    // 1122 section 3.3.2 would have 60 s.
    Duration timeout{};
    std::size_t packets = 1024;  // that wait for the rest of theirs
    std::size_t bytes = 4U << 20U;
    std::size_t source_packets = 64;  // likewise, of one source
    std::size_t source_bytes = 256U << 10U;
};

class Reassembly {
  public:
    static constexpr std::size_t kMostParts = 64;  // of a packet; 9,000 bytes over links of 296 have 33

    explicit Reassembly(const ReassemblyLimits& limits) : limits_(limits) {}

    enum class Status : std::uint8_t {
        Held,      // the rest is not here yet, or it was here before
        Whole,     // see packet
        Spoiled,   // it contradicts what came before, or its packet was spoiled already
        TooLarge,  // the packet is larger than the caller takes; spoiled too
    };
    struct Result {
        Status fate = Status::Held;
        // Of Whole: an IP packet that is no fragment, with the first part's header and a right header
        // checksum.
        std::vector<std::byte> packet{};
        std::size_t spoiled = 0;  // fragments, this one and those held before, that were thrown away with it
        std::size_t evicted = 0;  // fragments of other packets that gave way
    };
    // largest: bytes that a whole packet may have. origin: the caller's note on where the packet came from,
    // given back if it never becomes whole.
    Result add(Instant now, const Fragment& fragment, std::size_t largest, std::uint64_t origin = 0);

    // A packet whose time is over.
    struct Remains {
        std::size_t fragments = 0;  // none of a spoiled packet
        std::uint64_t origin = 0;
        IpAddress source;
        IpAddress destination;
        // The first part as it came, IP header and all; empty when it never did. For an ICMP error.
        std::vector<std::byte> first;
    };
    // Gives up what is too old, and calls told(remains) for each.
    void expire(Instant now, const std::function<void(const Remains&)>& told);
    Instant next_deadline() const { return packets_.empty() ? kNever : packets_.front().deadline; }

    std::size_t size() const { return packets_.size(); }
    std::size_t bytes() const { return bytes_; }

  private:
    struct Key {
        IpAddress source;
        IpAddress destination;
        std::uint32_t identification = 0;
        std::uint8_t protocol = 0;  // IPv4 only
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Packet;
    using PacketIterator = std::list<Packet>::iterator;
    struct Source {
        std::list<PacketIterator> packets;  // oldest first
        std::size_t bytes = 0;
    };
    struct Packet {
        Key key;
        Instant deadline;
        std::uint64_t origin = 0;
        std::vector<std::byte> header{};  // the first part's; empty until it came
        std::vector<std::byte> data{};
        std::vector<std::pair<std::size_t, std::size_t>> parts{};  // [begin, end), in order
        std::optional<std::size_t> end{};                          // of the payload, once the last part came
        std::size_t held = 0;                                      // bytes of all parts
        std::size_t charged = 0;
        std::uint8_t protocol = 0;    // the first part's
        std::uint8_t congestion = 0;  // which of the four ECN values were seen, a bit for each
        bool spoiled = false;
        std::list<PacketIterator>::iterator of_source{};
    };

    PacketIterator find_or_open(Instant now, const Fragment& fragment, std::uint64_t origin);
    bool accept(Packet& packet, const Fragment& fragment);
    std::size_t spoil(Packet& packet);
    void charge(Packet& packet);
    std::size_t make_room(PacketIterator keep);
    std::size_t remove(PacketIterator packet);
    static bool finish(Packet& packet, IpFamily family, std::vector<std::byte>& out);

    ReassemblyLimits limits_;
    std::list<Packet> packets_;  // oldest first
    std::map<Key, PacketIterator> index_;
    std::map<IpAddress, Source> sources_;
    std::size_t bytes_ = 0;
};

}  // namespace sluice::wire
