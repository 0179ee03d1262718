// Fixed-capacity storage with stable 32-bit names: memory is taken once, entries are reused last-freed-first
// (cache-warm).
#pragma once
#include <cstdint>
#include <memory>

namespace sluice::flow {

inline constexpr std::uint32_t kNoEntry = 0xffffffff;

// template <typename T> class Slab { explicit Slab(uint32_t capacity); uint32_t insert(args...) -> index or
// kNoEntry when full;
//   void erase(index); T& operator[](index); bool contains(index); size(); capacity(); for_each from cursor:
//   uint32_t next(uint32_t from) }

}  // namespace sluice::flow
