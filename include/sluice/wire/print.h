// A frame on one line, for logs, test failures and the command line.
#pragma once

#include <string>

#include "sluice/base/bytes.h"

namespace sluice::wire {

// Addresses, then one part per header, separated by commas; wrong checksums and broken headers are named.
// Takes any bytes.
std::string describe_frame(ByteView frame);

}  // namespace sluice::wire
