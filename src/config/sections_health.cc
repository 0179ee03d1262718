#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "entries.h"
#include "file.h"
#include "readers.h"

namespace sluice::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::size_t kLongestMqttField = 65535;  // bytes; MQTT 3.1.1 section 1.5.3

// The password in the file, or why there is none.
std::string read_secret(const std::string& path, std::string& out) {
    std::string text;
    const std::string fault = read_file(path, kLongestMqttField + 1, text);  // and a final newline
    if (!fault.empty()) return fault;
    if (text.ends_with('\n')) text.pop_back();
    if (text.empty()) return "is empty";
    if (text.size() > kLongestMqttField) return "holds more than 65535 bytes";
    out = std::move(text);
    return "";
}

void read_mqtt(Section& section, Health& health) {
    const auto username = section.text("username", health.username);
    if (username && health.username.size() > kLongestMqttField) {
        section.report().add(*username, "is longer than MQTT allows", "must be at most 65535 bytes");
    }
    const auto version = section.choice("version", health.version, kVersionWords);
    const auto place = section.path("password_file", health.password_file);
    if (!place) return;
    const std::string fault = read_secret(health.password_file, health.password);
    if (!fault.empty()) {
        section.report().add(*place, quoted(health.password_file) + " " + fault,
                             "name a file that holds the password and that Sluice may read");
    }
    // MQTT 3.1.1 section 3.1.2.9.
    const bool known = version || !section.has("version");
    if (known && health.version != mqtt::Version::V5 && !section.has("username")) {
        section.report().add(*place,
                             "a password without a username, which MQTT allows only from version 5 on",
                             "give a username, or set version = \"5\"");
    }
}

void read_http(Section& section, Health& health) {
    const auto path = section.path("path", health.path);
    const bool sendable = std::ranges::all_of(health.path, [](char c) { return c > ' ' && c < '\x7f'; });
    if (path && !sendable) {
        section.report().add(*path, quoted(health.path) + " cannot be sent in a request",
                             "use visible ASCII characters, others as %XX");
    }
    section.integer<std::uint16_t>("port", health.port, 0, 65535);
    section.range("expect", health.expect_from, health.expect_to, 100, 599);
    section.text("expect_body", health.expect_body);
}

void refuse_all(Section& section, std::span<const std::string_view> keys, HealthType type,
                HealthType proper) {
    for (const std::string_view key : keys) {
        section.refuse(key, "a probe of type " + quoted(word(type, kHealthTypeWords)) + " does not use it",
                       "remove it, or set type = " + quoted(word(proper, kHealthTypeWords)));
    }
}

}  // namespace

void read_health(Section section, Health& health) {
    const bool known = section.choice("type", health.type, kHealthTypeWords) || !section.has("type");
    section.duration("interval", health.interval, milliseconds(100), hours(1));
    section.duration("timeout", health.timeout, milliseconds(10), minutes(10));
    section.integer("rise", health.rise, 1U, 1000U);
    section.integer("fall", health.fall, 1U, 1000U);
    if (health.type == HealthType::Mqtt || !known) {
        read_mqtt(section, health);
    } else {
        refuse_all(section, kMqttKeys, health.type, HealthType::Mqtt);
    }
    if (health.type == HealthType::Http || !known) {
        read_http(section, health);
    } else {
        refuse_all(section, kHttpKeys, health.type, HealthType::Http);
    }
    section.finish();
}

}  // namespace sluice::config
