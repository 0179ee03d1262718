// A small map that every packet asks and nobody changes but for another configuration: open addressing, half
// empty at most, keys of one to five words compared in registers. A general hash map costs several times as
// much here, because it cannot know that both its size and its keys are the operator's choice.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace sluice::worker {

// Key: std::array<std::uint64_t, N>.
template <typename Key, typename Value>
class WordMap {
  public:
    WordMap() : cells_(2) {}

    // nullptr when there is none.
    const Value* find(const Key& key) const {
        for (std::size_t at = home(key);; ++at) {
            const Cell& cell = cells_[at & mask_];
            if (!cell.used) return nullptr;
            if (same(cell.key, key)) return &cell.value;
        }
    }
    Value* find(const Key& key) { return const_cast<Value*>(std::as_const(*this).find(key)); }
    // Keeps what is there when the key is known.
    void insert(const Key& key, const Value& value) {
        if (find(key) != nullptr) return;
        if (2 * (size_ + 1) > cells_.size()) grow();
        place(key, value);
        ++size_;
    }

  private:
    struct Cell {
        Key key{};
        Value value{};
        bool used = false;
    };

    std::size_t home(const Key& key) const {
        std::uint64_t sum = 0;
        for (const std::uint64_t word : key) sum = (std::rotl(sum, 29) ^ word) * 0x9e3779b97f4a7c15U;
        return static_cast<std::size_t>(sum >> 32U);
    }
    // The array's own comparison is a call of memcmp.
    static bool same(const Key& a, const Key& b) {
        std::uint64_t difference = 0;
        for (std::size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
        return difference == 0;
    }
    void place(const Key& key, const Value& value) {
        std::size_t at = home(key);
        while (cells_[at & mask_].used) ++at;
        cells_[at & mask_] = {key, value, true};
    }
    void grow() {
        const std::vector<Cell> old = std::exchange(cells_, std::vector<Cell>(2 * cells_.size()));
        mask_ = cells_.size() - 1;
        for (const Cell& cell : old) {
            if (cell.used) place(cell.key, cell.value);
        }
    }

    std::vector<Cell> cells_;  // a power of two
    std::size_t mask_ = 1;
    std::size_t size_ = 0;
};

}  // namespace sluice::worker
