// What DPDK's telemetry socket cannot carry is changed or left out, and the reply says so.
#include "sluice/port/telemetry.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice::port {
namespace {

using Texts = std::vector<std::string>;

// As DPDK writes it.
std::string json(const TelemetryValue& value);
std::string json(std::uint64_t number) { return std::to_string(number); }
std::string json(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) out.append(c == '"' || c == '\\' ? "\\" : "").append(1, c);
    return out + "\"";
}
std::string json(const Texts& list) {
    std::string out;
    for (const std::string& text : list) out.append(out.empty() ? "" : ",").append(json(text));
    return "[" + out + "]";
}
std::string json(const TelemetryDict& dict) {
    std::string out;
    for (const auto& [name, value] : dict) {
        out.append(out.empty() ? "" : ",").append("\"" + name + "\":").append(json(value));
    }
    return "{" + out + "}";
}
std::string json(const TelemetryValue& value) {
    return std::visit([](const auto& inner) { return json(inner); }, value);
}

TelemetryDict numbers(std::size_t count) {
    TelemetryDict dict;
    for (std::size_t i = 0; i < count; ++i) dict.push_back({"n" + std::to_string(i), std::uint64_t{i}});
    return dict;
}

TEST(TelemetryFit, WhatHasRoomStaysAsItIs) {
    const TelemetryDict reply{{"number", std::numeric_limits<std::uint64_t>::max()},
                              {"text", std::string("a \"quoted\" \\ word")},
                              {"list", Texts{"a", "b"}},
                              {"nothing", Texts{}},
                              {"dict", TelemetryDict{{"inner", TelemetryDict{}}}}};
    EXPECT_EQ(json(fitted(reply)), json(reply));
}

TEST(TelemetryFit, BytesThatDoNotPrintAreWrittenOut) {
    const TelemetryDict reply{{"text", std::string("caf\xe9\n\x7f") + '\0'}, {"list", Texts{"\xc3\xa4"}}};
    EXPECT_EQ(std::get<std::string>(fitted(reply)[0].value), "caf\\xe9\\x0a\\x7f\\x00");
    EXPECT_EQ(std::get<Texts>(fitted(reply)[1].value), Texts{"\\xc3\\xa4"});
}

TEST(TelemetryFit, ALongTextShowsThatItIsCut) {
    const auto cut = [](const std::string& text) {
        return std::get<std::string>(fitted({{"text", text}})[0].value);
    };
    EXPECT_EQ(cut(std::string(127, 'a')), std::string(127, 'a'));
    EXPECT_EQ(cut(std::string(128, 'a')), std::string(124, 'a') + "...");
    // Never within what stands for one byte.
    EXPECT_EQ(cut(std::string(122, 'a') + "\xff\xff"), std::string(122, 'a') + "...");
}

TEST(TelemetryFit, NamesHaveOnlyWhatDpdkTakes) {
    EXPECT_EQ(fitted({{"a-b.c/d_E9\xff", std::uint64_t{1}}})[0].name, "a_b_c/d_E9_");
    EXPECT_EQ(fitted({{std::string(200, 'n'), std::uint64_t{1}}})[0].name, std::string(127, 'n'));
}

TEST(TelemetryFit, ADictSaysHowManyEntriesAreMissing) {
    const TelemetryDict dict = fitted(numbers(300));
    ASSERT_LE(dict.size(), kTelemetryEntries);
    EXPECT_EQ(dict.back().name, "left_out");
    EXPECT_EQ(std::get<std::uint64_t>(dict.back().value), 300 - (dict.size() - 1));
    EXPECT_EQ(dict[dict.size() - 2].name, "n" + std::to_string(dict.size() - 2));
}

TEST(TelemetryFit, AListSaysHowManyItemsAreMissing) {
    const TelemetryDict dict = fitted({{"before", std::uint64_t{1}}, {"names", Texts(600, "x")}});
    ASSERT_EQ(dict.size(), 3U);
    EXPECT_EQ(std::get<Texts>(dict[1].value).size(), kTelemetryItems);
    EXPECT_EQ(dict[2].name, "names_left_out");
    EXPECT_EQ(std::get<std::uint64_t>(dict[2].value), 600 - kTelemetryItems);
}

TEST(TelemetryFit, WhatIsCutInsideIsToldInside) {
    const TelemetryDict dict = fitted({{"inner", numbers(100)}, {"behind", numbers(20)}}, 200);
    ASSERT_EQ(dict.size(), 2U);
    EXPECT_GT(std::get<TelemetryDict>(dict[0].value).size(), 5U);
    EXPECT_EQ(std::get<TelemetryDict>(dict[0].value).back().name, "left_out");
    EXPECT_EQ(json(dict[1].value), "1");
}

TEST(TelemetryFit, NoReplyIsLargerThanItsRoom) {
    TelemetryDict reply = numbers(20);
    reply.push_back({"list", Texts(30, std::string(50, '"'))});
    for (int i = 0; i < 10; ++i) {
        reply.push_back({std::string(100, 'd'),
                         TelemetryDict{{"text", std::string(300, '\\')},
                                       {"list", Texts(5, "\xff\xff")},
                                       {"dict", TelemetryDict{{"deep", numbers(4)}, {"more", numbers(9)}}}}});
    }
    const std::size_t whole = json(fitted(reply, 1'000'000)).size();
    EXPECT_GT(whole, 5000U);
    std::size_t last = 0;
    for (std::size_t room = 64; room < whole + 200; ++room) {
        const std::string text = json(fitted(reply, room));
        ASSERT_LE(text.size(), room);
        last = text.size();
    }
    EXPECT_EQ(last, whole);
}

}  // namespace
}  // namespace sluice::port
