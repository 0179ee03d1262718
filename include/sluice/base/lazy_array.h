// An array of zeros whose pages cost nothing until they are first written. The tables that must be sized for
// the largest load (millions of connections, every port of every source address) are reserved with it at
// start, and an idle process stays small.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace sluice {

namespace detail {
// Zeroed memory, aligned to a page when large, else to a cache line.
class LazyPages {
  public:
    LazyPages() = default;
    // Throws std::bad_alloc.
    explicit LazyPages(std::size_t bytes);
    LazyPages(LazyPages&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), mapped_(std::exchange(other.mapped_, 0)) {}
    LazyPages& operator=(LazyPages&& other) noexcept {
        LazyPages taken(std::move(other));
        std::swap(data_, taken.data_);
        std::swap(mapped_, taken.mapped_);
        return *this;
    }
    ~LazyPages();

    void* data() const { return data_; }
    // The first `used` bytes keep their content, wherever they lie now. Throws std::bad_alloc, and then
    // nothing has changed.
    void grow(std::size_t used, std::size_t bytes);

  private:
    void* data_ = nullptr;
    std::size_t mapped_ = 0;  // bytes of a mapping of its own; 0: from the heap
};
}  // namespace detail

// T's all-zero bytes must be a meaningful initial value. Large arrays ask the kernel for huge pages beyond
// their first 2 MiB; that is a hint, and nothing depends on it.
template <typename T>
class LazyArray {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    static_assert(alignof(T) <= 64);

  public:
    LazyArray() = default;
    explicit LazyArray(std::size_t size) : pages_(size * sizeof(T)), size_(size) {}
    LazyArray(LazyArray&& other) noexcept
        : pages_(std::move(other.pages_)), size_(std::exchange(other.size_, 0)) {}
    LazyArray& operator=(LazyArray&& other) noexcept {
        pages_ = std::move(other.pages_);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }

    // Zeros are added at the end; a smaller size changes nothing. Pointers into the array end. Pages are
    // moved, not copied, so that this takes microseconds whatever the size.
    void grow(std::size_t size) {
        if (size <= size_) return;
        pages_.grow(size_ * sizeof(T), size * sizeof(T));
        size_ = size;
    }

    std::size_t size() const { return size_; }
    T* data() { return static_cast<T*>(pages_.data()); }
    const T* data() const { return static_cast<const T*>(pages_.data()); }
    // Requires i < size().
    T& operator[](std::size_t i) { return data()[i]; }
    const T& operator[](std::size_t i) const { return data()[i]; }

  private:
    detail::LazyPages pages_;
    std::size_t size_ = 0;
};

}  // namespace sluice
