// The reason codes of MQTT 5 (section 2.4) that the broker answers with.
#pragma once

#include <cstdint>

namespace sluice::load {

inline constexpr std::uint8_t kSuccess = 0x00;
inline constexpr std::uint8_t kNoSubscriptionExisted = 0x11;
inline constexpr std::uint8_t kFailure = 0x80;  // 3.1.1 has it as well
inline constexpr std::uint8_t kMalformedPacket = 0x81;
inline constexpr std::uint8_t kProtocolError = 0x82;
inline constexpr std::uint8_t kUnsupportedVersion = 0x84;
inline constexpr std::uint8_t kClientIdNotValid = 0x85;
inline constexpr std::uint8_t kKeepAliveTimeout = 0x8d;
inline constexpr std::uint8_t kSessionTakenOver = 0x8e;
inline constexpr std::uint8_t kFilterNotValid = 0x8f;
inline constexpr std::uint8_t kPacketTooLarge = 0x95;
inline constexpr std::uint8_t kQuotaExceeded = 0x97;
inline constexpr std::uint8_t kSharedNotSupported = 0x9e;
inline constexpr std::uint8_t kSubscriptionIdsNotSupported = 0xa1;

}  // namespace sluice::load
