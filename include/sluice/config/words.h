// The words of the configuration file and what they stand for: the reader takes them, and differences and the
// operator's views are told in them.
#pragma once

#include <cstddef>
#include <string_view>

#include "sluice/config/model.h"
#include "sluice/mqtt/connect.h"

namespace sluice::config {

template <typename E>
struct Word {
    std::string_view text;
    E value;
};

inline constexpr Word<Idle> kIdleWords[] = {{"adaptive", Idle::Adaptive}, {"poll", Idle::Poll}};
inline constexpr Word<Memory> kMemoryWords[] = {
    {"auto", Memory::Auto}, {"hugepages", Memory::Hugepages}, {"pages", Memory::Ordinary}};
inline constexpr Word<InterfaceDriver> kDriverWords[] = {{"af_packet", InterfaceDriver::AfPacket},
                                                         {"af_xdp", InterfaceDriver::AfXdp}};
inline constexpr Word<LogLevel> kLogWords[] = {{"debug", LogLevel::Debug},
                                               {"info", LogLevel::Info},
                                               {"warning", LogLevel::Warning},
                                               {"error", LogLevel::Error}};
inline constexpr Word<RouteRefusal> kRefusalWords[] = {{"not_authorized", RouteRefusal::NotAuthorized},
                                                       {"unavailable", RouteRefusal::Unavailable}};
inline constexpr Word<mqtt::Version> kVersionWords[] = {
    {mqtt::to_string(mqtt::Version::V31), mqtt::Version::V31},
    {mqtt::to_string(mqtt::Version::V311), mqtt::Version::V311},
    {mqtt::to_string(mqtt::Version::V5), mqtt::Version::V5}};
inline constexpr Word<Balance> kBalanceWords[] = {{"maglev", Balance::Maglev},
                                                  {"least_connections", Balance::LeastConnections},
                                                  {"two_choices", Balance::TwoChoices},
                                                  {"round_robin", Balance::RoundRobin}};
inline constexpr Word<HashKey> kHashKeyWords[] = {
    {"client_id", HashKey::ClientId}, {"username", HashKey::Username}, {"client_ip", HashKey::ClientIp}};
inline constexpr Word<OnDown> kOnDownWords[] = {{"reset", OnDown::Reset}, {"keep", OnDown::Keep}};
inline constexpr Word<HealthType> kHealthTypeWords[] = {{"none", HealthType::None},
                                                        {"tcp", HealthType::Tcp},
                                                        {"mqtt", HealthType::Mqtt},
                                                        {"http", HealthType::Http}};
inline constexpr Word<BackendState> kStateWords[] = {
    {"up", BackendState::Up}, {"drain", BackendState::Drain}, {"maintenance", BackendState::Maintenance}};

// The word for a value; every value has one.
template <typename E, std::size_t N>
std::string_view word(E value, const Word<E> (&words)[N]) {
    for (const auto& candidate : words) {
        if (candidate.value == value) return candidate.text;
    }
    return "?";
}

inline std::string_view word(Idle value) { return word(value, kIdleWords); }
inline std::string_view word(LogLevel value) { return word(value, kLogWords); }
inline std::string_view word(Balance value) { return word(value, kBalanceWords); }
inline std::string_view word(HashKey value) { return word(value, kHashKeyWords); }
inline std::string_view word(HealthType value) { return word(value, kHealthTypeWords); }
inline std::string_view word(BackendState value) { return word(value, kStateWords); }

}  // namespace sluice::config
