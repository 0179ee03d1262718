#include "nesting.h"

#include <gtest/gtest.h>

#include <string>

#include "sluice/config/reader.h"

namespace sluice::config::nesting_test {
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

std::string only_problem(const LoadResult& result) {
    return result.problems.size() == 1 ? to_string(result.problems[0]) : "not one problem";
}

// The library takes tables apart by recursion: these once ended the process.
TEST(Reader, NestsNoDeeperThanItCanUndo) {
    std::string path;
    for (int i = 0; i < 1'000'000; ++i) path += "a.";
    for (const std::string& text : {"[" + path + "a]\n", path + "a = 1\n", "x = [{" + path + "a = 1}]\n"}) {
        EXPECT_EQ(only_problem(read(text, "f")),
                  "f:1: a key of more than 100 parts; see https://toml.io for the syntax");
    }
}

}  // namespace
}  // namespace sluice::config::nesting_test
