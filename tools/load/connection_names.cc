#include "connection_names.h"

#include <algorithm>

namespace sluice::load {

ConnectionNames::ConnectionNames(const Addressing& addressing, std::uint32_t capacity)
    : capacity_(static_cast<std::uint32_t>(std::min<std::uint64_t>(capacity, addressing.capacity()))),
      addressing_(addressing) {}

ConnectionNames::ConnectionNames(std::uint32_t capacity, const SipKey& key)
    : capacity_(capacity), accepted_(std::make_unique<Accepted>(capacity, key)) {}

std::optional<std::uint32_t> ConnectionNames::find(const FourTuple& tuple) const {
    if (accepted_) {
        const Accepted& a = *accepted_;
        const std::uint32_t id =
            a.index.find(a.index.hash(tuple), [&](std::uint32_t i) { return a.tuples[i] == tuple; });
        return id == flow::kNoEntry ? std::nullopt : std::optional(id);
    }
    const auto id = addressing_->client(tuple);
    return id && *id < capacity_ ? id : std::nullopt;
}

void ConnectionNames::guess(std::span<const FourTuple> tuples, std::span<std::uint32_t> ids) const {
    if (!accepted_) {
        for (std::size_t i = 0; i < tuples.size(); ++i) ids[i] = find(tuples[i]).value_or(kNobody);
        return;
    }
    const flow::ClientIndex& index = accepted_->index;
    for (const FourTuple& tuple : tuples) index.prefetch(index.hash(tuple));
    for (std::size_t i = 0; i < tuples.size(); ++i) {
        ids[i] = index.candidate(index.hash(tuples[i]));
        if (ids[i] != kNobody) __builtin_prefetch(&accepted_->tuples[ids[i]]);
    }
}

std::optional<std::uint32_t> ConnectionNames::add(const FourTuple& tuple) {
    Accepted& a = *accepted_;
    if (a.free.empty() && a.fresh == capacity_) return std::nullopt;
    std::uint32_t id = a.fresh;
    if (a.free.empty()) {
        ++a.fresh;
    } else {
        id = a.free.back();
        a.free.pop_back();
    }
    a.tuples[id] = tuple;
    a.index.insert(a.index.hash(tuple), id);
    return id;
}

void ConnectionNames::remove(std::uint32_t id) {
    Accepted& a = *accepted_;
    a.index.erase(a.index.hash(a.tuples[id]), id);
    a.free.push_back(id);
}

// Entries of the index lie anywhere in it, so the first ones touch it all.
std::size_t ConnectionNames::memory_bytes() const {
    if (!accepted_ || accepted_->fresh == 0) return 0;
    return accepted_->fresh * sizeof(FourTuple) + accepted_->index.memory_bytes() +
           accepted_->free.capacity() * sizeof(std::uint32_t);
}

}  // namespace sluice::load
