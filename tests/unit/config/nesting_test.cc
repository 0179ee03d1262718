#include "nesting.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::config {
namespace {

std::string dots(unsigned number) { return std::string(number, '.'); }

TEST(Nesting, CountsTheDotsOfAStatement) {
    EXPECT_EQ(line_nested_too_deep(""), std::nullopt);
    EXPECT_EQ(line_nested_too_deep("a" + dots(100)), std::nullopt);
    EXPECT_EQ(line_nested_too_deep("a" + dots(101)), 1U);
    EXPECT_EQ(line_nested_too_deep("a" + dots(100) + "\nb" + dots(100) + "\n"), std::nullopt);
    EXPECT_EQ(line_nested_too_deep("\n\r\n[" + dots(101) + "]"), 3U);
}

TEST(Nesting, AStatementGoesOnWhileABracketIsOpen) {
    EXPECT_EQ(line_nested_too_deep("a = [{" + dots(60) + "},\n{" + dots(60) + "}]"), 2U);
    EXPECT_EQ(line_nested_too_deep("a = [1]\nb" + dots(100) + "]]\nc" + dots(100)), std::nullopt);
    EXPECT_EQ(line_nested_too_deep("a = [1\n" + dots(60) + "]\nb" + dots(60)), std::nullopt);
}

TEST(Nesting, StringsAndCommentsHaveNoDots) {
    EXPECT_EQ(line_nested_too_deep("a = [\"" + dots(500) + "\", '" + dots(500) + "'] # " + dots(500)),
              std::nullopt);
    EXPECT_EQ(line_nested_too_deep("a = \"\"\"" + dots(500) + "\n\"" + dots(500) + "\"\"\""), std::nullopt);
    EXPECT_EQ(line_nested_too_deep("a = '''\n" + dots(500) + "\\'''\n" + dots(101)), 3U);
    EXPECT_EQ(line_nested_too_deep("#" + dots(500)), std::nullopt);
}

TEST(Nesting, KnowsWhereAStringEnds) {
    EXPECT_EQ(line_nested_too_deep(R"("a\")" + dots(500) + "\""), std::nullopt);
    EXPECT_EQ(line_nested_too_deep(R"("a\\")" + dots(500)), 1U);
    EXPECT_EQ(line_nested_too_deep(R"('a\')" + dots(500)), 1U);
    EXPECT_EQ(line_nested_too_deep(R"("""a""""")" + dots(500)), 1U);
    EXPECT_EQ(line_nested_too_deep(R"("")" + dots(500)), 1U);
    // One that its line does not end hides nothing of the next.
    EXPECT_EQ(line_nested_too_deep("a = \"" + dots(500) + "\n" + dots(500)), 2U);
    EXPECT_EQ(line_nested_too_deep("\""), std::nullopt);
    EXPECT_EQ(line_nested_too_deep("\"\\"), std::nullopt);
    EXPECT_EQ(line_nested_too_deep("'''"), std::nullopt);
}

}  // namespace
}  // namespace sluice::config
