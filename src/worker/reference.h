// What the indexes name: a connection with its endpoints, the record that took its place, or what is kept of
// it while it rests. One 32-bit number says which, because the indexes hold nothing else.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/flow/slab.h"

namespace sluice::worker {

class Reference {
  public:
    enum class Kind : std::uint8_t { Relayed, Spliced4, Spliced6, Resting };
    // Numbers of each kind; one more would make the last kind's last one flow::kNoEntry.
    static constexpr std::uint32_t kCapacity = (1U << 30U) - 1;

    // number < kCapacity.
    constexpr Reference(Kind kind, std::uint32_t number)
        : raw_(static_cast<std::uint32_t>(kind) << 30U | number) {}
    // As raw() gave it; nullopt for flow::kNoEntry and nat::kNoConnection.
    static constexpr std::optional<Reference> from(std::uint32_t raw) {
        if (raw == flow::kNoEntry) return std::nullopt;
        return Reference(raw);
    }

    constexpr Kind kind() const { return static_cast<Kind>(raw_ >> 30U); }
    constexpr bool is_spliced() const { return kind() == Kind::Spliced4 || kind() == Kind::Spliced6; }
    constexpr std::uint32_t number() const { return raw_ & kCapacity; }
    constexpr std::uint32_t raw() const { return raw_; }

  private:
    constexpr explicit Reference(std::uint32_t raw) : raw_(raw) {}
    std::uint32_t raw_;
};

template <IpFamily kFamily>
inline constexpr Reference::Kind kSplicedKind =
    kFamily == IpFamily::V4 ? Reference::Kind::Spliced4 : Reference::Kind::Spliced6;

}  // namespace sluice::worker
