#include "sluice/base/lazy_array.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace sluice::detail {

LazyPages allocate_lazy_pages(std::size_t bytes) {
    constexpr std::size_t kCacheLine = 64;
    constexpr std::size_t kHugePage = std::size_t{2} << 20U;
    // Below a few huge pages the rounding would cost more than the translation misses it saves.
    const bool large = bytes >= 4 * kHugePage;
    const std::size_t alignment = large ? kHugePage : kCacheLine;

    LazyPages pages;
    // calloc hands out a block of this size as fresh zero pages, without writing to them.
    pages.owner.reset(std::calloc(1, bytes + alignment));
    if (!pages.owner) throw std::bad_alloc();
    std::size_t space = bytes + alignment;
    pages.data = pages.owner.get();
    std::align(alignment, bytes, pages.data, space);
    if (large) static_cast<void>(madvise(pages.data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE));
    return pages;
}

}  // namespace sluice::detail
