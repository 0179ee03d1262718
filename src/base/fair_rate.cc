#include "sluice/base/fair_rate.h"

#include <algorithm>

namespace sluice {
namespace {

std::uint64_t hash_of(const SipKey& key, const IpAddress& who) {
    const std::span<const std::byte> bytes = who.wire_bytes();
    return siphash24(key, bytes.first(std::min<std::size_t>(bytes.size(), 8)));
}

}  // namespace

FairRate::FairRate(const SipKey& key, std::uint32_t rate) : key_(key), common_(1, 1), shares_(kShares) {
    set_rate(rate);
}

void FairRate::set_rate(std::uint32_t rate) {
    const std::uint32_t half = std::max(rate / 2, 1U);
    interval_ = Duration(1s) * kShares / half;
    common_.set_rate(half, half);
}

bool FairRate::take(Instant now, const IpAddress& who) {
    const std::uint64_t hash = hash_of(key_, who);
    const Duration span = std::max<Duration>(interval_, 1s);
    Instant& first = shares_[hash % kShares];
    Instant& second = shares_[(hash >> 32U) % kShares];
    return take_token(first, now, interval_, span) || take_token(second, now, interval_, span) ||
           common_.take(now);
}

}  // namespace sluice
