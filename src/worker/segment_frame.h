// From what an endpoint sends to the frame that carries it.
#pragma once

#include "sluice/base/address.h"
#include "sluice/port/frame.h"
#include "sluice/tcp/segment.h"

namespace sluice::worker {

// tuple.local is the sender. frame must hold the segment: its buffers are made for the largest MTU.
void write_segment(port::Frame& frame, const FourTuple& tuple, const MacAddress& from, const MacAddress& to,
                   const tcp::Segment& segment);

}  // namespace sluice::worker
