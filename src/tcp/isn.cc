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

std::uint32_t timestamp_offset(const SipKey& key, const FourTuple& tuple) {
    return keyed(key, tuple, Purpose::Timestamp);
}

}  // namespace sluice::tcp
