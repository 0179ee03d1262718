// Values as the configuration file would write them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/config/words.h"

namespace sluice::config {

// A TOML basic string.
std::string write(std::string_view text);
// A text that is left out where it is empty: then nothing.
std::string write_or_nothing(std::string_view text);
std::string write(double number);
template <std::unsigned_integral T>
std::string write(T number) {
    return std::to_string(number);
}
template <typename E, std::size_t N>
std::string write(E value, const Word<E> (&words)[N]) {
    return write(word(value, words));
}
std::string write(Duration duration);
std::string write_size(std::uint64_t bytes);
std::string write(const SocketAddress& address);
std::string write(const PortRange& range);

// An array of strings.
std::string write(const std::vector<std::string>& texts);
std::string write(const std::vector<IpPrefix>& networks);
std::string write(const std::vector<IpAddress>& addresses);
std::string write_or_nothing(const std::vector<IpPrefix>& networks);
// Neighbors that follow each other as ranges.
std::string write_ranges(const std::vector<IpAddress>& addresses);
// "1-3,7".
std::string write_cpus(const std::vector<unsigned>& cpus);

}  // namespace sluice::config
