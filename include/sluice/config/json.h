// A configuration as JSON, for machines and for `show config`.
#pragma once

#include <string>

#include "sluice/config/model.h"

namespace sluice::config {

// One object, shaped and named as the file is: tables are objects, arrays of tables are arrays. Values are as
// the file would write them, defaults too. Every key is there; null is one that the file would leave out:
// without a value, or of another type of health probe. Passwords are not told, only where they are read.
std::string to_json(const Config& config);

}  // namespace sluice::config
