// From a client's four-tuple to the number of its connection: open addressing over 4-byte record numbers with
// tags; the key itself stays in the record, so an entry costs few bytes and a miss rarely touches a record.
//
// The table is an array of groups, each exactly one cache line: twelve one-byte tags, the twelve record
// numbers they stand for, and four counts of entries that wanted a place here but went past because the group
// was full. A search compares all tags at once and goes on to another group only while the count for its hash
// is not zero; erase takes an entry out and its counts back, so there are no tombstones and no slow decay. At
// capacity the groups are 80 % full: 6.7 bytes an entry, and about three searches out of four touch one line
// only.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "sluice/base/address.h"
#include "sluice/base/lazy_array.h"
#include "sluice/base/siphash.h"
#include "sluice/flow/slab.h"

namespace sluice::flow {

// A hash of four-tuples that an outsider who does not know the key can neither predict nor make collide.
// Words are hashed with NH (Black et al., "UMAC", CRYPTO 1999): for any two different tuples the 128-bit sums
// agree with probability 2^-64 over the choice of the key. One more keyed multiplication folds the sum to 64
// bits. It costs four multiplications, a fraction of SipHash over 36 bytes.
class TupleHash {
  public:
    // Draws its words from the key by SipHash.
    explicit TupleHash(const SipKey& key);
    std::uint64_t operator()(const FourTuple& tuple) const {
        static_assert(sizeof(FourTuple) == 36 && std::has_unique_object_representations_v<FourTuple>);
        std::array<std::uint64_t, 5> w{};
        std::memcpy(w.data(), &tuple, sizeof tuple);
        return of_words(w);
    }
    // The same for two IPv4 ends, without making a tuple first: the words that its memory would hold.
    // Addresses as they stand in a packet, loaded as they are; ports in host byte order.
    std::uint64_t of_v4(std::uint32_t local, std::uint16_t local_port, std::uint32_t remote,
                        std::uint16_t remote_port) const {
        static_assert(std::endian::native == std::endian::little);
        constexpr std::uint64_t kMapped = 0xffff;
        return of_words({0, kMapped << 16U | std::uint64_t{local} << 32U, local_port,
                         kMapped << 32U | std::uint64_t{remote} << 48U,
                         std::uint64_t{remote} >> 16U | std::uint64_t{remote_port} << 16U});
    }

  private:
    __extension__ using Wide = unsigned __int128;

    std::uint64_t of_words(const std::array<std::uint64_t, 5>& w) const {
        const Wide sum = Wide{w[0] + key_[0]} * (w[1] + key_[1]) + Wide{w[2] + key_[2]} * (w[3] + key_[3]) +
                         Wide{w[4] + key_[4]} * key_[5];
        const Wide mixed = Wide{static_cast<std::uint64_t>(sum) ^ key_[6]} *
                           (static_cast<std::uint64_t>(sum >> 64U) ^ key_[7]);
        return static_cast<std::uint64_t>(mixed) ^ static_cast<std::uint64_t>(mixed >> 64U);
    }

    std::array<std::uint64_t, 8> key_;
};

// Owns only the numbers; the records they name belong to the caller.
class ClientIndex {
  public:
    // Room for `capacity` entries; pages stay untouched until used. key: secret and random.
    ClientIndex(std::uint32_t capacity, const SipKey& key);

    std::uint64_t hash(const FourTuple& tuple) const { return hash_(tuple); }
    // As TupleHash::of_v4().
    std::uint64_t hash_v4(std::uint32_t local, std::uint16_t local_port, std::uint32_t remote,
                          std::uint16_t remote_port) const {
        return hash_.of_v4(local, local_port, remote, remote_port);
    }
    // Brings the line that find() will read first. For a burst: hash and prefetch all, then find all.
    void prefetch(std::uint64_t hash) const { __builtin_prefetch(groups_.data() + home(hash)); }
    // The record that find() will look at first, or kNoEntry when there is none in the first group. A guess
    // by tag alone, for the caller to prefetch the record.
    std::uint32_t candidate(std::uint64_t hash) const {
        const Group& group = groups_[home(hash)];
        const std::uint32_t mask = matches(group, tag(hash));
        return mask == 0 ? kNoEntry : group.records[first(mask)];
    }
    // The record with this hash for which match(record) is true, or kNoEntry. match compares the key in the
    // record and is called for few others (about one search in twenty).
    template <typename Match>
    std::uint32_t find(std::uint64_t hash, Match&& match) const {
        const std::uint8_t wanted = tag(hash);
        std::size_t g = home(hash);
        for (std::size_t n = 0; n < groups_.size(); ++n) {
            const Group& group = groups_[g];
            for (std::uint32_t mask = matches(group, wanted); mask != 0; mask &= mask - 1) {
                const std::uint32_t record = group.records[first(mask)];
                if (match(record)) return record;
            }
            if (group.passed[lane(hash)] == 0) break;
            g = following(g, hash);
        }
        return kNoEntry;
    }
    // Does not look for duplicates. False when size() == capacity().
    bool insert(std::uint64_t hash, std::uint32_t record);
    // hash: the one given to insert(). False when there is no such entry.
    bool erase(std::uint64_t hash, std::uint32_t record);

    std::uint32_t size() const { return size_; }
    std::uint32_t capacity() const { return capacity_; }
    // Reserved, not necessarily touched.
    std::size_t memory_bytes() const { return groups_.size() * sizeof(Group); }

  private:
    static constexpr std::size_t kSlots = 12;
    static constexpr std::size_t kSteps = 256;
    static constexpr std::uint8_t kSticky = 255;
    struct alignas(64) Group {
        std::array<std::uint8_t, kSlots> tags;  // 0: slot is free
        // By two bits of the hash. A count that reached kSticky stays: it is then only a hint to look
        // further.
        std::array<std::uint8_t, 4> passed;
        std::array<std::uint32_t, kSlots> records;
    };
    static_assert(sizeof(Group) == 64);
    __extension__ using Wide = unsigned __int128;

    // The home group comes from the upper bits of the hash, the tag from the lowest: they are independent.
    std::size_t home(std::uint64_t hash) const {
        return static_cast<std::size_t>((Wide{hash} * groups_.size()) >> 64U);
    }
    // Where to look after group g. Steps differ between entries of one home, so that full groups form no
    // clusters; the number of groups is a prime, so that every step visits them all.
    std::size_t following(std::size_t g, std::uint64_t hash) const {
        const std::size_t next = g + 1 + (groups_.size() > kSteps ? (hash >> 8U) % kSteps : 0);
        return next < groups_.size() ? next : next - groups_.size();
    }
    static std::size_t lane(std::uint64_t hash) { return (hash >> 16U) % 4; }
    static std::uint8_t tag(std::uint64_t hash) {
        const auto low = static_cast<std::uint8_t>(hash);
        return low == 0 ? 1 : low;
    }
    static std::size_t first(std::uint32_t mask) { return static_cast<std::size_t>(std::countr_zero(mask)); }
    // One bit a slot whose tag is `wanted`.
    static std::uint32_t matches(const Group& group, std::uint8_t wanted) {
#if defined(__SSE2__)
        __m128i line;
        std::memcpy(&line, &group, sizeof line);  // the tags, and the counts, which the mask cuts off
        const __m128i equal = _mm_cmpeq_epi8(line, _mm_set1_epi8(static_cast<char>(wanted)));
        return static_cast<std::uint32_t>(_mm_movemask_epi8(equal)) & ((1U << kSlots) - 1);
#else
        std::uint32_t mask = 0;
        for (std::size_t i = 0; i < kSlots; ++i) mask |= std::uint32_t{group.tags[i] == wanted} << i;
        return mask;
#endif
    }

    TupleHash hash_;
    LazyArray<Group> groups_;
    std::uint32_t capacity_;
    std::uint32_t size_ = 0;
};

}  // namespace sluice::flow
