// Watches one endpoint's wire from outside and names the first rule that a sent segment breaks: options that
// fit, data inside the peer's window, a right edge that does not retreat, numbers without gaps. Used by the
// stories, the simulations and the fuzz target, so every test of the endpoint is also a test of these rules.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/tcp/endpoint.h"

namespace sluice::tcp::kit {

class Monitor {
  public:
    explicit Monitor(const EndpointOptions& options) : options_(options) {}

    // A segment is about to be delivered to the endpoint.
    void on_input(const Segment& segment);
    // The endpoint sent a segment during the call that just ended. What was wrong, or empty.
    std::string on_output(const Segment& segment, const Endpoint& endpoint);
    // After any call, when all of its output went through on_output.
    std::string on_idle(const Endpoint& endpoint);

    // Bytes that the options take on the wire, before padding.
    static std::size_t options_size(const wire::TcpOptions& options);

  private:
    std::string check_options(const Segment& segment) const;
    std::string check_sequence(const Segment& segment, const Endpoint& endpoint);
    std::string check_acknowledgement(const Segment& segment, const Endpoint& endpoint);
    std::string check_timestamps(const Segment& segment, const Endpoint& endpoint);

    // The scale of a received window is only known after the call that took it (the last ACK of a handshake).
    void grant(Seq edge);
    void settle_input(const Endpoint& endpoint);

    struct Grant {
        Seq ack;
        std::uint16_t window;
    };

    EndpointOptions options_;
    bool started_ = false;                         // our SYN was seen, so send_* below mean something
    Seq iss_;                                      // our SYN
    Seq highest_sent_;                             // SND.MAX
    std::optional<Seq> fin_;                       // number of our FIN
    std::optional<Seq> peer_edge_;                 // furthest window that the peer granted
    std::optional<std::uint32_t> raw_syn_window_;  // of a SYN that came before ours was sent
    std::optional<Grant> pending_;       // acknowledgement and window of the segment being processed
    std::optional<Seq> last_ack_;        // RCV.NXT as announced last
    std::optional<Seq> own_edge_;        // furthest window that we granted
    std::uint32_t last_window_ = 0;      // bytes, of the last segment that announced one
    std::uint32_t own_granularity_ = 1;  // 2^shift of our windows
    std::optional<std::uint32_t> last_timestamp_;
    bool timestamps_agreed_ = false;
};

}  // namespace sluice::tcp::kit
