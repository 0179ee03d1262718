// Any bytes as the first of a connection. However many of them have arrived, the answer is "need more" until
// it is final, and then it stays the same; what was read lies within the packet, and the packet within the
// input.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "check.h"
#include "sluice/mqtt/connect.h"

using namespace sluice;

namespace {

constexpr std::size_t kMaxSize = 2048;

void check_inside(ByteView view, ByteView packet) {
    if (view.empty()) return;
    check(view.data() >= packet.data() && view.data() + view.size() <= packet.data() + packet.size());
}

void check_connect(const mqtt::Connect& connect, ByteView bytes) {
    check(connect.size <= bytes.size() && connect.size <= kMaxSize);
    const ByteView packet = bytes.first(connect.size);
    check_inside(as_bytes(connect.client_id), packet);
    check(connect.version == mqtt::Version::V5 || connect.clean_start || !connect.client_id.empty());
    if (connect.username) check_inside(as_bytes(*connect.username), packet);
    if (connect.password) check_inside(*connect.password, packet);
    check(connect.version == mqtt::Version::V5 || connect.username || !connect.password);
}

bool same(const mqtt::ConnectResult& a, const mqtt::ConnectResult& b) {
    if (a.index() != b.index()) return false;
    if (const auto* malformed = std::get_if<mqtt::Malformed>(&a)) {
        const auto& other = std::get<mqtt::Malformed>(b);
        return malformed->reason == other.reason && malformed->version == other.version;
    }
    if (const auto* connect = std::get_if<mqtt::Connect>(&a)) {
        const auto& other = std::get<mqtt::Connect>(b);
        return connect->size == other.size && connect->client_id == other.client_id &&
               connect->username == other.username && connect->keep_alive == other.keep_alive;
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes = std::as_bytes(std::span(data, size));
    const mqtt::ConnectResult whole = mqtt::read_connect(bytes, kMaxSize);
    bool final = false;
    for (std::size_t n = 0; n <= std::min<std::size_t>(size, 300); ++n) {
        const std::vector<std::byte> prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
        const mqtt::ConnectResult result = mqtt::read_connect(prefix, kMaxSize);
        const bool more = std::holds_alternative<mqtt::NeedMore>(result);
        check(!(final && more));
        final = !more;
        if (final) check(same(result, whole));
        if (const auto* connect = std::get_if<mqtt::Connect>(&result)) check_connect(*connect, prefix);
    }
    if (const auto* connect = std::get_if<mqtt::Connect>(&whole)) check_connect(*connect, bytes);
    return 0;
}
