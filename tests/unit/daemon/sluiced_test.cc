// The binary itself: exit codes, and a configuration checked without privileges and before DPDK starts.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace sluice {
namespace {

constexpr const char* kGood = R"([[port]]
name = "front"
interface = "veth0"
addresses = ["10.1.0.2/24"]
[[listener]]
name = "mqtt"
address = "10.1.0.2:1883"
pool = "brokers"
[[pool]]
name = "brokers"
source_addresses = ["10.1.0.10"]
[[pool.backend]]
name = "b1"
address = "10.1.0.21:1883"
)";

struct Ran {
    int code = -1;
    std::string output;  // both streams
};

Ran sluiced(const std::string& arguments) {
    const char* const binary = std::getenv("SLUICED");
    if (binary == nullptr) {
        ADD_FAILURE() << "SLUICED must name the binary";
        return {};
    }
    Ran ran;
    std::FILE* const pipe = ::popen(("'" + std::string(binary) + "' " + arguments + " 2>&1").c_str(), "r");
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) ran.output.push_back(static_cast<char>(c));
    const int status = ::pclose(pipe);
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
}

class File {
  public:
    explicit File(const std::string& text) {
        std::string name = (std::filesystem::temp_directory_path() / "sluiced-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
        directory_ = name;
        std::ofstream(path()) << text;
    }
    ~File() { std::filesystem::remove_all(directory_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    std::string path() const { return directory_ / "sluice.toml"; }

  private:
    std::filesystem::path directory_;
};

TEST(Sluiced, AGoodConfigurationIsGood) {
    const File file(kGood);
    const Ran ran = sluiced("--config " + file.path() + " --check-config");
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.output, file.path() + ": good\n");
}

TEST(Sluiced, EveryProblemOfABadConfigurationIsPrinted) {
    const File file(std::string(kGood) + "wight = 100\n[admin]\nlog = \"loud\"\n");
    for (const char* check : {" --check-config", ""}) {
        const Ran ran = sluiced("--config " + file.path() + check);
        EXPECT_EQ(ran.code, 78);
        EXPECT_NE(ran.output.find(file.path() + ":15: "), std::string::npos) << ran.output;
        EXPECT_NE(ran.output.find("wight"), std::string::npos);
        EXPECT_NE(ran.output.find(file.path() + ":17: "), std::string::npos);
    }
}

TEST(Sluiced, AMissingFileIsAConfigurationFault) {
    const Ran ran = sluiced("--config /nonexistent/sluice.toml --check-config");
    EXPECT_EQ(ran.code, 78);
    EXPECT_NE(ran.output.find("/nonexistent/sluice.toml"), std::string::npos);
}

// Whatever never ends, or never begins.
TEST(Sluiced, WhatIsNoOrdinaryFileIsAConfigurationFault) {
    const File file("");
    std::filesystem::remove(file.path());
    ASSERT_EQ(::mkfifo(file.path().c_str(), 0600), 0);
    for (const std::string& path : {file.path(), std::string("/dev/zero"), std::string("/")}) {
        for (const char* check : {" --check-config", ""}) {
            const Ran ran = sluiced("--config " + path + check);
            EXPECT_EQ(ran.code, 78);
            EXPECT_EQ(ran.output, path +
                                      ": is not a regular file; name a regular file of at most 16 MiB that "
                                      "Sluice may read\n");
        }
    }
}

TEST(Sluiced, AWrongCommandLineIsAUsageFault) {
    EXPECT_EQ(sluiced("--bogus").code, 64);
    EXPECT_EQ(sluiced("--version").code, 0);
    EXPECT_EQ(sluiced("--help").code, 0);
}

}  // namespace
}  // namespace sluice
