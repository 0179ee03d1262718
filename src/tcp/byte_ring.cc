// See byte_ring.h.
#include "byte_ring.h"

#include <algorithm>
#include <bit>

namespace sluice::tcp {

namespace {
constexpr std::uint32_t kSmallest =
    512;  // most MQTT packets fit, and growing from less costs more than it saves
}

void ByteRing::reserve(std::uint32_t needed, std::uint32_t held) {
    if (needed <= capacity_) return;
    const std::uint32_t capacity = std::bit_ceil(std::max(needed, kSmallest));
    auto data = std::make_unique_for_overwrite<std::byte[]>(capacity);
    const Pieces old = pieces(0, held);
    std::copy(old.first.begin(), old.first.end(), data.get());
    std::copy(old.second.begin(), old.second.end(), data.get() + old.first.size());
    data_ = std::move(data);
    capacity_ = capacity;
    head_ = 0;
}

void ByteRing::store(std::uint32_t offset, ByteView bytes) {
    if (bytes.empty()) return;
    const std::uint32_t start = (head_ + offset) & (capacity_ - 1);
    const std::size_t first = std::min<std::size_t>(bytes.size(), capacity_ - start);
    std::copy_n(bytes.data(), first, data_.get() + start);
    std::copy_n(bytes.data() + first, bytes.size() - first, data_.get());
}

ByteRing::Pieces ByteRing::pieces(std::uint32_t offset, std::uint32_t size) const {
    if (size == 0) return {};
    const std::uint32_t start = (head_ + offset) & (capacity_ - 1);
    const std::uint32_t first = std::min(size, capacity_ - start);
    return {.first = {data_.get() + start, first}, .second = {data_.get(), size - first}};
}

void ByteRing::release() {
    data_.reset();
    capacity_ = 0;
    head_ = 0;
}

}  // namespace sluice::tcp
