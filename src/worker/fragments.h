// The fragments that one worker puts together: frames in, now and then a frame with a whole packet out.
#pragma once

#include <algorithm>
#include <optional>

#include "sluice/base/counters.h"
#include "sluice/host/frame_output.h"
#include "sluice/wire/reassembly.h"
#include "worker/context.h"
#include "worker/icmp_errors.h"

namespace sluice::worker {

class Fragments {
  public:
    Fragments(WorkerContext& context, host::FrameOutput& output, IcmpErrors& errors);

    // frame: that of the fragment, which stays the caller's. A whole packet comes in a frame of its own, from
    // the same port, with the Ethernet header of this one; it is the caller's now.
    std::optional<port::Frame> add(Instant now, const port::Frame& frame, const wire::Fragment& fragment);
    void on_timer(Instant now);
    Instant next_deadline() const { return std::min(v4_.next_deadline(), v6_.next_deadline()); }

  private:
    wire::Reassembly& of(IpFamily family) { return family == IpFamily::V4 ? v4_ : v6_; }
    std::optional<port::Frame> frame_of(const port::Frame& last, ByteView packet);
    void give_up(Instant now, const wire::Reassembly::Remains& remains);

    host::FrameOutput& output_;
    IcmpErrors& errors_;
    CounterSet& counters_;
    wire::Reassembly v4_;
    wire::Reassembly v6_;
};

// The counter of fragments that are wrong in themselves or contradict others.
constexpr Counter spoiled_fragment(IpFamily family) {
    return family == IpFamily::V4 ? Counter::DropIpv4Fragment : Counter::DropIpv6Extension;
}

}  // namespace sluice::worker
