// Number formats shared by the printers.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::wire {

std::string hex16(std::uint16_t value);  // "0x0800"

}  // namespace sluice::wire
