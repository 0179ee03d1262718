// Stories of an endpoint whose owner passes the bytes on: what the peer is promised is what the end beyond
// the owner takes, not what the buffer here could hold; and no promise is taken back.
#include <gtest/gtest.h>

#include <random>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

EndpointOptions held_back(std::uint32_t bytes, EndpointOptions options = plain_options()) {
    options.receive_window = bytes;
    options.receive_buffer = 256 * 1024;
    return options;
}

void allow(Kit& k, std::optional<std::uint32_t> bytes) {
    // Straight to the endpoint: what it sends is kept by the kit's own output only for its own calls.
    struct Last final : Output {
        void send(const Segment& segment) override {
            window = segment.window;
            ack = segment.ack;
        }
        std::optional<std::uint16_t> window;
        Seq ack;
    } out;
    k.endpoint().allow(bytes);
    k.endpoint().update_window(k.now(), out);
}

struct Update final : Output {
    void send(const Segment& segment) override {
        ++sent;
        window = segment.window;
    }
    int sent = 0;
    std::uint16_t window = 0;
};

TEST(PromiseStory, TheFirstWindowIsWhatTheOwnerSays) {
    for (const std::uint32_t bytes : {0U, 1U, 536U, 1072U, 65'535U, 100'000U}) {
        const auto most = static_cast<std::uint16_t>(std::min(bytes, 65'535U));
        Kit passive(held_back(bytes));
        passive.listen();
        passive.recv({.flags = "S", .mss = 1460});
        passive.expect({.flags = "SA", .window = most});
        Kit active(held_back(bytes));
        active.connect();
        active.expect({.flags = "S", .window = most});
    }
}

TEST(PromiseStory, ASynThatIsRepeatedSaysTheSame) {
    Kit k(held_back(1072));
    k.connect();
    k.expect({.flags = "S", .window = std::uint16_t{1072}});
    allow(k, 5000);
    ASSERT_TRUE(k.wait_for_output(5s));
    k.expect({.flags = "S", .window = std::uint16_t{1072}});
    k.recv({.flags = "SA", .ack = 1, .mss = 1460});
    k.expect({.seq = 1, .ack = 1, .window = std::uint16_t{5000}});
}

TEST(PromiseStory, TheEdgeStaysUntilMoreIsAllowed) {
    Kit k(held_back(1072));
    k.open();
    k.recv({.data = pattern(536)});
    (void)k.read();
    k.advance(40ms);
    k.expect({.ack = 537, .window = std::uint16_t{536}});
    k.recv({.data = pattern(536)});
    (void)k.read();  // what was read here is not yet taken there
    k.advance(40ms);
    k.expect({.ack = 1073, .window = std::uint16_t{0}});
    Update out;
    k.endpoint().allow(100);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.sent, 1);
    EXPECT_EQ(out.window, 100);
    k.endpoint().allow(150);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.sent, 1) << "half as much again is not worth a segment";
    k.endpoint().allow(1072);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.sent, 2);
    EXPECT_EQ(out.window, 1072);
}

TEST(PromiseStory, WhatWasPromisedStaysPromised) {
    Kit k(held_back(4000));
    k.open();
    allow(k, 0);
    k.recv({.data = pattern(1000)});
    (void)k.read();
    k.advance(40ms);
    k.expect({.ack = 1001, .window = std::uint16_t{3000}});
    k.recv({.data = pattern(3000)});
    EXPECT_EQ(k.read().size(), 3000U);
    k.advance(40ms);
    EXPECT_EQ(k.drain().back().window, 0);
}

TEST(PromiseStory, TheScaleRoundsDown) {
    EndpointOptions options = held_back(1000, full_options());
    options.window_scale = 7;
    Kit k(options);
    k.open(full_syn());
    k.recv({.data = "abc"});
    (void)k.read();
    k.advance(40ms);
    k.expect({.ack = 4, .window = std::uint16_t{7}});  // 997 bytes, of which 896 can be said
    Update out;
    k.endpoint().allow(1151);
    k.endpoint().update_window(k.now(), out);
    k.endpoint().acknowledge(k.now(), out);
    EXPECT_EQ(out.sent, 0) << "nothing that the scale could say has come";
    k.endpoint().allow(2175);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.sent, 1);
    EXPECT_EQ(out.window, 16);
}

TEST(PromiseStory, AWindowBelowOneUnitIsClosed) {
    EndpointOptions options = held_back(100, full_options());
    options.window_scale = 7;
    Kit k(options);
    k.open(full_syn());
    k.recv({.data = "abc"});
    (void)k.read();
    k.advance(40ms);
    k.expect({.ack = 4, .window = std::uint16_t{0}});
    Update out;
    k.endpoint().allow(128);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.window, 1);
}

TEST(PromiseStory, AnOwnerWhoKeepsTheBytesLiftsIt) {
    Kit k(held_back(1000));
    k.open();
    Update out;
    k.endpoint().allow(std::nullopt);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.sent, 1);
    EXPECT_EQ(out.window, 65'535);
    // From here on the buffer's own rules hold.
    k.endpoint().allow(std::nullopt);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.sent, 1);
}

TEST(PromiseStory, NothingIsAnnouncedBeforeTheHandshakeNorAfterTheFin) {
    Kit k(held_back(0));
    k.listen();
    k.recv({.flags = "S", .mss = 1460});
    (void)k.drain();
    Update out;
    k.endpoint().allow(1000);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.sent, 0);
    k.recv({});
    k.endpoint().allow(1000);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.sent, 1);
    k.recv({.flags = "FA"});
    (void)k.drain();
    k.endpoint().allow(60'000);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.sent, 1);
}

TEST(PromiseStory, OneThatGoesOnKeepsItsWord) {
    Kit k(held_back(1072));
    k.open();
    k.recv({.data = pattern(500)});
    (void)k.read();
    k.sleep_and_resume();
    (void)k.drain();
    k.recv({.data = pattern(72)});
    (void)k.read();
    k.advance(40ms);
    k.expect({.ack = 573, .window = std::uint16_t{500}});
    Update out;
    k.endpoint().allow(1072);
    k.endpoint().update_window(k.now(), out);
    EXPECT_EQ(out.window, 1072);
}

// Whatever is allowed when, the monitor sees an edge that never retreats, and here it never lies beyond the
// furthest that was allowed.
TEST(PromiseStory, TheEdgeIsNeverBeyondWhatWasAllowed) {
    std::mt19937 random(7);
    const auto below = [&](std::uint32_t n) {
        return std::uniform_int_distribution<std::uint32_t>(0, n)(random);
    };
    for (int round = 0; round < 50; ++round) {
        EndpointOptions options = held_back(below(3000), full_options());
        options.window_scale = static_cast<std::uint8_t>(below(10));
        Kit k(options);
        k.open(full_syn());
        std::int64_t furthest = 1 + *options.receive_window;
        std::int64_t said = furthest;
        const auto look = [&](std::int64_t ack, std::uint16_t window) {
            said = std::max(said, ack + (std::int64_t{window} << *options.window_scale));
            EXPECT_LE(said, furthest);
        };
        for (int i = 0; i < 60; ++i) {
            const std::uint32_t bytes = below(6000);
            furthest = std::max(furthest, k.peer_next() + bytes);
            struct Seen final : Output {
                void send(const Segment& s) override { segments.emplace_back(s.ack, s.window); }
                std::vector<std::pair<Seq, std::uint16_t>> segments;
            } out;
            k.endpoint().allow(bytes);
            k.endpoint().update_window(k.now(), out);
            for (const auto& [ack, window] : out.segments) look(k.relative_to_peer(ack), window);
            const std::int64_t room = said - k.peer_next();
            if (room > 0)
                k.recv({.data = pattern(std::min<std::size_t>(below(1400), static_cast<std::size_t>(room)))});
            if (below(2) == 0) (void)k.read();
            if (below(3) == 0) k.advance(40ms);
            for (const Sent& s : k.drain()) look(s.ack, s.window);
        }
    }
}

}  // namespace
}  // namespace sluice::tcp::kit
