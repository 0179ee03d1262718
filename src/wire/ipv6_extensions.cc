#include "sluice/wire/ipv6_extensions.h"

#include "sluice/wire/fragment.h"
#include "sluice/wire/ipv6.h"

namespace sluice::wire {
namespace {

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kNoNextHeader = 59;
constexpr std::uint8_t kDestinationOptions = 60;

constexpr std::uint8_t kErroneousField = 0;
constexpr std::uint8_t kUnknownNextHeader = 1;
constexpr std::uint8_t kUnknownOption = 2;

constexpr std::uint8_t kPad1 = 0;
constexpr std::uint8_t kPadN = 1;

class Walk {
  public:
    Walk(ByteView packet, Ipv6Problem& problem) : packet_(packet), problem_(problem) { problem_ = {}; }

    std::optional<Ipv6Chain> run() {
        Ipv6Chain chain;
        std::size_t named_at = 6;  // where the type of the header at `at` stands
        std::size_t at = kIpv6HeaderSize;
        for (;;) {
            const std::uint8_t type = load8(packet_.data() + named_at);
            chain = {
                .size = at - kIpv6HeaderSize, .next_header = type, .atomic_fragment = chain.atomic_fragment};
            if (type == kNoNextHeader) return std::nullopt;
            if (!is_ipv6_extension(type)) return chain;
            if (type == kProtocolFragment && !is_atomic(at)) return chain;
            chain.atomic_fragment = chain.atomic_fragment || type == kProtocolFragment;
            const auto size = size_of(type, at, named_at);
            if (!size) return std::nullopt;
            named_at = at;
            at += *size;
        }
    }

  private:
    std::nullopt_t tell(std::uint8_t code, std::size_t pointer) {
        problem_ = {.to_be_told = true, .code = code, .pointer = static_cast<std::uint32_t>(pointer)};
        return std::nullopt;
    }

    // Of a header that may be stepped over.
    std::optional<std::size_t> size_of(std::uint8_t type, std::size_t at, std::size_t named_at) {
        if (packet_.size() - at < 8) return std::nullopt;
        if (type == kProtocolFragment) return kIpv6FragmentHeaderSize;
        const std::size_t size = (std::size_t{load8(packet_.data() + at + 1)} + 1) * 8;
        const bool misplaced = type == kHopByHop && at != kIpv6HeaderSize;
        const bool options = type == kHopByHop || type == kDestinationOptions;
        if (misplaced || (!options && type != kRouting)) return tell(kUnknownNextHeader, named_at);
        if (size > packet_.size() - at) return std::nullopt;
        // RFC 8200 section 4.4; where segments are left, somebody else is meant (RFC 5095 for type 0).
        if (type == kRouting && load8(packet_.data() + at + 3) != 0) return tell(kErroneousField, at + 2);
        if (options && !good_options(at + 2, at + size)) return std::nullopt;
        return size;
    }

    // Cut short is not atomic: reading the fragment shows that.
    bool is_atomic(std::size_t at) const {
        return packet_.size() - at >= kIpv6FragmentHeaderSize &&
               (load16(packet_.data() + at + 2) & 0xfff9U) == 0;
    }

    bool good_options(std::size_t at, std::size_t end) {
        while (at < end) {
            const std::uint8_t type = load8(packet_.data() + at);
            if (type == kPad1) {
                ++at;
                continue;
            }
            if (end - at < 2) return false;
            const std::size_t size = std::size_t{2} + load8(packet_.data() + at + 1);
            if (size > end - at) return false;
            const unsigned action = type >> 6U;  // 00: skip over it
            if (type != kPadN && action != 0) {
                if (action != 1) tell(kUnknownOption, at);
                return false;
            }
            at += size;
        }
        return true;
    }

    ByteView packet_;
    Ipv6Problem& problem_;
};

}  // namespace

std::optional<Ipv6Chain> walk_ipv6_extensions(ByteView packet, Ipv6Problem& problem) {
    return Walk(packet, problem).run();
}

}  // namespace sluice::wire
