// How much Sluice may say to strangers: answers to packets that belong to no connection, which anybody can
// send as many of as he likes. Each port's answers take up a part of what the port carries, divided by what
// is answered, and among sources (base/fair_rate.h). So neither a busy source nor a frequent kind takes
// the others' answers. Every answer here is no larger than what it answers.
#pragma once

#include <cstdint>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/fair_rate.h"
#include "sluice/host/frame_output.h"
#include "sluice/tcp/segment.h"
#include "worker/context.h"

namespace sluice::worker {

class Answers {
  public:
    enum class Kind : std::uint8_t {
        Text,     // a reset for at least two bytes, MQTT's smallest packet, or for a FIN: somebody speaks
        Broker,   // a reset for whatever comes from a broker to an address and port that may be leased to it
        Probe,    // a reset for one byte: some systems' keepalives and window probes
        Bare,     // a reset for an ACK without text: also a keepalive of others, nobody can tell
        Opening,  // a reset for a SYN, or for what is no segment of a connection at all
        Echo,     // an echo reply
    };
    // Of a segment from anybody but a broker.
    static Kind kind_of(const tcp::Segment& segment);

    // output: whose batches show that a port carries no more.
    Answers(const WorkerContext& context, const host::FrameOutput& output);

    // Mbit/s; 0: unknown, taken for 10,000. All workers together answer with a 16th of that in smallest
    // frames.
    void set_speed(std::uint16_t port, std::uint32_t speed);
    // Whether `to` may be answered now, by `port`.
    bool may(Instant now, std::uint16_t port, Kind kind, const IpAddress& to);

  private:
    const std::uint32_t workers_;
    const host::FrameOutput& output_;
    std::vector<std::vector<FairRate>> rates_;  // by port and kind
};

}  // namespace sluice::worker
