// From the file's tables to a draft: every key of every section, with its own range. What needs a second
// section to judge is left to check.h.
#pragma once

#include "draft.h"
#include "report.h"
#include "toml.h"

namespace sluice::config {

Draft read_sections(const toml::table& file, Report& report);

}  // namespace sluice::config
