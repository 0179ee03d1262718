// Where sessions are: how long it is known, who is believed, and who has to go when there is no more room.
#include "sluice/session/whereabouts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>

namespace sluice::session {
namespace {

constexpr Instant kStart{1h};

Stay stay(std::uint64_t key, std::uint32_t broker, Instant since = kStart) {
    return {.key = key, .since = since, .broker = broker, .until = Stay::kOpen};
}
Stay over(std::uint64_t key, Instant since) {
    return {.key = key, .since = since, .broker = 0, .until = Stay::kOver};
}
Stay ended(const Stay& of, std::uint32_t expiry, Instant now) {
    return after_connection(of, expiry, now).value_or(of);
}
std::optional<std::uint32_t> broker(const Whereabouts& table, std::uint64_t key, Instant now = kStart) {
    const Stay* const found = table.find(now, key);
    return found == nullptr ? std::nullopt : std::optional(found->broker);
}

TEST(Whereabouts, KnowsASessionWhileItIsConnectedAndThenForItsExpiry) {
    Whereabouts table(8);
    EXPECT_EQ(broker(table, 1), std::nullopt);
    EXPECT_FALSE(table.put(kStart, stay(1, 7)));
    EXPECT_EQ(broker(table, 1), 7U);
    EXPECT_EQ(broker(table, 2), std::nullopt);
    // However long the connection is.
    const Instant end = kStart + 100h;
    EXPECT_EQ(broker(table, 1, end), 7U);
    table.put(end, ended(stay(1, 7), 60, end));
    EXPECT_EQ(broker(table, 1, end + 60s - 1ns), 7U);
    EXPECT_EQ(broker(table, 1, end + 60s), std::nullopt);
}

TEST(Whereabouts, ASecondThatHasBegunIsGivenWhole) {
    const Instant end = kStart + 500ms;
    Whereabouts table(8);
    table.put(kStart, stay(1, 7));
    table.put(end, ended(stay(1, 7), 1, end));
    EXPECT_EQ(broker(table, 1, end + 1s), 7U);
    EXPECT_EQ(broker(table, 1, kStart + 2s), std::nullopt);
}

TEST(Whereabouts, ASessionWithoutExpiryStaysAfterItsConnection) {
    EXPECT_FALSE(after_connection(stay(1, 7), kNeverExpires, kStart));
    // And so does one whose end lies beyond what can be told.
    const auto late = after_connection(stay(1, 7), kNeverExpires - 1, kStart);
    ASSERT_TRUE(late);
    EXPECT_EQ(late->until, Stay::kOpen);
    EXPECT_FALSE(late->expired(kStart + std::chrono::hours(24 * 365 * 200)));
}

TEST(Whereabouts, TheLaterConnectionIsRightInWhateverOrderItIsHeardOf) {
    const Stay first = stay(1, 7, kStart);
    const Stay second = stay(1, 8, kStart + 1s);
    const Instant now = kStart + 2s;
    const Stay news[] = {first, second, ended(first, 60, now)};
    int order[] = {0, 1, 2};
    do {
        Whereabouts table(8);
        for (const int i : order) table.put(now, news[i]);
        // The end of the old connection, taken over by the new one, ends nothing.
        EXPECT_EQ(broker(table, 1, now + 1h), 8U);
    } while (std::next_permutation(std::begin(order), std::end(order)));
}

TEST(Whereabouts, ASessionThatIsOverIsForgotten) {
    Whereabouts table(8);
    table.put(kStart, stay(1, 7));
    table.put(kStart, over(1, kStart + 1s));
    EXPECT_EQ(broker(table, 1), std::nullopt);
    EXPECT_EQ(table.size(), 0U);
    // What is not there is not made by its end, and an older word does not end what is newer.
    table.put(kStart, ended(stay(1, 7), 60, kStart));
    table.put(kStart, over(2, kStart));
    EXPECT_EQ(table.size(), 0U);
    table.put(kStart, stay(1, 7, kStart + 2s));
    table.put(kStart, over(1, kStart + 1s));
    EXPECT_EQ(broker(table, 1), 7U);
}

TEST(Whereabouts, TheOldestGoesWhenThereIsNoRoom) {
    Whereabouts table(4);
    for (std::uint64_t key = 1; key <= 4; ++key) EXPECT_FALSE(table.put(kStart, stay(key, 7)));
    // Who was told of anew is no longer the oldest.
    EXPECT_FALSE(table.put(kStart, stay(1, 8, kStart + 1s)));
    EXPECT_TRUE(table.put(kStart, stay(5, 9)));
    EXPECT_EQ(table.size(), 4U);
    EXPECT_EQ(broker(table, 2), std::nullopt);
    EXPECT_EQ(broker(table, 1), 8U);
    EXPECT_TRUE(table.put(kStart, stay(6, 9)));
    EXPECT_EQ(broker(table, 3), std::nullopt);
    EXPECT_EQ(broker(table, 4), 7U);
    EXPECT_EQ(broker(table, 5), 9U);
    EXPECT_EQ(broker(table, 6), 9U);
}

TEST(Whereabouts, WhatHasExpiredMakesRoomBeforeAnythingElse) {
    Whereabouts table(4);
    for (std::uint64_t key = 1; key <= 4; ++key) table.put(kStart, stay(key, 7));
    table.put(kStart, ended(stay(4, 7), 10, kStart));  // the newest of them
    EXPECT_FALSE(table.put(kStart + 10s, stay(5, 9)));
    for (const std::uint64_t key : {1U, 2U, 3U}) EXPECT_EQ(broker(table, key, kStart + 10s), 7U);
    EXPECT_EQ(table.size(), 4U);
}

TEST(Whereabouts, ATableWithoutRoomKeepsNothing) {
    Whereabouts table(0);
    EXPECT_FALSE(table.put(kStart, stay(1, 7)));
    EXPECT_EQ(broker(table, 1), std::nullopt);
    EXPECT_EQ(table.used_bytes(), 0U);
}

std::uint64_t key_of(std::uint32_t pool, std::string_view id, std::uint64_t scope = 0,
                     SipKey secret = {1, 2}) {
    return session_key(secret, {.pool = pool, .client_id = id, .scope = scope});
}

TEST(Whereabouts, KeysAreOfAPoolAndAScopeAndSecret) {
    EXPECT_EQ(key_of(0, "auto-1"), key_of(0, "auto-1"));
    EXPECT_NE(key_of(0, "auto-1"), key_of(1, "auto-1"));
    EXPECT_NE(key_of(0, "auto-1"), key_of(0, "auto-2"));
    EXPECT_NE(key_of(0, "auto-1"), key_of(0, "auto-1", 7));
    EXPECT_NE(key_of(0, "auto-1"), key_of(0, "auto-1", 0, {1, 3}));
    // An ID of any length is one number.
    EXPECT_NE(key_of(0, std::string(65535, 'x')), 0U);
}

TEST(Whereabouts, AnAssignedIdIsFoundFromAnyScopeAndOthersFromTheirOwn) {
    constexpr SipKey kSecret{1, 2};
    Whereabouts table(8);
    table.put(kStart, stay(key_of(0, "given"), 7));
    table.put(kStart, stay(key_of(0, "own", 5), 8));
    const auto find = [&](std::string_view id, std::uint64_t scope) {
        const Stay* const found = table.find(kStart, kSecret, {.pool = 0, .client_id = id, .scope = scope});
        return found == nullptr ? 0 : found->broker;
    };
    EXPECT_EQ(find("given", 0), 7U);
    EXPECT_EQ(find("given", 5), 7U);
    EXPECT_EQ(find("own", 5), 8U);
    EXPECT_EQ(find("own", 6), 0U);
    EXPECT_EQ(find("own", 0), 0U);
    EXPECT_EQ(find("", 0), 0U);
}

// Against a plain map of the same rules, with room for all.
TEST(Whereabouts, BehavesAsAMapThroughAnyHistory) {
    constexpr std::uint32_t kKeys = 300;
    Whereabouts table(kKeys);
    std::map<std::uint64_t, Stay> model;
    std::mt19937 random(5);
    Instant now = kStart;
    for (int i = 0; i < 200'000; ++i) {
        now += std::chrono::milliseconds(random() % 200);
        const std::uint64_t key = std::uint64_t{1 + random() % kKeys} * 0x9e3779b97f4a7c15U;
        const auto known = model.find(key);
        const bool there = known != model.end() && !known->second.expired(now);
        ASSERT_EQ(broker(table, key, now), there ? std::optional(known->second.broker) : std::nullopt) << i;
        Stay news = stay(key, static_cast<std::uint32_t>(random() % 9), now);
        if (there && random() % 3 == 0)
            news = ended(known->second, static_cast<std::uint32_t>(random() % 30), now);
        if (random() % 8 == 0) news.until = Stay::kOver;
        ASSERT_FALSE(table.put(now, news)) << "something was lost";
        if (news.until == Stay::kOver) {
            model.erase(key);
        } else if (there || news.until == Stay::kOpen) {
            model[key] = news;
        }
    }
    EXPECT_LE(table.size(), kKeys);
    EXPECT_LE(table.used_bytes(), std::uint64_t{kKeys} * 48);
}

}  // namespace
}  // namespace sluice::session
