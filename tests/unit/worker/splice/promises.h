// Watches the windows of one connection on both of its legs, frame by frame, whatever phase it is in.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/mqtt/writer.h"
#include "worker/splice/story.h"

namespace sluice::test {

// A 3.1.1 CONNECT of "device" with a user name and a password; size: of the two, at most 130,000 bytes.
inline std::string large_connect(std::size_t size) {
    const std::string username(size / 2, 'u');
    const std::string password(size - size / 2, 'p');
    return std::string(as_text(mqtt::write_connect({.version = mqtt::Version::V311,
                                                    .client_id = "device",
                                                    .keep_alive = 60,
                                                    .username = username,
                                                    .password = password})));
}

// Both legs carry the same two streams from their first byte on, so an edge is an offset in a stream. Neither
// end may be promised more by Sluice than the other end has granted it. Takes lab.on_sent and
// lab.lose_received for itself, and must not outlive the lab's last run.
class Promises {
  public:
    // first_window: what the client may be promised before its broker is known, bytes of its stream.
    explicit Promises(Lab& lab, std::uint32_t first_window = 0);

    // What was wrong first; empty when nothing was.
    std::string fault;
    // Furthest edges, in bytes of the stream that they are for: what either end granted, what Sluice
    // promised.
    std::int64_t granted(Side side) const { return legs_[index(side)].granted; }
    std::int64_t promised(Side side) const { return legs_[index(side)].promised; }

  private:
    struct Leg {
        std::optional<std::uint32_t> remote_zero;  // number of the first byte of either side's stream
        std::optional<std::uint32_t> local_zero;
        std::optional<std::uint8_t> remote_scale;
        std::optional<std::uint8_t> local_scale;
        std::int64_t granted = 0;   // by the remote end, of what Sluice sends
        std::int64_t promised = 0;  // by Sluice, of what the remote end sends
    };
    static std::size_t index(Side side) { return static_cast<std::size_t>(side); }
    static bool is_probe(const SeenSegment& s);
    void received(const SeenSegment& s);
    void sent(const SeenSegment& s);

    std::uint32_t first_window_;
    std::array<Leg, 2> legs_;
};

}  // namespace sluice::test
