#include "router.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "sluice/mqtt/publish.h"

namespace sluice::load {
namespace {

std::vector<std::string_view> levels(std::string_view text) {
    std::vector<std::string_view> parts;
    for (std::size_t at = 0;;) {
        const std::size_t end = text.find('/', at);
        parts.push_back(text.substr(at, end - at));
        if (end == std::string_view::npos) return parts;
        at = end + 1;
    }
}

// Section 4.7, word by word.
bool matches(std::string_view filter, std::string_view topic) {
    if (topic.front() == '$' && (filter.front() == '+' || filter.front() == '#')) return false;
    const auto wanted = levels(filter);
    const auto given = levels(topic);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] == "#") return true;
        if (i == given.size()) return false;
        if (wanted[i] != "+" && wanted[i] != given[i]) return false;
        if (i + 2 == wanted.size() && wanted[i + 1] == "#" && i + 1 == given.size()) return true;
    }
    return wanted.size() == given.size();
}

bool routed(std::string_view filter, std::string_view topic) {
    Router router;
    router.subscribe(1, filter, {});
    return !router.match(topic, 0).empty();
}

TEST(Router, ExamplesOfTheStandard) {
    for (const char* topic :
         {"sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"}) {
        EXPECT_TRUE(routed("sport/tennis/player1/#", topic)) << topic;
    }
    EXPECT_TRUE(routed("sport/#", "sport"));
    EXPECT_TRUE(routed("sport/tennis/+", "sport/tennis/player1"));
    EXPECT_FALSE(routed("sport/tennis/+", "sport/tennis/player1/ranking"));
    EXPECT_FALSE(routed("sport/+", "sport"));
    EXPECT_TRUE(routed("sport/+", "sport/"));
    EXPECT_TRUE(routed("+/+", "/finance"));
    EXPECT_TRUE(routed("/+", "/finance"));
    EXPECT_FALSE(routed("+", "/finance"));
    EXPECT_FALSE(routed("#", "$SYS/monitor"));
    EXPECT_FALSE(routed("+/monitor/Clients", "$SYS/monitor/Clients"));
    EXPECT_TRUE(routed("$SYS/#", "$SYS/monitor"));
    EXPECT_TRUE(routed("$SYS/monitor/+", "$SYS/monitor/Clients"));
    EXPECT_FALSE(routed("ACCOUNTS", "Accounts"));
}

// Against the rules word by word, for every filter and topic of few letters, while filters come and go.
TEST(Router, AgreesWithTheRules) {
    const std::vector<std::string> words{"", "a", "b", "$x", "+", "#"};
    std::vector<std::string> filters;
    std::vector<std::string> topics;
    const auto consider = [&](const std::string& text) {
        if (mqtt::is_topic_filter(text)) filters.push_back(text);
        if (mqtt::is_topic_name(text)) topics.push_back(text);
    };
    for (const std::string& a : words) {
        consider(a);
        for (const std::string& b : words) {
            consider(a + "/" + b);
            for (const std::string& c : words) consider(a + "/" + b + "/" + c);
        }
    }
    ASSERT_GT(filters.size(), 150U);
    Router router;
    std::map<std::pair<Id, std::string>, std::uint8_t> model;
    std::uint64_t random = 7;
    const auto draw = [&](std::size_t below) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        return static_cast<std::size_t>((random >> 33U) % below);
    };
    for (int round = 0; round < 5'000; ++round) {
        const Id id = static_cast<Id>(draw(6));
        const std::string& filter = filters[draw(filters.size())];
        switch (draw(8)) {
            case 0:
                if (draw(10) == 0) {
                    router.remove(id);
                    std::erase_if(model, [&](const auto& entry) { return entry.first.first == id; });
                }
                break;
            case 1:
            case 2:
            case 3: EXPECT_EQ(router.unsubscribe(id, filter), model.erase({id, filter}) != 0); break;
            default: {
                const auto qos = static_cast<std::uint8_t>(draw(3));
                router.subscribe(id, filter, {.qos = qos});
                model[{id, filter}] = qos;
            }
        }
        EXPECT_EQ(router.subscriptions(), model.size());
        const std::string& topic = topics[draw(topics.size())];
        std::map<Id, std::uint8_t> expected;
        for (const auto& [key, qos] : model) {
            if (!matches(key.second, topic)) continue;
            std::uint8_t& highest = expected[key.first];
            highest = std::max(highest, qos);
        }
        std::map<Id, std::uint8_t> got;
        for (const Receiver& receiver : router.match(topic, 99)) got[receiver.id] = receiver.qos;
        ASSERT_EQ(got, expected) << topic;
    }
}

TEST(Router, LeavesThePublisherOutWhereItAsked) {
    Router router;
    router.subscribe(1, "a", {.qos = 2, .no_local = true});
    router.subscribe(1, "+", {.qos = 1});
    ASSERT_EQ(router.match("a", 1).size(), 1U);
    EXPECT_EQ(router.match("a", 1)[0].qos, 1);
    EXPECT_EQ(router.match("a", 2)[0].qos, 2);
}

}  // namespace
}  // namespace sluice::load
