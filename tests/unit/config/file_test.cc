#include "file.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "sluice/config/reader.h"

namespace sluice::config {
namespace {

constexpr std::size_t kLimit = 1000;

class ReadFile : public testing::Test {
  protected:
    ReadFile() {
        std::string name = testing::TempDir() + "sluice-file-XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~ReadFile() override { std::filesystem::remove_all(folder_); }

    std::string path(const char* name) const { return folder_ + "/" + name; }
    static std::string fault(const std::string& path) {
        std::string out = "as it was";
        const std::string said = read_file(path, kLimit, out);
        EXPECT_EQ(out == "as it was", !said.empty());
        return said;
    }

  private:
    std::string folder_;
};

TEST_F(ReadFile, TakesAllOfAFileUpToItsLimit) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kLimit}) {
        std::ofstream(path("f")) << std::string(size, 'x');
        std::string out;
        EXPECT_EQ(read_file(path("f"), kLimit, out), "");
        EXPECT_EQ(out, std::string(size, 'x'));
    }
    std::ofstream(path("f")) << std::string(kLimit + 1, 'x');
    EXPECT_EQ(fault(path("f")), "holds more than 1000 bytes");
}

TEST_F(ReadFile, FollowsALink) {
    std::ofstream(path("f")) << "x";
    std::filesystem::create_symlink(path("f"), path("link"));
    EXPECT_EQ(fault(path("link")), "");
    std::filesystem::create_symlink(path("round"), path("round"));
    EXPECT_EQ(fault(path("round")), "cannot be read: Too many levels of symbolic links");
    EXPECT_EQ(fault(path("none")), "cannot be read: No such file or directory");
}

// None of these ends, or begins, by itself.
TEST_F(ReadFile, TouchesNothingButOrdinaryFiles) {
    for (const char* const device : {"/dev/zero", "/dev/null", "/dev/full", "/dev/random", "/dev/tty", "/"}) {
        EXPECT_EQ(fault(device), "is not a regular file") << device;
    }
    ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
    EXPECT_EQ(fault(path("pipe")), "is not a regular file");

    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = path("s");
    ASSERT_LT(name.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, name.data(), name.size());
    ASSERT_EQ(::bind(listener, reinterpret_cast<const ::sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(fault(name), "is not a regular file");
    ::close(listener);
}

// The kernel says that these are ordinary and empty.
TEST_F(ReadFile, ReadsWhatTheKernelWritesWithinTheLimit) {
    std::string out;
    EXPECT_EQ(read_file("/proc/self/stat", 4096, out), "");
    EXPECT_FALSE(out.empty());
    EXPECT_EQ(fault("/proc/self/pagemap"), "holds more than 1000 bytes");
    EXPECT_TRUE(fault("/proc/self/mem").starts_with("cannot be read: "));
}

TEST_F(ReadFile, AnEndlessHoleCostsNoMemory) {
    std::ofstream(path("hole")) << "x";
    std::filesystem::resize_file(path("hole"), std::uintmax_t{1} << 40U);
    EXPECT_EQ(fault(path("hole")), "holds more than 1000 bytes");
}

// Somebody appends to it all the time: sooner or later that falls into a reading.
TEST_F(ReadFile, RefusesWhatChangesMeanwhile) {
    constexpr std::size_t kRoom = std::size_t{1} << 30U;
    std::ofstream(path("f")) << std::string(1 << 16, 'x');
    std::atomic<bool> seen = false;
    std::thread writer([&] {
        std::ofstream file(path("f"), std::ios::app);
        for (int i = 0; i < 10'000'000 && !seen; ++i) file << "x" << std::flush;
    });
    std::string said;
    for (int i = 0; i < 1'000'000 && said.empty(); ++i) {
        std::string out;
        said = read_file(path("f"), kRoom, out);
    }
    seen = true;
    writer.join();
    EXPECT_EQ(said, "was changed while it was read; try again when it is complete");
}

std::string only_problem(const LoadResult& result) {
    return result.problems.size() == 1 ? to_string(result.problems[0]) : "not one problem";
}

TEST(Load, SaysWhyAFileCannotBeRead) {
    const auto told = [](const std::string& path) {
        const LoadResult result = load(path);
        EXPECT_FALSE(result.config);
        return only_problem(result);
    };
    const std::string remedy = "; name a regular file of at most 16 MiB that Sluice may read";
    EXPECT_EQ(told("/nonexistent/sluice.toml"),
              "/nonexistent/sluice.toml: cannot be read: No such file or directory" + remedy);
    EXPECT_EQ(told("/"), "/: is not a regular file" + remedy);
    EXPECT_EQ(told("/dev/zero"), "/dev/zero: is not a regular file" + remedy);
}

}  // namespace
}  // namespace sluice::config
