#include "sluice/base/terminal.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Terminal, IsSteeredByControlsAndDirections) {
    for (const char* sign : {"\x01", "\x1b", "\x7f", "\xc2\x80", "\xc2\x9f", "\xd8\x9c", "\xe2\x80\x8e",
                             "\xe2\x80\xa8", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9"}) {
        EXPECT_TRUE(steers_terminal(sign)) << testing::PrintToString(sign);
    }
    for (const char* sign : {" ", "~", "\xc2\xa0", "\xc3\xa9", "\xe2\x80\x8b", "\xe2\x80\xaf", "\xe2\x82\xac",
                             "\xf0\x9f\x98\x80"}) {
        EXPECT_FALSE(steers_terminal(sign)) << testing::PrintToString(sign);
    }
}

TEST(Terminal, JsonSaysTheSameWithoutThem) {
    EXPECT_EQ(escape_terminal("{\n  \"a\": \"\xc3\xa9\x7f\xc2\x9b\xe2\x80\xae\xf0\x9f\x98\x80\\n\"\n}"),
              "{\n  \"a\": \"\xc3\xa9\\u007f\\u009b\\u202e\xf0\x9f\x98\x80\\n\"\n}");
    EXPECT_EQ(escape_terminal(""), "");
}

}  // namespace
}  // namespace sluice
