// Plain frames out of wrapped ones, in the buffer where they lie: what every host takes, but nobody further
// on has to know. Headers move towards the payload, so that a frame's data moves and its length and capacity
// shrink.
#pragma once

#include <cstddef>

#include "sluice/port/frame.h"
#include "sluice/wire/ipv6_extensions.h"

namespace sluice::host {

// Priority tags: IEEE 802.1Q with VLAN 0, which says nothing about the frame's destination (section 6.9),
// also behind another one and of a service provider's type. True when there was one. A tag of a VLAN stays.
bool take_off_priority_tags(port::Frame& frame);

// frame: an IPv6 packet that walk_ipv6_extensions() was given, and what that found.
void take_off_extensions(port::Frame& frame, const wire::Ipv6Chain& chain);

}  // namespace sluice::host
