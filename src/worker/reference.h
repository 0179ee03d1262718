// What the indexes name: a connection with its endpoints, or the record that took its place. One 32-bit
// number says which, because the indexes hold nothing else.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/flow/slab.h"

namespace sluice::worker {

class Reference {
  public:
    enum class Kind : std::uint8_t { Relayed, Spliced4, Spliced6 };
    static constexpr std::uint32_t kCapacity = 1U << 30U;  // numbers of each kind

    // number < kCapacity.
    constexpr Reference(Kind kind, std::uint32_t number)
        : raw_(static_cast<std::uint32_t>(kind) << 30U | number) {}
    // As raw() gave it; nullopt for flow::kNoEntry and nat::kNoConnection.
    static constexpr std::optional<Reference> from(std::uint32_t raw) {
        if (raw == flow::kNoEntry) return std::nullopt;
        return Reference(raw);
    }

    constexpr Kind kind() const { return static_cast<Kind>(raw_ >> 30U); }
    constexpr bool is_spliced() const { return kind() != Kind::Relayed; }
    constexpr std::uint32_t number() const { return raw_ & (kCapacity - 1); }
    constexpr std::uint32_t raw() const { return raw_; }

  private:
    constexpr explicit Reference(std::uint32_t raw) : raw_(raw) {}
    std::uint32_t raw_;
};

template <IpFamily kFamily>
inline constexpr Reference::Kind kSplicedKind =
    kFamily == IpFamily::V4 ? Reference::Kind::Spliced4 : Reference::Kind::Spliced6;

}  // namespace sluice::worker
