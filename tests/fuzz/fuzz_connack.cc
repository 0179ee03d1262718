// Any bytes as a broker's first; the first byte of the input chooses the version. However many have arrived,
// the answer is "need more" until it is final, and then it stays the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "check.h"
#include "sluice/mqtt/connack.h"

using namespace sluice;

namespace {

constexpr std::size_t kMaxSize = 2048;

void check_connack(const mqtt::Connack& connack, ByteView bytes) {
    check(connack.size <= bytes.size() && connack.size <= kMaxSize && connack.size >= 4);
    check(connack.accepted() || !connack.session_present);
    if (!connack.assigned_client_id || connack.assigned_client_id->empty()) return;
    const ByteView id = as_bytes(*connack.assigned_client_id);
    check(id.data() >= bytes.data() && id.data() + id.size() <= bytes.data() + connack.size);
}

bool same(const mqtt::ConnackResult& a, const mqtt::ConnackResult& b) {
    if (a.index() != b.index()) return false;
    if (const auto* malformed = std::get_if<mqtt::ConnackMalformed>(&a)) {
        return malformed->reason == std::get<mqtt::ConnackMalformed>(b).reason;
    }
    if (const auto* connack = std::get_if<mqtt::Connack>(&a)) {
        const auto& other = std::get<mqtt::Connack>(b);
        return connack->size == other.size && connack->reason_code == other.reason_code &&
               connack->server_keep_alive == other.server_keep_alive &&
               connack->session_expiry == other.session_expiry &&
               connack->assigned_client_id == other.assigned_client_id;
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto version = static_cast<mqtt::Version>(3 + data[0] % 3);
    const ByteView bytes = std::as_bytes(std::span(data + 1, size - 1));
    const mqtt::ConnackResult whole = mqtt::read_connack(bytes, version, kMaxSize);
    bool final = false;
    for (std::size_t n = 0; n <= std::min<std::size_t>(bytes.size(), 300); ++n) {
        const std::vector<std::byte> prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
        const mqtt::ConnackResult result = mqtt::read_connack(prefix, version, kMaxSize);
        const bool more = std::holds_alternative<mqtt::NeedMore>(result);
        check(!(final && more));
        final = !more;
        if (final) check(same(result, whole));
        if (const auto* connack = std::get_if<mqtt::Connack>(&result)) check_connack(*connack, prefix);
    }
    if (const auto* connack = std::get_if<mqtt::Connack>(&whole)) check_connack(*connack, bytes);
    return 0;
}
