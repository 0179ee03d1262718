// Between the segments that an endpoint speaks in and the frames that carry them.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/tcp/segment.h"
#include "sluice/wire/tcp.h"

namespace sluice::tcp {

// Writes the whole Ethernet frame; returns its size, or 0 when out is too small for it. tuple.local is the
// sender.
std::uint32_t write_segment(const FourTuple& tuple, const MacAddress& from, const MacAddress& to,
                            const Segment& segment, ByteSpan out);
// What was received, its payload borrowed from the view; nullopt when the options are malformed.
std::optional<Segment> read_segment(const wire::TcpView& view);

}  // namespace sluice::tcp
