#include "sluice/base/lazy_array.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace sluice::detail {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20U;
// Below this the heap does, and what grows is copied.
constexpr std::size_t kMapped = std::size_t{64} << 10U;
// Below a few huge pages the rounding would cost more than the translation misses it saves.
constexpr std::size_t kLarge = 4 * kHugePage;

constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

void unmap(std::byte* from, std::size_t bytes) {
    if (bytes != 0) munmap(from, bytes);
}

// A mapping of zero pages. A large one begins a page after where a huge one could: so its first 2 MiB have
// small pages, and a dozen tables for millions of which a thousand entries are used do not take a huge page
// each. Each is one area in the kernel's eyes, because mremap() moves no more than one at a time.
std::byte* map(std::size_t bytes, int protection) {
    const std::size_t alignment = bytes >= kLarge ? kHugePage : kPage;
    const std::size_t after = bytes >= kLarge ? kPage : 0;
    const std::size_t reserved = bytes + alignment - kPage;
    void* const found = mmap(nullptr, reserved, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) throw std::bad_alloc();
    auto* const begin = static_cast<std::byte*>(found);
    const auto address = reinterpret_cast<std::uintptr_t>(begin);
    const std::size_t before = round_up(address - after, alignment) + after - address;
    unmap(begin, before);
    unmap(begin + before + bytes, reserved - before - bytes);
    return begin + before;
}

void advise(std::byte* data, std::size_t bytes) {
    if (bytes >= kLarge) static_cast<void>(madvise(data, bytes, MADV_HUGEPAGE));
}

}  // namespace

LazyPages::LazyPages(std::size_t bytes) {
    if (bytes < kMapped) {
        data_ = std::aligned_alloc(kCacheLine, round_up(std::max<std::size_t>(bytes, 1), kCacheLine));
        if (data_ == nullptr) throw std::bad_alloc();
        std::memset(data_, 0, bytes);
        return;
    }
    mapped_ = round_up(bytes, kPage);
    std::byte* const data = map(mapped_, PROT_READ | PROT_WRITE);
    advise(data, mapped_);
    data_ = data;
}

LazyPages::~LazyPages() {
    if (mapped_ == 0) {
        std::free(data_);
    } else {
        munmap(data_, mapped_);
    }
}

void LazyPages::grow(std::size_t used, std::size_t bytes) {
    if (mapped_ == 0) {
        LazyPages larger(bytes);
        if (used != 0) std::memcpy(larger.data_, data_, used);
        *this = std::move(larger);
        return;
    }
    const std::size_t size = round_up(bytes, kPage);
    if (size == mapped_) return;
    // What was found is only a place to move to: a move onto it replaces it, and keeps the alignment.
    std::byte* const place = map(size, PROT_NONE);
    if (mremap(data_, mapped_, size, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED) {
        unmap(place, size);
        throw std::bad_alloc();
    }
    advise(place, size);
    data_ = place;
    mapped_ = size;
}

}  // namespace sluice::detail
