// A packet as it comes from a path with a narrow place in it: in IP fragments.
#pragma once

#include <vector>

#include "worker/packets.h"

namespace sluice::test {

// Of one packet without IP options or extension headers; itself where it is small. Some packets' last
// fragment comes first.
std::vector<Frame> fragments_of(const Frame& whole);

}  // namespace sluice::test
