#include "sluice/nat/source_pool.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <set>
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
    step_ = std::max<std::uint32_t>(options.workers, 1);
    const std::uint32_t lowest = std::max<std::uint32_t>(options.ports.first, 1);
    first_port_ = lowest + (options.worker % step_ + step_ - lowest % step_) % step_;
    ports_ = first_port_ > options.ports.last ? 0 : (options.ports.last - first_port_) / step_ + 1;
    begin_ = ports_ == 0 ? 0 : static_cast<std::uint32_t>(options.begin % ports_);
    set_addresses(options.addresses);
    grow(options.backends);
}

void SourcePool::grow(std::uint32_t backends) {
    while (backends_.size() < backends) {
        backends_.push_back({LazyArray<std::uint32_t>(slots_),
                             LazyArray<std::uint32_t>(slots_),
                             LazyArray<Instant::rep>(slots_),
                             LazyArray<LastUse>(slots_),
                             std::vector<Slots>(addresses_.size()),
                             {},
                             0});
    }
}

void SourcePool::set_addresses(std::span<const IpAddress> addresses) {
    std::vector<IpAddress> added;  // IPv4 first
    std::set<IpAddress> seen;
    for (const IpFamily family : {IpFamily::V4, IpFamily::V6}) {
        for (const IpAddress& address : addresses) {
            if (address.family() != family || address_position(address)) continue;
            if (seen.insert(address).second) added.push_back(address);
        }
    }
    if (!added.empty()) add(added);
    list(addresses);
}

// All memory is taken before anything is changed that somebody sees.
void SourcePool::add(const std::vector<IpAddress>& addresses) {
    const std::uint64_t slots = slots_ + std::uint64_t{addresses.size()} * ports_;
    if (slots >= kNoSlot) throw std::length_error("too many source addresses");
    const std::size_t positions = addresses_.size() + addresses.size();
    for (Backend& b : backends_) {
        b.connection.grow(slots);
        b.next.grow(slots);
        b.released.grow(slots);
        b.last_use.grow(slots);
        b.slots.resize(positions);
    }
    std::vector<AddressEntry> buckets(std::bit_ceil(4 * positions + 1));
    addresses_.reserve(positions);
    columns_.reserve(positions);
    blocks_.reserve(blocks_.size() + 2);
    for (std::vector<std::uint32_t>& positions_of_family : listed_) positions_of_family.reserve(positions);

    by_address_.swap(buckets);
    for (std::uint32_t position = 0; position < addresses_.size(); ++position) {
        enter(addresses_[position].address, position);
    }
    const auto first_v6 = std::find_if(addresses.begin(), addresses.end(),
                                       [](const IpAddress& address) { return address.is_v6(); });
    for (const auto family : {std::span(addresses.begin(), first_v6), std::span(first_v6, addresses.end())}) {
        if (family.empty()) continue;
        const auto count = static_cast<std::uint32_t>(family.size());
        blocks_.push_back({slots_, static_cast<std::uint32_t>(addresses_.size()), count});
        for (std::uint32_t i = 0; i < count; ++i) {
            enter(family[i], static_cast<std::uint32_t>(addresses_.size()));
            addresses_.push_back({family[i]});
            columns_.push_back({slots_ + i, count});
        }
        slots_ += count * ports_;
    }
}

void SourcePool::list(std::span<const IpAddress> addresses) {
    for (Address& a : addresses_) a.listed = false;
    for (const IpAddress& address : addresses) addresses_[*address_position(address)].listed = true;
    for (std::vector<std::uint32_t>& positions : listed_) positions.clear();
    for (std::uint32_t position = 0; position < addresses_.size(); ++position) {
        const Address& a = addresses_[position];
        if (a.listed) listed_[index_of(a.address.family())].push_back(position);
    }
    for (Backend& b : backends_) {
        for (std::size_t family = 0; family < listed_.size(); ++family) {
            AddressRotation turn;
            for (const std::uint32_t position : listed_[family]) turn.leased += b.slots[position].leased;
            b.turns[family] = turn;
        }
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

// Requires that it is not there yet: then the search ends at the empty bucket where it belongs.
void SourcePool::enter(const IpAddress& address, std::uint32_t position) {
    const std::ptrdiff_t bucket = &address_entry(address) - by_address_.data();
    const auto [upper, lower] = words_of(address);
    by_address_[static_cast<std::size_t>(bucket)] = {upper, lower, position};
}

std::uint32_t SourcePool::slot_of(const SocketAddress& source) const {
    const std::uint32_t position = address_entry(source.address).position;
    return position == kNoSlot ? kNoSlot : slot_at(position, source.port);
}

std::optional<std::uint32_t> SourcePool::address_position(const IpAddress& address) const {
    const std::uint32_t position = address_entry(address).position;
    return position == kNoSlot ? std::nullopt : std::optional(position);
}

const SourcePool::Block& SourcePool::block_of(std::uint32_t slot) const {
    const auto behind = std::upper_bound(blocks_.begin(), blocks_.end(), slot,
                                         [](std::uint32_t s, const Block& b) { return s < b.first_slot; });
    return *std::prev(behind);
}

std::uint32_t SourcePool::position_of(std::uint32_t slot) const {
    const Block& block = block_of(slot);
    return block.first_position + (slot - block.first_slot) % block.addresses;
}

bool SourcePool::available(const Slots& slots, Instant now) const {
    return slots.fresh < ports_ || slots.rested > 0 ||
           (slots.resting != kNoSlot && past_quarantine(slots.resting_since, now));
}

// Addresses in turn, but one that has more leases than the mean only when no other can give one. So an
// address that is new, or listed again, catches up with the others.
std::uint32_t SourcePool::choose_position(Backend& backend, IpFamily family, Instant now) const {
    const std::vector<std::uint32_t>& positions = listed_[index_of(family)];
    AddressRotation& turn = backend.turns[index_of(family)];
    const auto after = [&](std::uint32_t i) { return i + 1 < positions.size() ? i + 1 : 0; };
    std::uint32_t second_choice = kNoSlot;
    std::uint32_t i = turn.next;
    for (std::size_t seen = 0; seen < positions.size(); ++seen, i = after(i)) {
        const Slots& slots = backend.slots[positions[i]];
        if (!available(slots, now)) continue;
        if (std::uint64_t{slots.leased} * positions.size() <= turn.leased) {
            turn.next = after(i);
            return positions[i];
        }
        if (second_choice == kNoSlot) second_choice = i;
    }
    if (second_choice == kNoSlot) return kNoSlot;
    turn.next = after(second_choice);
    return positions[second_choice];
}

std::optional<Lease> SourcePool::acquire(std::uint32_t backend, IpFamily family, std::uint32_t connection,
                                         Instant now) {
    assert(connection != kNoConnection);
    if (backend >= backends_.size()) return std::nullopt;
    Backend& b = backends_[backend];
    const std::uint32_t position = choose_position(b, family, now);
    if (position == kNoSlot) return std::nullopt;

    Slots& slots = b.slots[position];
    review(b, slots, now);
    std::uint32_t slot;
    if (slots.fresh < ports_) {
        const std::uint32_t step =
            slots.fresh < ports_ - begin_ ? begin_ + slots.fresh : slots.fresh - (ports_ - begin_);
        ++slots.fresh;
        slot = columns_[position].first_slot + step * columns_[position].stride;
    } else {
        slot = slots.head;
        slots.head = b.next[slot];
        if (slots.head == kNoSlot) slots.tail = kNoSlot;
        --slots.listed;
        --slots.rested;
    }
    b.connection[slot] = ~connection;
    ++slots.leased;
    ++b.turns[index_of(family)].leased;
    ++b.leased;
    return Lease{backend, slot};
}

void SourcePool::release(Lease lease, Instant now, const LastUse& last_use) {
    if (!leased(lease)) return;
    Backend& b = backends_[lease.backend];
    const std::uint32_t position = position_of(lease.slot);
    Slots& slots = b.slots[position];
    b.connection[lease.slot] = ~kNoConnection;
    b.released[lease.slot] = now.time_since_epoch().count();
    b.last_use[lease.slot] = last_use;
    b.next[lease.slot] = kNoSlot;
    if (slots.tail == kNoSlot) {
        slots.head = lease.slot;
    } else {
        b.next[slots.tail] = lease.slot;
    }
    slots.tail = lease.slot;
    if (slots.resting == kNoSlot) set_resting(b, slots, lease.slot);
    ++slots.listed;
    --slots.leased;
    const Address& address = addresses_[position];
    if (address.listed) --b.turns[index_of(address.address.family())].leased;
    --b.leased;
    review(b, slots, now);
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

void SourcePool::set_resting(const Backend& backend, Slots& slots, std::uint32_t slot) const {
    slots.resting = slot;
    if (slot != kNoSlot) slots.resting_since = backend.released[slot];
}

// Moves the border between the rested and the resting. A few steps a call keep up with any use, because each
// release adds one slot only; no single call ever pays for many.
void SourcePool::review(const Backend& backend, Slots& slots, Instant now) const {
    for (int step = 0; step < 4; ++step) {
        if (slots.resting == kNoSlot || !past_quarantine(slots.resting_since, now)) return;
        set_resting(backend, slots, backend.next[slots.resting]);
        ++slots.rested;
    }
}

bool SourcePool::leased(Lease lease) const { return connection(lease) != kNoConnection; }

SocketAddress SourcePool::source(Lease lease) const {
    const Block& block = block_of(lease.slot);
    const std::uint32_t within = lease.slot - block.first_slot;
    const std::uint32_t port = first_port_ + within / block.addresses * step_;
    return {addresses_[block.first_position + within % block.addresses].address,
            static_cast<std::uint16_t>(port)};
}

std::uint32_t SourcePool::find(std::uint32_t backend, const SocketAddress& source) const {
    const std::uint32_t slot = slot_of(source);
    return slot == kNoSlot ? kNoConnection : connection({backend, slot});
}

SourcePool::AddressUsage SourcePool::usage_at(const Backend& backend, std::uint32_t position,
                                              Instant now) const {
    const Address& a = addresses_[position];
    const Slots& slots = backend.slots[position];
    if (!a.listed) {
        return {.address = a.address, .active = false, .capacity = slots.leased, .leased = slots.leased};
    }
    std::uint64_t quarantined = slots.listed - slots.rested;
    if (quarantined != 0 && past_quarantine(backend.released[slots.tail], now)) quarantined = 0;
    for (std::uint32_t slot = slots.resting; quarantined != 0; slot = backend.next[slot]) {
        if (!past_quarantine(backend.released[slot], now)) break;
        --quarantined;
    }
    return {.address = a.address, .capacity = ports_, .leased = slots.leased, .quarantined = quarantined};
}

SourcePool::Usage SourcePool::usage(std::uint32_t backend, IpFamily family, Instant now) const {
    Usage sum;
    for (const AddressUsage& a : usage_by_address(backend, now)) {
        if (a.address.family() != family) continue;
        sum.capacity += a.capacity;
        sum.leased += a.leased;
        sum.quarantined += a.quarantined;
    }
    return sum;
}

std::vector<SourcePool::AddressUsage> SourcePool::usage_by_address(std::uint32_t backend, Instant now) const {
    std::vector<AddressUsage> all;
    if (backend >= backends_.size()) return all;
    const Backend& b = backends_[backend];
    for (std::uint32_t position = 0; position < addresses_.size(); ++position) {
        if (!addresses_[position].listed && b.slots[position].leased == 0) continue;
        all.push_back(usage_at(b, position, now));
    }
    return all;
}

}  // namespace sluice::nat
