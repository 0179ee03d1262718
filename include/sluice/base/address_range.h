// Consecutive addresses, written as the first and the last.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "sluice/base/address.h"

namespace sluice {

struct AddressRange {
    IpAddress first;
    IpAddress last;  // inclusive
};
// "10.2.0.10" or "10.2.0.10-10.2.0.33", one family, in order; else nullopt.
std::optional<AddressRange> parse_address_range(std::string_view text);
// Addresses in the range, or nullopt when there are more than `most`.
std::optional<std::vector<IpAddress>> expand(const AddressRange& range, std::size_t most);

}  // namespace sluice
