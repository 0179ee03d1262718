// Which ends of spliced connections are being asked whether they are still there, since when and why. A
// record cannot tell by itself: a SYN on its tuple, a reset that may be forged, or a long silence raise the
// question, and the owner of the record sends the packets that ask it.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/splice/record.h"
#include "worker/reference.h"

namespace sluice::worker {

// One question; a connection has at most one at a time.
struct LivenessCheck {
    enum class Why : std::uint8_t {
        Syn,      // somebody opens the tuple of the end that is asked
        Reset,    // an RST that need not be the sender's passed to the end that is asked
        Silence,  // the end that is asked said nothing for long
    };
    Why why = Why::Silence;
    splice::Direction asked{};  // towards the end that is asked
    std::uint8_t probes = 0;    // sent since
    bool turned = false;        // the end that was asked first said nothing: now the other one is asked
    tcp::Seq reset;             // Why::Reset: the RST's number, in the numbering of its receiver
    Counter verdict{};          // what the connection ended by, if nobody answers
    Instant due = kNever;       // when the next probe, or the verdict, is
    Instant challenged = Instant::min();  // Why::Syn: when the last challenge ACK left
};

class LivenessChecks {
  public:
    // Silence is believed after so many probes.
    static constexpr std::uint8_t kProbes = 3;
    // More questions than this are not kept, or SYNs on the tuples of a million connections would fill
    // memory.
    static constexpr std::size_t kMost = 65536;

    // The check of this connection, open anew or already; nullptr when there are too many. After a change of
    // its `due`, schedule() it.
    LivenessCheck* open(Reference connection);
    LivenessCheck* find(Reference connection);
    void schedule(Reference connection, Instant due);
    void close(Reference connection);

    // The connection whose check is due first, if it is by now.
    std::optional<Reference> due(Instant now) const;
    Instant next_deadline() const { return order_.empty() ? kNever : order_.begin()->first; }
    std::size_t size() const { return checks_.size(); }

  private:
    absl::flat_hash_map<std::uint32_t, LivenessCheck> checks_;  // by Reference::raw()
    absl::btree_set<std::pair<Instant, std::uint32_t>> order_;  // of those that are scheduled
};

}  // namespace sluice::worker
