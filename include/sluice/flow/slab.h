// Fixed-capacity storage with stable 32-bit names: memory is taken once, entries are reused last-freed-first
// (cache-warm). Pages stay untouched until an entry on them is used.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "sluice/base/lazy_array.h"

namespace sluice::flow {

inline constexpr std::uint32_t kNoEntry = 0xffffffff;

// Owns its entries: each lives, at an address that never changes, from insert() to erase() or to the end of
// the slab. A name is used again after erase(); who keeps names must drop them first.
template <typename T>
class Slab {
  public:
    // capacity < kNoEntry.
    explicit Slab(std::uint32_t capacity)
        : cells_(capacity), live_((std::size_t{capacity} + 63) / 64), capacity_(capacity) {}
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;
    ~Slab() {
        for (std::uint32_t i = next(0); i != kNoEntry; i = next(i + 1)) std::destroy_at(&(*this)[i]);
    }

    // Constructs an entry in place from args. kNoEntry when full.
    template <typename... Args>
    std::uint32_t insert(Args&&... args) {
        const bool reuse = free_ != kNoEntry;
        const std::uint32_t index = reuse ? free_ : used_;
        if (index == capacity_) return kNoEntry;
        const std::uint32_t after = reuse ? link(index) : kNoEntry;
        try {
            std::construct_at(reinterpret_cast<T*>(cells_[index].bytes.data()), std::forward<Args>(args)...);
        } catch (...) {
            if (reuse) set_link(index, after);  // the constructor may have written over it
            throw;
        }
        free_ = after;
        if (!reuse) ++used_;
        live_[index / 64] |= bit(index);
        ++size_;
        return index;
    }

    // Requires contains(index).
    void erase(std::uint32_t index) {
        assert(contains(index));
        std::destroy_at(&(*this)[index]);
        live_[index / 64] &= ~bit(index);
        set_link(index, free_);
        free_ = index;
        --size_;
    }

    // Requires contains(index).
    T& operator[](std::uint32_t index) {
        return *std::launder(reinterpret_cast<T*>(cells_[index].bytes.data()));
    }
    const T& operator[](std::uint32_t index) const {
        return *std::launder(reinterpret_cast<const T*>(cells_[index].bytes.data()));
    }
    void prefetch(std::uint32_t index) const { __builtin_prefetch(cells_.data() + index); }

    bool contains(std::uint32_t index) const {
        return index < used_ && (live_[index / 64] & bit(index)) != 0;
    }

    // The first live entry at or after `from`, or kNoEntry. A listing may stop and go on later: entries that
    // live throughout are seen exactly once.
    std::uint32_t next(std::uint32_t from) const {
        if (from >= used_) return kNoEntry;
        std::size_t word = from / 64;
        std::uint64_t bits = live_[word] & (~std::uint64_t{0} << (from % 64));
        const std::size_t last = (used_ - 1) / 64;
        while (bits == 0) {
            if (word == last) return kNoEntry;
            bits = live_[++word];
        }
        return static_cast<std::uint32_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
    }

    std::uint32_t size() const { return size_; }
    std::uint32_t capacity() const { return capacity_; }
    bool full() const { return size_ == capacity_; }
    // Where entry 0 lies; entry i follows at i * sizeof(T), rounded up to T's alignment.
    const std::byte* base() const { return reinterpret_cast<const std::byte*>(cells_.data()); }
    // One bit an entry, entry i in bit i % 64 of word i / 64: whether it lives. The rest can be rebuilt from
    // it.
    const std::uint64_t* live_bits() const { return live_.data(); }
    // Reserved, not necessarily touched.
    std::size_t memory_bytes() const {
        return cells_.size() * sizeof(Cell) + live_.size() * sizeof(std::uint64_t);
    }

  private:
    // A free cell holds the name of the next free one.
    struct alignas(std::max(alignof(T), alignof(std::uint32_t))) Cell {
        std::array<std::byte, std::max(sizeof(T), sizeof(std::uint32_t))> bytes;
    };

    static std::uint64_t bit(std::uint32_t index) { return std::uint64_t{1} << (index % 64); }
    std::uint32_t link(std::uint32_t index) const {
        std::uint32_t value;
        std::memcpy(&value, cells_[index].bytes.data(), sizeof value);
        return value;
    }
    void set_link(std::uint32_t index, std::uint32_t value) {
        std::memcpy(cells_[index].bytes.data(), &value, sizeof value);
    }

    LazyArray<Cell> cells_;
    LazyArray<std::uint64_t> live_;  // one bit an entry
    std::uint32_t capacity_;
    std::uint32_t used_ = 0;         // cells at and above were never used
    std::uint32_t free_ = kNoEntry;  // last freed
    std::uint32_t size_ = 0;
};

}  // namespace sluice::flow
