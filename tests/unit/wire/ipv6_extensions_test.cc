// RFC 8200 section 4 from the destination's side: what is stepped over, what ends a walk, and what is told
// whom.
#include "sluice/wire/ipv6_extensions.h"

#include <gtest/gtest.h>

#include "bytes_util.h"

namespace sluice::wire {
namespace {

constexpr std::size_t kFixed = 40;

// A packet whose fixed header names `first` and is followed by these bytes.
Bytes packet(unsigned first, std::string_view rest) {
    Bytes bytes(kFixed);
    bytes[0] = std::byte{0x60};
    bytes[6] = static_cast<std::byte>(first);
    const Bytes tail = hex(rest);
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    bytes[5] = static_cast<std::byte>(tail.size());
    return bytes;
}

struct Good {
    const char* what;
    unsigned first;
    std::string_view rest;
    std::size_t size;
    unsigned next;
    bool atomic = false;
};

TEST(Ipv6Extensions, ThatEveryHostTakesAreSteppedOver) {
    for (const Good& g : {
             Good{"none", 6, "", 0, 6},
             Good{"hop-by-hop, PadN", 0, "0600010400000000", 8, 6},
             Good{"hop-by-hop, router alert", 0, "3a00050200000100", 8, 58},
             Good{"eight times Pad1, and one more header of it", 60, "060100000000000000000000000000003c", 16,
                  6},
             Good{"an unknown option to be skipped", 60, "06001e0400000000", 8, 6},
             Good{"destination options twice", 60, "3c000104000000000600010400000000", 16, 6},
             Good{"routing of an unknown type, no segments left", 43, "0600c80000000000", 8, 6},
             Good{"routing of type 0, no segments left", 43,
                  "0602000000000000"
                  "00000000000000000000000000000000",
                  24, 6},
             Good{"all of them", 0,
                  "3c000104000000002b00010400000000"
                  "2c00000000000000"
                  "3c00000000000007"
                  "0600010400000000",
                  40, 6, true},
             Good{"an atomic fragment", 44, "0600000000000007", 8, 6, true},
             Good{"an atomic fragment, reserved bits set", 44, "06ff000600000007", 8, 6, true},
             Good{"a fragment", 44, "0600000100000007", 0, 44},
             Good{"a later fragment behind options", 60,
                  "2c00010400000000"
                  "0600010000000007",
                  8, 44},
             Good{"half a fragment header", 44, "06000000", 0, 44},
         }) {
        SCOPED_TRACE(g.what);
        const ExactBytes exact(packet(g.first, g.rest));
        Ipv6Problem problem;
        const auto chain = walk_ipv6_extensions(exact.view(), problem);
        ASSERT_TRUE(chain);
        EXPECT_EQ(chain->size, g.size);
        EXPECT_EQ(chain->next_header, g.next);
        EXPECT_EQ(chain->atomic_fragment, g.atomic);
    }
}

struct Refused {
    const char* what;
    unsigned first;
    std::string_view rest;
    std::optional<std::pair<int, std::uint32_t>> told = std::nullopt;  // code and pointer
};

TEST(Ipv6Extensions, ThatNoHostTakesAreToldWhereTheRfcSaysSo) {
    for (const Refused& r : {
             Refused{"nothing follows", 59, ""},
             Refused{"cut short", 60, "06000104000000"},
             Refused{"longer than the packet", 60, "0601010400000000"},
             Refused{"an option beyond its header", 60, "0600010500000000"},
             Refused{"half an option", 60, "0600000000000001"},
             Refused{"an unknown option, action 01", 60, "0600410400000000"},
             Refused{"an unknown option, action 10", 60, "06000000810200000", {{2, 44}}},
             Refused{"an unknown option, action 11", 0, "0600c10400000000", {{2, 42}}},
             Refused{"a jumbogram", 0, "0600c20400020000", {{2, 42}}},
             Refused{"hop-by-hop behind another", 60, "00000104000000000600010400000000", {{1, 40}}},
             Refused{"routing with a segment left", 43, "0600000100000000", {{0, 42}}},
             Refused{"ESP", 50, "0000000700000001", {{1, 6}}},
             Refused{"AH behind options", 60, "33000104000000000604000000000000", {{1, 40}}},
             Refused{"mobility", 135, "3b00050000000000", {{1, 6}}},
         }) {
        SCOPED_TRACE(r.what);
        const ExactBytes exact(packet(r.first, r.rest));
        Ipv6Problem problem;
        EXPECT_FALSE(walk_ipv6_extensions(exact.view(), problem));
        EXPECT_EQ(problem.to_be_told, r.told.has_value());
        if (!r.told) continue;
        EXPECT_EQ(problem.code, r.told->first);
        EXPECT_EQ(problem.pointer, r.told->second);
    }
}

}  // namespace
}  // namespace sluice::wire
