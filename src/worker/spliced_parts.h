// What the files of Spliced share.
#pragma once

#include "sluice/base/time.h"
#include "sluice/splice/record.h"
#include "worker/reference.h"

namespace sluice::worker {

// How long a broker may say nothing before it is asked whether it still knows the connection.
inline constexpr Duration kSilence = 10min;

// Once both FINs were acknowledged it stays over, whatever an end acknowledges afterwards.
inline bool is_over(const splice::Core& core) {
    return core.way(splice::Direction::ToBroker).has(splice::DirectionState::kLingers);
}

template <IpFamily kFamily>
Reference name_of(std::uint32_t id) {
    return {kSplicedKind<kFamily>, id};
}

inline IpFamily family_of(Reference spliced) {
    return spliced.kind() == Reference::Kind::Spliced4 ? IpFamily::V4 : IpFamily::V6;
}

}  // namespace sluice::worker
