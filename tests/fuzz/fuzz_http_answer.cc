// Any bytes as an HTTP server's answer; the first byte of the input chooses how they are cut. Wherever that
// is, the answer is the same, what is kept of it stays within its bounds, and an end is an end.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "check.h"
#include "sluice/health/http_answer.h"

using namespace sluice;
using State = health::HttpAnswer::State;

namespace {

bool is_final(State state) {
    return state == State::Complete || state == State::Malformed || state == State::Truncated;
}

void check_bounds(const health::HttpAnswer& answer) {
    check(answer.body().size() <= health::HttpAnswer::kMostBody);
    check(answer.status() == 0 || (answer.status() >= 100 && answer.status() <= 599));
    check(answer.state() != State::Head || answer.status() == 0);
    check(answer.state() != State::Body || answer.status() >= 200);
    check(answer.state() != State::Complete || answer.status() != 0);
}

void check_same(const health::HttpAnswer& a, const health::HttpAnswer& b) {
    check(a.state() == b.state() && a.status() == b.status() && a.body() == b.body());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const ByteView bytes = std::as_bytes(std::span(data + 1, size - 1));
    health::HttpAnswer whole;
    whole.take(bytes);
    check_bounds(whole);

    health::HttpAnswer cut;
    std::uint32_t state = data[0];
    for (ByteView rest = bytes; !rest.empty();) {
        state = state * 1664525U + 1013904223U;
        const std::size_t piece =
            std::min<std::size_t>(rest.size(), 1 + (state >> 16U) % (1 + data[0] % 64U));
        const State before = cut.state();
        cut.take(rest.first(piece));
        check_bounds(cut);
        check(!is_final(before) || cut.state() == before);
        rest = rest.subspan(piece);
    }
    check_same(cut, whole);

    whole.end();
    cut.end();
    check(is_final(whole.state()));
    check_same(cut, whole);
    check_bounds(whole);
    whole.take(bytes);
    check_same(cut, whole);
    return 0;
}
