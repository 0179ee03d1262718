// Hierarchical timing wheel (Varghese, Lauck 1987) over 32-bit names 0..capacity-1: arm, re-arm and cancel
// are O(1), no memory per arming.
#pragma once
// class TimerWheel {
//   TimerWheel(uint32_t capacity, Instant start, Duration tick = 1ms);
//   void arm(uint32_t id, Instant deadline);   // re-arms when armed; never fires early, at most one tick
//   late after advance(now) void cancel(uint32_t id); bool armed(uint32_t id) const; Instant deadline(id)
//   const
//   // Calls fire(id) for every due timer (disarmed before the call; fire may arm/cancel any id), at most
//   `limit`; returns number fired. template <typename Fire> size_t advance(Instant now, Fire&& fire, size_t
//   limit = SIZE_MAX); Instant next_deadline() const;  // a lower bound not later than the earliest armed
//   deadline, kNever when none; cheap size()
// };
