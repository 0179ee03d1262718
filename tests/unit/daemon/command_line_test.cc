#include "sluice/daemon/command_line.h"

#include <gtest/gtest.h>

#include <sstream>
#include <vector>

namespace sluice::daemon {
namespace {

struct Parsed {
    std::variant<Options, int> result;
    std::string out;
    std::string err;
};

Parsed parsed(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "sluiced");
    std::ostringstream out;
    std::ostringstream err;
    auto result = parse(static_cast<int>(arguments.size()), arguments.data(), out, err);
    return {std::move(result), out.str(), err.str()};
}

TEST(CommandLine, HasItsDefaults) {
    const Parsed p = parsed({});
    EXPECT_EQ(std::get<Options>(p.result).config, "/etc/sluice/sluice.toml");
    EXPECT_FALSE(std::get<Options>(p.result).check_config);
}

TEST(CommandLine, ReadsItsOptions) {
    const Parsed p = parsed({"--config", "/tmp/x.toml", "--check-config"});
    EXPECT_EQ(std::get<Options>(p.result).config, "/tmp/x.toml");
    EXPECT_TRUE(std::get<Options>(p.result).check_config);
}

TEST(CommandLine, HelpAndVersionAreNoFaults) {
    EXPECT_EQ(std::get<int>(parsed({"--help"}).result), kExitGood);
    EXPECT_NE(parsed({"--help"}).out.find("--check-config"), std::string::npos);
    EXPECT_EQ(std::get<int>(parsed({"--version"}).result), kExitGood);
    EXPECT_EQ(parsed({"--version"}).out.find("sluiced "), 0U);
}

TEST(CommandLine, FaultsAreUsageErrorsOfOneLine) {
    for (const auto& arguments : {std::vector<const char*>{"--conf", "x"}, {"--config"}, {"stray"}}) {
        const Parsed p = parsed(arguments);
        EXPECT_EQ(std::get<int>(p.result), kExitUsage);
        EXPECT_EQ(p.err.find("sluiced: "), 0U);
        EXPECT_EQ(p.err.find('\n'), p.err.size() - 1);
        EXPECT_EQ(p.out, "");
    }
}

}  // namespace
}  // namespace sluice::daemon
