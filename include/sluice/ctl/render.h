// A reply of the admin socket as text for people. It follows the shape of the JSON and the units in its key
// names, so that a reply this program has never seen is shown in good order too.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace sluice::ctl {

// reply: an object without "error". Every line ends with a newline.
std::string render(const nlohmann::ordered_json& reply);

// reply: an object with "error", and perhaps "problems", a line each.
std::string render_refusal(const nlohmann::ordered_json& reply);

}  // namespace sluice::ctl
