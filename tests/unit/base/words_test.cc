#include "sluice/base/words.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using Words = std::vector<std::string>;

TEST(Words, AreSeparatedByBlanks) {
    EXPECT_EQ(split_words("show  connections\tlimit=5 \r"), (Words{"show", "connections", "limit=5"}));
    EXPECT_EQ(split_words("   "), Words{});
}

TEST(Words, MayBeQuotedAsAWholeOrInPart) {
    EXPECT_EQ(split_words(R"(explain "my sensor")"), (Words{"explain", "my sensor"}));
    EXPECT_EQ(split_words(R"(client_id="a b" "")"), (Words{"client_id=a b", ""}));
    EXPECT_EQ(split_words(R"("\"\\\n\t\x41\xfF")"), (Words{"\"\\\n\tA\xff"}));
}

TEST(Words, ABackslashOutsideQuotesIsJustThat) { EXPECT_EQ(split_words(R"(a\nb)"), (Words{R"(a\nb)"})); }

TEST(Words, RefuseWhatIsNotClosedOrNoEscape) {
    for (const char* line : {"\"open", "\"open\\", "\"\\q\"", "\"\\x4", "\"\\x4g\"", "a\"b"}) {
        EXPECT_FALSE(split_words(line)) << line;
    }
}

TEST(Words, AnyWordSurvivesQuoting) {
    std::string every;
    for (int c = 0; c < 256; ++c) every.push_back(static_cast<char>(c));
    for (const std::string& word : {every, std::string(), std::string("plain"), std::string("a b"),
                                    std::string("back\\slash"), std::string("quo\"te")}) {
        const std::string quoted = quote_word(word);
        EXPECT_EQ(quoted.find('\n'), std::string::npos);
        EXPECT_EQ(split_words(quoted), Words{word});
    }
    EXPECT_EQ(quote_word("sensor-1"), "sensor-1");
}

}  // namespace
}  // namespace sluice
