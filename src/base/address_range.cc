#include "sluice/base/address_range.h"

namespace sluice {

std::optional<AddressRange> parse_address_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto first = IpAddress::parse(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : IpAddress::parse(text.substr(dash + 1));
    if (!first || !last || first->family() != last->family() || *last < *first) return std::nullopt;
    return AddressRange{*first, *last};
}

std::optional<std::vector<IpAddress>> expand(const AddressRange& range, std::size_t most) {
    std::vector<IpAddress> addresses;
    for (IpAddress address = range.first; addresses.size() < most; address = address.next()) {
        addresses.push_back(address);
        if (address == range.last) return addresses;
    }
    return std::nullopt;
}

}  // namespace sluice
