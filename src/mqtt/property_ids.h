// The identifiers of the properties of MQTT 5 (table 2-4) that Sluice itself reads or writes.
#pragma once

#include <cstdint>

namespace sluice::mqtt {

inline constexpr std::uint8_t kSubscriptionId = 0x0b;
inline constexpr std::uint8_t kSessionExpiry = 0x11;
inline constexpr std::uint8_t kAssignedClientId = 0x12;
inline constexpr std::uint8_t kServerKeepAlive = 0x13;
inline constexpr std::uint8_t kAuthenticationMethod = 0x15;
inline constexpr std::uint8_t kAuthenticationData = 0x16;
inline constexpr std::uint8_t kReceiveMaximum = 0x21;
inline constexpr std::uint8_t kTopicAlias = 0x23;
inline constexpr std::uint8_t kRetainAvailable = 0x25;
inline constexpr std::uint8_t kUserProperty = 0x26;
inline constexpr std::uint8_t kMaximumPacketSize = 0x27;
inline constexpr std::uint8_t kSubscriptionIdsAvailable = 0x29;
inline constexpr std::uint8_t kSharedSubscriptionsAvailable = 0x2a;

}  // namespace sluice::mqtt
