// The numbers 0 to n - 1, each once, in an order that no cache can foresee: computed, so that it costs no
// memory.
#pragma once

#include <bit>
#include <cstdint>

namespace sluice::bench {

class Permutation {
  public:
    // n > 0.
    Permutation(std::uint32_t n, std::uint32_t seed)
        : n_(n), bits_(static_cast<std::uint32_t>(std::bit_width(n - 1))), seed_(seed) {}

    // The next one; after n of them the same begin again.
    std::uint32_t next() {
        std::uint32_t value = 0;
        do value = mixed(at_++);
        while (value >= n_);
        return value;
    }

  private:
    // Each step maps the numbers of so many bits onto themselves.
    std::uint32_t mixed(std::uint32_t x) const {
        const std::uint32_t mask = bits_ == 32 ? ~0U : (1U << bits_) - 1;
        const std::uint32_t half = (bits_ + 1) / 2;
        x = (x * 0x9e3779b1U + seed_) & mask;
        x ^= x >> half;
        x = (x * 0x85ebca6bU) & mask;
        x ^= x >> half;
        return (x * 0xc2b2ae35U + seed_) & mask;
    }

    std::uint32_t n_;
    std::uint32_t bits_;
    std::uint32_t seed_;
    std::uint32_t at_ = 0;
};

}  // namespace sluice::bench
