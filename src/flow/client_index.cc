#include "sluice/flow/client_index.h"

#include "sluice/base/bytes.h"

namespace sluice::flow {
namespace {

std::size_t next_prime(std::size_t n) {
    for (;; ++n) {
        bool prime = n >= 2;
        for (std::size_t d = 2; prime && d * d <= n; ++d) prime = n % d != 0;
        if (prime) return n;
    }
}

}  // namespace

TupleHash::TupleHash(const SipKey& key) {
    for (std::size_t i = 0; i < key_.size(); ++i) {
        const std::byte number{static_cast<std::uint8_t>(i)};
        key_[i] = siphash24(key, ByteView(&number, 1));
    }
}

// 80 % of twelve slots is 9.6 entries a group.
ClientIndex::ClientIndex(std::uint32_t capacity, const SipKey& key)
    : hash_(key), groups_(next_prime(std::size_t{capacity} * 10 / 96 + 1)), capacity_(capacity) {}

bool ClientIndex::insert(std::uint64_t hash, std::uint32_t record) {
    if (size_ == capacity_) return false;
    std::size_t g = home(hash);
    std::uint32_t free = matches(groups_[g], 0);
    while (free == 0) {  // ends: there are more slots than capacity_
        std::uint8_t& passed = groups_[g].passed[lane(hash)];
        if (passed != kSticky) ++passed;
        g = following(g, hash);
        free = matches(groups_[g], 0);
    }
    groups_[g].tags[first(free)] = tag(hash);
    groups_[g].records[first(free)] = record;
    ++size_;
    return true;
}

bool ClientIndex::erase(std::uint64_t hash, std::uint32_t record) {
    std::size_t g = home(hash);
    for (std::size_t n = 0; n < groups_.size(); ++n) {
        Group& group = groups_[g];
        for (std::uint32_t mask = matches(group, tag(hash)); mask != 0; mask &= mask - 1) {
            if (group.records[first(mask)] != record) continue;
            group.tags[first(mask)] = 0;
            for (std::size_t back = home(hash); back != g; back = following(back, hash)) {
                std::uint8_t& passed = groups_[back].passed[lane(hash)];
                if (passed != kSticky) --passed;
            }
            --size_;
            return true;
        }
        if (group.passed[lane(hash)] == 0) break;
        g = following(g, hash);
    }
    return false;
}

}  // namespace sluice::flow
