#include "worker/steering.h"

#include "sluice/worker/rss_key.h"

namespace sluice::worker {
namespace {

constexpr std::size_t kLongestInput = 36;  // two IPv6 addresses and two ports

// NICs spread over queues through an indirection table of this many entries, filled round robin.
constexpr std::uint32_t kIndirectionEntries = 128;

using Contribution = std::array<std::array<std::uint32_t, 256>, kLongestInput>;

// What each value of each input byte adds to the hash: the XOR of the 32-bit key windows at its set bits.
constexpr std::uint32_t key_window(std::size_t bit) {
    std::uint32_t window = 0;
    for (std::size_t i = 0; i < 32; ++i) {
        const std::size_t b = bit + i;
        window = (window << 1U) | ((kRssKey[b / 8] >> (7 - b % 8)) & 1U);
    }
    return window;
}

const Contribution& contributions() {
    static const auto table = [] {
        auto t = std::make_unique<Contribution>();
        for (std::size_t position = 0; position < kLongestInput; ++position) {
            for (std::size_t value = 0; value < 256; ++value) {
                std::uint32_t hash = 0;
                for (std::size_t bit = 0; bit < 8; ++bit) {
                    if ((value >> (7 - bit) & 1U) != 0) hash ^= key_window(position * 8 + bit);
                }
                (*t)[position][value] = hash;
            }
        }
        return t;
    }();
    return *table;
}

}  // namespace

Steering::Steering(std::uint32_t workers) : workers_(workers) {}

std::uint32_t Steering::toeplitz(const FourTuple& tuple) {
    const Contribution& table = contributions();
    std::uint32_t hash = 0;
    std::size_t position = 0;
    const auto feed = [&](std::span<const std::byte> bytes) {
        for (const std::byte b : bytes) hash ^= table[position++][static_cast<std::uint8_t>(b)];
    };
    const auto feed_port = [&](std::uint16_t port) {
        hash ^= table[position++][port >> 8U];
        hash ^= table[position++][port & 0xffU];
    };
    feed(tuple.remote.address.wire_bytes());
    feed(tuple.local.address.wire_bytes());
    feed_port(tuple.remote.port);
    feed_port(tuple.local.port);
    return hash;
}

std::uint32_t Steering::of_client(const FourTuple& tuple) const {
    if (workers_ == 1) return 0;
    return toeplitz(tuple) % kIndirectionEntries % workers_;
}

// The same hash, with what fragments have in the place of ports.
std::uint32_t Steering::of_fragment(const IpAddress& source, const IpAddress& destination,
                                    std::uint32_t identification, std::uint8_t protocol) const {
    if (workers_ == 1) return 0;
    const auto upper = static_cast<std::uint16_t>(identification >> 16U ^ protocol);
    const auto lower = static_cast<std::uint16_t>(identification);
    return of_client({.local = {destination, lower}, .remote = {source, upper}});
}

}  // namespace sluice::worker
