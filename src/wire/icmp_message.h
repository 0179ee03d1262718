// What the two ICMP versions write and print alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/wire/icmp.h"

namespace sluice::wire {

// pseudo_sum: the pseudo-header's share of the checksum, 0 where there is none. 0 when out is too small.
std::size_t write_icmp_message(const IcmpMessage& message, std::uint16_t pseudo_sum, ByteSpan out);

std::string echo_text(std::string_view name, const IcmpMessageView& message);  // "echo reply id 1 seq 2"
std::string type_text(const IcmpMessageView& message);                         // "type 5 code 1"

}  // namespace sluice::wire
