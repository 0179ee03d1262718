// A router beside a story, on the way to one of its ends: complaints about packets that Sluice sent, and what
// an end is told about packets that it sent itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "worker/splice/story.h"

namespace sluice::test {

inline Side other(Side side) { return side == Side::Client ? Side::Broker : Side::Client; }

// An ICMP or ICMPv6 error.
struct Complaint {
    std::uint8_t type;
    std::uint8_t code;
    std::uint32_t parameter;
};
Complaint too_big(bool ipv6, std::uint32_t mtu);
Complaint time_exceeded(bool ipv6);

// From a router on the way to that side, about a packet that Sluice sent there.
Frame complaint(const Story& story, Side side, const Complaint& kind, ByteView quoted);

// The side says the line; what Sluice made of it comes back as a router saw it, cut to `size`.
Frame packet_sent_for(Story& story, Side side, std::string_view line, std::size_t size);
// The IP packet that the end sent, cut likewise.
Frame as_sent(const Story& story, Side side, std::string_view line, std::size_t size);

// That side was told exactly this and nothing else left. original: what the error has to quote, but for what
// a hop changes.
void expect_told(Story& story, Side side, const Complaint& kind, Frame original);

}  // namespace sluice::test
