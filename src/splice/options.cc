#include "sluice/splice/options.h"

#include "sluice/wire/tcp_options.h"

namespace sluice::splice {
namespace {

// Adds `shift` to the 32-bit field `at` bytes into the options, whatever its alignment. Returns what now
// stands there.
std::uint32_t shift_field(ByteSpan options, std::size_t at, std::uint32_t shift, ChecksumDelta& delta) {
    std::byte* const field = options.data() + at;
    const std::uint32_t before = load32(field);
    const std::uint32_t after = before + shift;
    store32(field, after);
    if (at % 2 == 0) {
        delta.replace32(before, after);
    } else {
        delta.replace32_odd(before, after);
    }
    return after;
}

bool holds_blocks(std::size_t length) { return length > 2 && (length - 2) % wire::kSackBlockSize == 0; }

}  // namespace

template <bool kWithTimestamps>
ShiftedOptions shift_options(ByteSpan options, const Shifts& shifts, ChecksumDelta& delta) {
    ShiftedOptions result;
    std::size_t at = 0;
    while (at < options.size()) {
        const std::uint8_t kind = load8(options.data() + at);
        if (kind == wire::kTcpOptionEnd) break;
        if (kind == wire::kTcpOptionNop) {
            ++at;
            continue;
        }
        // RFC 9293 MUST-7: an illegal length must not lead anywhere.
        const std::size_t left = options.size() - at;
        const std::size_t length = left < 2 ? 0 : load8(options.data() + at + 1);
        if (length < 2 || length > left) {
            result.well_formed = false;
            break;
        }
        if (kind == wire::kTcpOptionSack && holds_blocks(length)) {
            for (std::size_t edge = 2; edge < length; edge += 4) {
                shift_field(options, at + edge, shifts.acknowledgement, delta);
            }
        } else if (kWithTimestamps && kind == wire::kTcpOptionTimestamps &&
                   length == wire::kTimestampsOptionSize) {
            result.timestamps = true;
            result.timestamp = shift_field(options, at + 2, shifts.timestamp, delta);
            shift_field(options, at + 6, shifts.echo, delta);
        }
        at += length;
    }
    return result;
}

template ShiftedOptions shift_options<false>(ByteSpan, const Shifts&, ChecksumDelta&);
template ShiftedOptions shift_options<true>(ByteSpan, const Shifts&, ChecksumDelta&);

}  // namespace sluice::splice
