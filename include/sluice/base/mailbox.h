// A bounded single-producer single-consumer queue of trivially copyable messages: the only way threads talk.
// Neither side ever blocks; a full queue is the sender's to count. Capacity is a power of two.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

namespace sluice {

template <typename T>
class Mailbox {
    static_assert(std::is_trivially_copyable_v<T>, "messages cross threads by value");

  public:
    // Rounded up to a power of two, at least 2.
    explicit Mailbox(std::size_t capacity)
        : mask_(std::bit_ceil(capacity < 2 ? 2 : capacity) - 1), slots_(std::make_unique<T[]>(mask_ + 1)) {}
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    std::size_t capacity() const { return mask_ + 1; }

    // Producer only. False when full; the message is then not taken.
    [[nodiscard]] bool send(const T& message) {
        const std::size_t head = head_.load(std::memory_order_relaxed);
        if (head - cached_tail_ > mask_) {
            cached_tail_ = tail_.load(std::memory_order_acquire);
            if (head - cached_tail_ > mask_) return false;
        }
        slots_[head & mask_] = message;
        head_.store(head + 1, std::memory_order_release);
        return true;
    }

    // Producer only. Slots that send() is sure to find free.
    std::size_t free_slots() {
        cached_tail_ = tail_.load(std::memory_order_acquire);
        return mask_ + 1 - (head_.load(std::memory_order_relaxed) - cached_tail_);
    }

    // Consumer only. Number of messages written to out.
    std::size_t receive(std::span<T> out) {
        const std::size_t tail = tail_.load(std::memory_order_relaxed);
        if (cached_head_ - tail < out.size()) cached_head_ = head_.load(std::memory_order_acquire);
        std::size_t n = cached_head_ - tail;
        if (n > out.size()) n = out.size();
        for (std::size_t i = 0; i < n; ++i) out[i] = slots_[(tail + i) & mask_];
        if (n != 0) tail_.store(tail + n, std::memory_order_release);
        return n;
    }

    // Either side; a hint only.
    bool empty() const {
        return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
    }

  private:
    static constexpr std::size_t kCacheLine = 64;
    const std::size_t mask_;
    const std::unique_ptr<T[]> slots_;
    alignas(kCacheLine) std::atomic<std::size_t> head_{0};  // written by the producer
    std::size_t cached_tail_ = 0;                           // producer's copy
    alignas(kCacheLine) std::atomic<std::size_t> tail_{0};  // written by the consumer
    std::size_t cached_head_ = 0;                           // consumer's copy
};

}  // namespace sluice
