#include <gtest/gtest.h>

#include "terminal.h"

namespace sluice::ctl {
namespace {

using Keys = std::vector<Key>;

TEST(Keys, AreTakenInTheOrderInWhichTheyCame) {
    std::string typed = "\x1b[A\x1bOBx\x1b[5~\x1b[6~q";
    EXPECT_EQ(take_keys(typed), (Keys{Key::Up, Key::Down, Key::PageUp, Key::PageDown, Key::Quit}));
    EXPECT_EQ(typed, "");
}

TEST(Keys, OneThatCameInHalfIsWaitedFor) {
    std::string typed = "\x1b[5";
    EXPECT_EQ(take_keys(typed), Keys{});
    typed += "~";
    EXPECT_EQ(take_keys(typed), Keys{Key::PageUp});
}

TEST(Keys, OthersArePassedOver) {
    std::string typed = "\x1b[1;5Cabc\x1b[3~\x1b\x1b[B";
    EXPECT_EQ(take_keys(typed), Keys{Key::Down});
    typed = std::string(1000, 'x') + "\x1b";
    EXPECT_EQ(take_keys(typed), Keys{});
    EXPECT_LE(typed.size(), 1U);
}

}  // namespace
}  // namespace sluice::ctl
