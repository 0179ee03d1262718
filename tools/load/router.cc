#include "router.h"

#include <algorithm>
#include <optional>

namespace sluice::load {
namespace {

bool has_wildcard(std::string_view filter) { return filter.find_first_of("+#") != std::string_view::npos; }

// Cuts the first level off; nothing is left behind the last one.
std::string_view take_level(std::string_view text, std::optional<std::string_view>& rest) {
    const std::size_t end = text.find('/');
    rest = end == std::string_view::npos ? std::nullopt : std::optional(text.substr(end + 1));
    return text.substr(0, end);
}

}  // namespace

void Router::subscribe(Id id, std::string_view filter, Grant grant) {
    Grants* grants = nullptr;
    if (!has_wildcard(filter)) {
        grants = &exact_[filter];
    } else {
        Node* node = &wild_;
        for (std::optional<std::string_view> rest = filter; rest;) {
            const std::string_view level = take_level(*rest, rest);
            if (level == "#") {
                grants = &node->beyond;
                break;
            }
            std::unique_ptr<Node>& below = node->below[level];
            if (below == nullptr) below = std::make_unique<Node>();
            node = below.get();
            grants = &node->here;
        }
    }
    if (grants->insert_or_assign(id, grant).second) {
        filters_[id].emplace_back(filter);
        ++subscriptions_;
    }
}

bool Router::erase_below(Node& node, std::string_view text, Id id) {
    std::optional<std::string_view> rest;
    const std::string_view level = take_level(text, rest);
    if (level == "#") return node.beyond.erase(id) != 0;
    const auto at = node.below.find(level);
    if (at == node.below.end()) return false;
    Node& below = *at->second;
    const bool erased = rest ? erase_below(below, *rest, id) : below.here.erase(id) != 0;
    if (below.empty()) node.below.erase(at);
    return erased;
}

bool Router::erase(Id id, std::string_view filter) {
    bool erased = false;
    if (has_wildcard(filter)) {
        erased = erase_below(wild_, filter, id);
    } else if (const auto at = exact_.find(filter); at != exact_.end()) {
        erased = at->second.erase(id) != 0;
        if (at->second.empty()) exact_.erase(at);
    }
    if (erased) --subscriptions_;
    return erased;
}

bool Router::unsubscribe(Id id, std::string_view filter) {
    if (!erase(id, filter)) return false;
    std::vector<std::string>& filters = filters_[id];
    filters.erase(std::find(filters.begin(), filters.end(), filter));
    if (filters.empty()) filters_.erase(id);
    return true;
}

void Router::remove(Id id) {
    const auto at = filters_.find(id);
    if (at == filters_.end()) return;
    for (const std::string& filter : at->second) erase(id, filter);
    filters_.erase(at);
}

void Router::add(const Grants& grants, Id publisher) {
    for (const auto& [id, grant] : grants) {
        if (!(grant.no_local && id == publisher)) receivers_.push_back({id, grant.qos});
    }
}

// rest: the levels below `node`. As deep as the filters are, whatever the topic is.
void Router::walk(const Node& node, std::string_view rest, bool first, Id publisher) {
    // [MQTT-4.7.2-1]: a wildcard in front does not match what begins with $.
    const bool hidden = first && !rest.empty() && rest.front() == '$';
    if (!hidden) add(node.beyond, publisher);
    std::optional<std::string_view> further;
    const std::string_view level = take_level(rest, further);
    const auto descend = [&](std::string_view key) {
        const auto at = node.below.find(key);
        if (at == node.below.end()) return;
        if (further) return walk(*at->second, *further, false, publisher);
        add(at->second->here, publisher);
        add(at->second->beyond, publisher);  // "a/#" matches "a" as well
    };
    descend(level);
    if (!hidden) descend("+");
}

const std::vector<Receiver>& Router::match(std::string_view topic, Id publisher) {
    receivers_.clear();
    if (const auto at = exact_.find(topic); at != exact_.end()) add(at->second, publisher);
    if (!wild_.empty()) walk(wild_, topic, true, publisher);
    // Of one id the highest QoS comes first, and the others go.
    std::sort(receivers_.begin(), receivers_.end(), [](const Receiver& a, const Receiver& b) {
        return a.id != b.id ? a.id < b.id : a.qos > b.qos;
    });
    const auto same = [](const Receiver& a, const Receiver& b) { return a.id == b.id; };
    receivers_.erase(std::unique(receivers_.begin(), receivers_.end(), same), receivers_.end());
    return receivers_;
}

}  // namespace sluice::load
