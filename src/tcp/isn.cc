// See isn.h.
#include "sluice/tcp/isn.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "sluice/base/bytes.h"

namespace sluice::tcp {

namespace {

// Two values are drawn from one key; the purpose keeps either from telling the other.
enum class Purpose : std::uint8_t { Sequence = 1, Timestamp = 2 };

std::uint32_t keyed(const SipKey& key, const FourTuple& tuple, Purpose purpose) {
    std::array<std::byte, 37> input;
    std::byte* at = input.data();
    for (const SocketAddress* end : {&tuple.local, &tuple.remote}) {
        at = std::ranges::copy(std::as_bytes(end->address.bytes()), at).out;
        store16(at, end->port);
        at += 2;
    }
    store8(at, static_cast<std::uint8_t>(purpose));
    return static_cast<std::uint32_t>(siphash24(key, input));
}

}  // namespace

Seq initial_sequence(const SipKey& key, const FourTuple& tuple, Instant now) {
    using FourMicroseconds = std::chrono::duration<std::int64_t, std::ratio<4, 1'000'000>>;
    const auto ticks = std::chrono::duration_cast<FourMicroseconds>(now.time_since_epoch()).count();
    return Seq(static_cast<std::uint32_t>(ticks)).advance(keyed(key, tuple, Purpose::Sequence));
}

// A stranger who knows `last` has seen the connection, and learns nothing from the distance.
Seq sequence_after(Seq last, Seq fresh) {
    constexpr std::uint32_t kDistance = 0x20000;  // past any window granted without a scale
    const bool is_past = fresh.after(last) && fresh.since(last) >= kDistance;
    return is_past ? fresh : last.advance(kDistance);
}

// A client's clock may have ticked faster than Sluice's (RFC 7323 allows any tick from 1 ms to 1 s, and some
// count microseconds), so that its last value lies ahead.
std::uint32_t timestamp_offset_after(std::uint32_t last, Instant now) {
    const Seq clock(milliseconds32(now));  // timestamps wrap around as sequence numbers do
    const Seq past = Seq(last).advance(1);
    return clock.at_or_after(past) ? 0 : past.since(clock);
}

bool begins_later(const Segment& syn, Seq next, std::optional<std::uint32_t> last_timestamp) {
    if (last_timestamp && syn.options.timestamps) {
        const Seq last(*last_timestamp);
        const Seq offered(syn.options.timestamps->value);
        if (offered != last) return offered.after(last);
    }
    return syn.seq.after(next);
}

std::uint32_t timestamp_offset(const SipKey& key, const FourTuple& tuple) {
    return keyed(key, tuple, Purpose::Timestamp);
}

}  // namespace sluice::tcp
