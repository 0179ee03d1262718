// The keys that the reader knows, as it tells them itself: to a key that no section has, it answers with
// those that the section has.
#pragma once

#include <map>
#include <set>
#include <string>

namespace sluice::config {

// Section ("runtime", "pool.backend") to its keys, without the sections within it.
using Keys = std::map<std::string, std::set<std::string>>;

Keys known_keys();
// Those of them that a section must have.
Keys required_keys();

}  // namespace sluice::config
