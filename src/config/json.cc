#include "sluice/config/json.h"

#include <algorithm>
#include <string_view>

#include "entries.h"
#include "written.h"

namespace sluice::config {
namespace {

constexpr std::string_view kHealth = "health.";

// The members of an object, one after the other. What the file writes as a string, a number or an array of
// strings (written.h) is JSON as it stands.
class Members {
  public:
    void add(std::string_view key, std::string_view value) {
        text_.append(text_.empty() ? "\"" : ", \"").append(key).append("\": ");
        text_.append(value.empty() ? "null" : value);
    }
    std::string object() const { return "{" + text_ + "}"; }

  private:
    std::string text_;
};

template <typename T, typename ToObject>
std::string objects(const std::vector<T>& all, const ToObject& to_object) {
    std::string text;
    for (const T& each : all) text.append(text.empty() ? "" : ", ").append(to_object(each));
    return "[" + text + "]";
}

template <typename T>
Members members(const T& section) {
    Members out;
    if constexpr (requires { section.name; }) out.add("name", write(section.name));
    for (const Entry& entry : entries(section)) {
        if (!entry.key.starts_with(kHealth)) out.add(entry.key, entry.value);
    }
    return out;
}

template <typename T>
std::string object(const T& section) {
    return members(section).object();
}

bool is_of_type(std::string_view key, HealthType type) {
    if (std::ranges::find(kMqttKeys, key) != std::end(kMqttKeys)) return type == HealthType::Mqtt;
    if (std::ranges::find(kHttpKeys, key) != std::end(kHttpKeys)) return type == HealthType::Http;
    return true;
}

std::string health_object(const Pool& pool) {
    Members out;
    for (const Entry& entry : entries(pool)) {
        if (!entry.key.starts_with(kHealth)) continue;
        const std::string_view key = entry.key.substr(kHealth.size());
        out.add(key, is_of_type(key, pool.health.type) ? entry.value : "");
    }
    return out.object();
}

std::string pool_object(const Pool& pool) {
    Members out = members(pool);
    out.add("health", health_object(pool));
    out.add("backend", objects(pool.backends, object<Backend>));
    return out.object();
}

}  // namespace

std::string to_json(const Config& config) {
    Members out;
    out.add("runtime", object(config.runtime));
    out.add("port", objects(config.ports, object<Port>));
    out.add("admin", object(config.admin));
    out.add("listener", objects(config.listeners, object<Listener>));
    out.add("route", objects(config.routes, object<Route>));
    out.add("pool", objects(config.pools, pool_object));
    return out.object();
}

}  // namespace sluice::config
