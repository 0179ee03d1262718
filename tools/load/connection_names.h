// Which connection a four-tuple is, and the other way round: of clients by arithmetic, of what is accepted by
// a table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "addressing.h"
#include "sluice/base/address.h"
#include "sluice/base/lazy_array.h"
#include "sluice/base/siphash.h"
#include "sluice/flow/client_index.h"

namespace sluice::load {

class ConnectionNames {
  public:
    // Clients' numbers; all of them have a tuple, whether in use or not.
    ConnectionNames(const Addressing& addressing, std::uint32_t capacity);
    // Numbers for what is accepted: none has a tuple yet. key: secret and random.
    ConnectionNames(std::uint32_t capacity, const SipKey& key);

    std::uint32_t capacity() const { return capacity_; }
    FourTuple tuple(std::uint32_t id) const {
        return accepted_ ? accepted_->tuples[id] : addressing_->tuple(id);
    }
    IpFamily family(std::uint32_t id) const {
        return (accepted_ ? accepted_->tuples[id].local.address : addressing_->source(id)).family();
    }
    // Guesses what find() will say, of as many tuples as ids; kNobody where it will find nothing.
    static constexpr std::uint32_t kNobody = flow::kNoEntry;
    void guess(std::span<const FourTuple> tuples, std::span<std::uint32_t> ids) const;
    std::optional<std::uint32_t> find(const FourTuple& tuple) const;

    // Of accepted ones. add: nullopt when all numbers are in use.
    bool accepts() const { return accepted_ != nullptr; }
    std::optional<std::uint32_t> add(const FourTuple& tuple);
    void remove(std::uint32_t id);

    // As far as it is used.
    std::size_t memory_bytes() const;

  private:
    struct Accepted {
        Accepted(std::uint32_t capacity, const SipKey& key) : tuples(capacity), index(capacity, key) {}
        LazyArray<FourTuple> tuples;
        flow::ClientIndex index;
        std::vector<std::uint32_t> free;  // were in use; the last one goes first
        std::uint32_t fresh = 0;          // this and those above were never used
    };

    std::uint32_t capacity_;
    std::optional<Addressing> addressing_;
    std::unique_ptr<Accepted> accepted_;
};

}  // namespace sluice::load
