#include "worker/splice/promises.h"

#include <algorithm>

namespace sluice::test {
namespace {

std::int64_t bytes_between(std::uint32_t from, std::uint32_t to) {
    return static_cast<std::int32_t>(to - from);
}

std::optional<SeenSegment> segment_in(std::uint16_t port, ByteView frame) {
    Tap tap;
    tap.see(port, frame);
    return tap.tcp.empty() ? std::nullopt : std::optional(tap.tcp.front());
}

// The window in bytes: that of a SYN is never scaled, and scales count only where both ends gave one.
std::int64_t window(const SeenSegment& s, std::optional<std::uint8_t> mine,
                    std::optional<std::uint8_t> theirs) {
    return std::int64_t{s.tcp.window} << (!s.tcp.flags.syn && mine && theirs ? *mine : 0);
}

}  // namespace

Promises::Promises(Lab& lab, std::uint32_t first_window) : first_window_(first_window) {
    lab.on_sent = [this](std::uint16_t port, ByteView frame) {
        if (const auto s = segment_in(port, frame); s && !is_probe(*s)) sent(*s);
    };
    lab.lose_received = [this](std::uint16_t port, ByteView frame) {
        if (const auto s = segment_in(port, frame); s && !is_probe(*s)) received(*s);
        return false;
    };
}

bool Promises::is_probe(const SeenSegment& s) {
    const auto is_low = [](std::uint16_t port) { return port >= 512 && port < 1024; };
    return s.port == 1 && (is_low(s.from.port) || is_low(s.to.port));
}

void Promises::received(const SeenSegment& s) {
    Leg& leg = legs_[s.port];
    if (s.tcp.flags.rst) return;
    if (s.tcp.flags.syn) {
        leg.remote_zero = s.tcp.sequence + 1;
        leg.remote_scale = s.tcp.options.window_scale;
    }
    const std::int64_t acked =
        s.tcp.flags.ack && leg.local_zero ? bytes_between(*leg.local_zero, s.tcp.acknowledgement) : 0;
    leg.granted = std::max(leg.granted, acked + window(s, leg.remote_scale, leg.local_scale));
}

void Promises::sent(const SeenSegment& s) {
    Leg& leg = legs_[s.port];
    if (s.tcp.flags.rst) return;
    if (s.tcp.flags.syn) {
        if (s.port == 1) leg = {};  // another attempt
        leg.local_zero = s.tcp.sequence + 1;
        leg.local_scale = s.tcp.options.window_scale;
    }
    const auto size = static_cast<std::int64_t>(s.payload.size());
    const std::int64_t end = leg.local_zero ? bytes_between(*leg.local_zero, s.tcp.sequence) + size : 0;
    if (size != 0 && end > leg.granted && fault.empty()) {
        fault =
            "sent up to " + std::to_string(end) + " where " + std::to_string(leg.granted) + " was granted";
    }
    const std::int64_t acked =
        s.tcp.flags.ack && leg.remote_zero ? bytes_between(*leg.remote_zero, s.tcp.acknowledgement) : 0;
    leg.promised = std::max(leg.promised, acked + window(s, leg.local_scale, leg.remote_scale));
    const std::int64_t most =
        std::max<std::int64_t>(legs_[1 - s.port].granted, s.port == 0 ? first_window_ : 0);
    if (leg.promised > most && fault.empty()) {
        fault = std::string(s.port == 0 ? "client" : "broker") + " was promised " +
                std::to_string(leg.promised) + " where " + std::to_string(most) + " was granted";
    }
}

}  // namespace sluice::test
