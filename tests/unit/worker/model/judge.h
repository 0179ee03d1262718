// What must hold between what two ends saw with Sluice in between, and what they see when joined directly;
// and the table of differences that there are, each with its reason.
#pragma once

#include <string>
#include <vector>

#include "worker/model/worlds.h"

namespace sluice::test {

// What is wrong, a sentence each.
std::vector<std::string> judge(const Script& script, const Outcome& direct, const Outcome& through);

}  // namespace sluice::test
