// From the plain values of view.h to the JSON that the admin socket speaks. Keys end in their unit: _seconds
// is a number of seconds (fractions allowed), _bytes a number of bytes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "sluice/admin/view.h"

namespace sluice::admin {

using Json = nlohmann::ordered_json;  // people read it too: keys stay in the order they were written

// As it goes out: in one line, valid UTF-8 whatever clients sent, and without signs that a terminal obeys.
std::string text_of(const Json& json);

// Adds who the connection is: what the list and the connection log tell alike.
void add_identity(Json& json, const ConnectionDescription& connection);
// Null for an empty text.
Json text_or_null(const std::string& text);

Json to_json(const Info& info);
Json to_json(const ListenerRow& row);
Json to_json(const PoolRow& row);
Json to_json(const BackendRow& row);
Json to_json(const ConnectionRow& row);
Json to_json(const PortRow& row);
Json to_json(const NeighborRow& row);
Json to_json(const Explanation& explanation);
Json to_json(const ReloadReport& report);

}  // namespace sluice::admin
