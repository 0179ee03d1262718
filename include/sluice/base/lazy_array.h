// A fixed-size array of zeros whose pages cost nothing until they are first written. The tables that must be
// sized for the largest load (millions of connections, every port of every source address) are reserved with
// it at start, and an idle process stays small.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <type_traits>
#include <utility>

namespace sluice {

namespace detail {
struct LazyPages {
    std::unique_ptr<void, void (*)(void*)> owner{nullptr, std::free};
    void* data = nullptr;  // inside owner's block, aligned for huge pages when large, else to a cache line
};
// Throws std::bad_alloc.
LazyPages allocate_lazy_pages(std::size_t bytes);
}  // namespace detail

// T's all-zero bytes must be a meaningful initial value. Large arrays ask the kernel for huge pages; that is
// a hint, and nothing depends on it.
template <typename T>
class LazyArray {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    static_assert(alignof(T) <= 64);

  public:
    LazyArray() = default;
    explicit LazyArray(std::size_t size)
        : pages_(detail::allocate_lazy_pages(size * sizeof(T))), size_(size) {}
    LazyArray(LazyArray&& other) noexcept
        : pages_(std::move(other.pages_)), size_(std::exchange(other.size_, 0)) {
        other.pages_.data = nullptr;
    }
    LazyArray& operator=(LazyArray&& other) noexcept {
        pages_.owner = std::move(other.pages_.owner);
        pages_.data = std::exchange(other.pages_.data, nullptr);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }

    std::size_t size() const { return size_; }
    T* data() { return static_cast<T*>(pages_.data); }
    const T* data() const { return static_cast<const T*>(pages_.data); }
    // Requires i < size().
    T& operator[](std::size_t i) { return data()[i]; }
    const T& operator[](std::size_t i) const { return data()[i]; }

  private:
    detail::LazyPages pages_;
    std::size_t size_ = 0;
};

}  // namespace sluice
