// Tells PCI addresses from the names of software devices.
#include <cctype>
#include <string_view>

#include "sluice/port/dpdk_port.h"

namespace sluice::port {

// [domain:]bus:device.function, hexadecimal.
bool is_pci_device(const std::string& device) {
    const std::string_view address = std::string_view(device).substr(0, device.find(','));
    std::size_t colons = 0;
    std::size_t dots = 0;
    for (const char c : address) {
        if (c == ':' && dots == 0)
            ++colons;
        else if (c == '.')
            ++dots;
        else if (std::isxdigit(static_cast<unsigned char>(c)) == 0)
            return false;
    }
    return (colons == 1 || colons == 2) && dots == 1;
}

}  // namespace sluice::port
