#include "router.h"

#include <algorithm>

namespace sluice::load {
namespace {

// Takes the first level off `rest`, with the slash behind it; `more` tells whether there was one.
std::string_view take_level(std::string_view& rest, bool& more) {
    const std::size_t slash = rest.find('/');
    more = slash != std::string_view::npos;
    const std::string_view level = rest.substr(0, slash);
    rest = more ? rest.substr(slash + 1) : std::string_view();
    return level;
}

}  // namespace

bool matches(std::string_view filter, std::string_view topic) {
    // Wildcards do not take what the server has for itself ([MQTT-4.7.2-1]).
    if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
    bool filter_goes_on = true;
    bool topic_goes_on = true;
    while (filter_goes_on) {
        const std::string_view wanted = take_level(filter, filter_goes_on);
        if (wanted == "#") return true;  // "a/#" takes "a" as well
        if (!topic_goes_on) return false;
        const std::string_view level = take_level(topic, topic_goes_on);
        if (wanted != "+" && wanted != level) return false;
    }
    return !topic_goes_on;
}

absl::flat_hash_map<std::string, Router::Subscriptions>& Router::kind(std::string_view filter) {
    return filter.find_first_of("+#") == std::string_view::npos ? exact_ : wild_;
}

void Router::subscribe(Id connection, std::string_view filter, std::uint8_t qos) {
    Subscriptions& all = kind(filter)[std::string(filter)];
    const auto old = std::ranges::find(all, connection, &Subscription::connection);
    if (old != all.end()) {
        old->qos = qos;
        return;
    }
    all.push_back({.connection = connection, .qos = qos});
    filters_[connection].emplace_back(filter);
    ++subscriptions_;
}

void Router::unsubscribe(Id connection, std::string_view filter) {
    auto& map = kind(filter);
    const auto entry = map.find(std::string(filter));
    if (entry == map.end()) return;
    const auto removed =
        std::erase_if(entry->second, [&](const Subscription& s) { return s.connection == connection; });
    if (removed == 0) return;
    --subscriptions_;
    if (entry->second.empty()) map.erase(entry);
    const auto own = filters_.find(connection);
    std::erase(own->second, filter);
    if (own->second.empty()) filters_.erase(own);
}

void Router::forget(Id connection) {
    const auto own = filters_.find(connection);
    if (own == filters_.end()) return;
    const std::vector<std::string> filters = own->second;
    for (const std::string& filter : filters) unsubscribe(connection, filter);
}

void Router::take(const Subscriptions& subscriptions) {
    for (const Subscription& s : subscriptions) found_.push_back({.connection = s.connection, .qos = s.qos});
}

const std::vector<Router::Target>& Router::targets(std::string_view topic) {
    found_.clear();
    if (const auto entry = exact_.find(std::string(topic)); entry != exact_.end()) take(entry->second);
    std::size_t lists = found_.empty() ? 0 : 1;
    for (const auto& [filter, subscriptions] : wild_) {
        if (!matches(filter, topic)) continue;
        take(subscriptions);
        ++lists;
    }
    if (lists < 2) return found_;
    // Filters that overlap: one copy for each connection.
    std::ranges::sort(found_, [](const Target& a, const Target& b) {
        return a.connection != b.connection ? a.connection < b.connection : a.qos > b.qos;
    });
    const auto doubles = std::ranges::unique(found_, {}, &Target::connection);
    found_.erase(doubles.begin(), doubles.end());
    return found_;
}

}  // namespace sluice::load
