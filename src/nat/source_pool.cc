#include "sluice/nat/source_pool.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace sluice::nat {
namespace {

// Longer than any TIME-WAIT (RFC 9293 section 3.4.2: 2 MSL of two minutes), and short enough for the numbers
// not to have gone half around, which would turn before into after.
constexpr Duration kRemembered = std::chrono::minutes(5);

std::pair<std::uint64_t, std::uint64_t> words_of(const IpAddress& address) {
    std::pair<std::uint64_t, std::uint64_t> words;
    std::memcpy(&words.first, address.bytes().data(), sizeof words.first);
    std::memcpy(&words.second, address.bytes().data() + sizeof words.first, sizeof words.second);
    return words;
}

}  // namespace

SourcePool::SourcePool(const Options& options) : quarantine_(options.quarantine) {
    for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
        Family& f = families_[index_of(family)];
        f.first_address = static_cast<std::uint32_t>(addresses_.size());
        for (const IpAddress& address : options.addresses) {
            if (address.family() != family) continue;
            if (std::find(addresses_.begin(), addresses_.end(), address) == addresses_.end()) {
                addresses_.push_back(address);
            }
        }
        f.addresses = static_cast<std::uint32_t>(addresses_.size()) - f.first_address;
    }

    step_ = std::max<std::uint32_t>(options.workers, 1);
    const std::uint32_t lowest = std::max<std::uint32_t>(options.ports.first, 1);
    first_port_ = lowest + (options.worker % step_ + step_ - lowest % step_) % step_;
    ports_ = first_port_ > options.ports.last ? 0 : (options.ports.last - first_port_) / step_ + 1;

    if (addresses_.size() * ports_ >= kNoSlot) {
        throw std::length_error("too many source addresses");
    }
    std::uint32_t slots = 0;
    for (Family& f : families_) {
        f.first_slot = slots;
        f.slots = f.addresses * ports_;
        slots += f.slots;
    }

    by_address_.resize(std::bit_ceil(4 * addresses_.size() + 1));
    for (std::uint32_t i = 0; i < addresses_.size(); ++i) {
        // An address that is not there yet ends at the empty bucket where it belongs.
        const std::ptrdiff_t bucket = &address_entry(addresses_[i]) - by_address_.data();
        const auto [upper, lower] = words_of(addresses_[i]);
        by_address_[static_cast<std::size_t>(bucket)] = {upper, lower, i};
    }
    grow(options.backends);
}

void SourcePool::grow(std::uint32_t backends) {
    const std::size_t slots = std::size_t{families_[0].slots} + families_[1].slots;
    while (backends_.size() < backends) {
        backends_.push_back({LazyArray<std::uint32_t>(slots),
                             LazyArray<std::uint32_t>(slots),
                             LazyArray<Instant::rep>(slots),
                             LazyArray<LastUse>(slots),
                             {}});
    }
}

// The addresses are the operator's, not an outsider's: a plain multiplicative hash does. Ends, because at
// most a quarter of the buckets is taken.
const SourcePool::AddressEntry& SourcePool::address_entry(const IpAddress& address) const {
    const auto [upper, lower] = words_of(address);
    const std::uint64_t mixed = (upper * 0x9e3779b97f4a7c15U) ^ (lower * 0xd6e8feb86659fd93U);
    for (std::size_t bucket = mixed >> 40U;; ++bucket) {
        const AddressEntry& entry = by_address_[bucket & (by_address_.size() - 1)];
        if (entry.position == kNoSlot || (entry.upper == upper && entry.lower == lower)) return entry;
    }
}

std::uint32_t SourcePool::slot_of(const SocketAddress& source) const {
    const std::uint32_t position = address_entry(source.address).position;
    return position == kNoSlot ? kNoSlot : slot_at(position, source.port);
}

std::optional<std::uint32_t> SourcePool::address_position(const IpAddress& address) const {
    const std::uint32_t position = address_entry(address).position;
    return position == kNoSlot ? std::nullopt : std::optional(position);
}

std::optional<Lease> SourcePool::acquire(std::uint32_t backend, IpFamily family, std::uint32_t connection,
                                         Instant now) {
    assert(connection != kNoConnection);
    if (backend >= backends_.size()) return std::nullopt;
    Backend& b = backends_[backend];
    const Family& f = families_[index_of(family)];
    Free& free = b.free[index_of(family)];
    review(b, free, now);

    std::uint32_t slot;
    if (free.fresh < f.slots) {
        slot = f.first_slot + free.fresh++;
    } else if (free.rested > 0) {
        slot = free.head;
        free.head = b.next[slot];
        if (free.head == kNoSlot) free.tail = kNoSlot;
        --free.listed;
        --free.rested;
    } else {
        return std::nullopt;
    }
    b.connection[slot] = ~connection;
    return Lease{backend, slot};
}

void SourcePool::release(Lease lease, Instant now, const LastUse& last_use) {
    if (!leased(lease)) return;
    Backend& b = backends_[lease.backend];
    Free& free = b.free[lease.slot < families_[1].first_slot ? 0 : 1];
    b.connection[lease.slot] = ~kNoConnection;
    b.released[lease.slot] = now.time_since_epoch().count();
    b.last_use[lease.slot] = last_use;
    b.next[lease.slot] = kNoSlot;
    if (free.tail == kNoSlot) {
        free.head = lease.slot;
    } else {
        b.next[free.tail] = lease.slot;
    }
    free.tail = lease.slot;
    if (free.resting == kNoSlot) free.resting = lease.slot;
    ++free.listed;
    review(b, free, now);
}

std::optional<LastUse> SourcePool::last_use(Lease lease, Instant now) const {
    const Backend& b = backends_[lease.backend];
    const Instant::rep released = b.released[lease.slot];
    if (released == 0 || now - Instant(Duration(released)) > kRemembered) return std::nullopt;
    return b.last_use[lease.slot];
}

void SourcePool::rename(Lease lease, std::uint32_t connection) {
    assert(leased(lease) && connection != kNoConnection);
    backends_[lease.backend].connection[lease.slot] = ~connection;
}

bool SourcePool::past_quarantine(const Backend& backend, std::uint32_t slot, Instant now) const {
    return now - Instant(Duration(backend.released[slot])) >= quarantine_;
}

// Moves the border between the rested and the resting. A few steps a call keep up with any use, because each
// release adds one slot only; no single call ever pays for many.
void SourcePool::review(Backend& backend, Free& free, Instant now) const {
    for (int step = 0; step < 4; ++step) {
        if (free.resting == kNoSlot || !past_quarantine(backend, free.resting, now)) return;
        free.resting = backend.next[free.resting];
        ++free.rested;
    }
}

bool SourcePool::leased(Lease lease) const { return connection(lease) != kNoConnection; }

SocketAddress SourcePool::source(Lease lease) const {
    const Family& f = family_of(lease.slot);
    const std::uint32_t position = lease.slot - f.first_slot;
    const std::uint32_t port = first_port_ + position / f.addresses * step_;
    return {addresses_[f.first_address + position % f.addresses], static_cast<std::uint16_t>(port)};
}

std::uint32_t SourcePool::find(std::uint32_t backend, const SocketAddress& source) const {
    const std::uint32_t slot = slot_of(source);
    return slot == kNoSlot ? kNoConnection : connection({backend, slot});
}

SourcePool::Usage SourcePool::usage(std::uint32_t backend, IpFamily family, Instant now) const {
    if (backend >= backends_.size()) return {};
    const Backend& b = backends_[backend];
    const Free& free = b.free[index_of(family)];
    std::uint64_t quarantined = free.listed - free.rested;
    for (std::uint32_t slot = free.resting; slot != kNoSlot && past_quarantine(b, slot, now);
         slot = b.next[slot]) {
        --quarantined;
    }
    return {families_[index_of(family)].slots, free.fresh - free.listed, quarantined};
}

}  // namespace sluice::nat
