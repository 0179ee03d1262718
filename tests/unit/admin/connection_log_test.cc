#include "sluice/admin/connection_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace sluice::admin {
namespace {

using nlohmann::json;

ConnectionEnd some_end() {
    return {{.listener = "mqtt",
             .pool = "brokers",
             .backend = "b1",
             .client = *SocketAddress::parse("10.1.0.9:40000"),
             .source = SocketAddress::parse("10.2.0.10:1024"),
             .client_id = "sensor \"1\"\n",
             .version = "3.1.1",
             .keep_alive = 60,
             .persistent = true,
             .bytes_from_client = 5'000'000'000,
             .bytes_from_broker = 7,
             .age = std::chrono::milliseconds(90'250)},
            std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'007)),
            "closed_idle"};
}

// A folder of its own that goes with it.
class Folder {
  public:
    Folder() {
        std::string name = testing::TempDir() + "sluice-log-XXXXXX";
        path_ = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string file(const char* name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

std::string content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

TEST(ConnectionLog, ALineIsOneJsonObject) {
    const std::string line = to_line(some_end());
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(json::parse(line), json({{"time", "2023-11-14T22:13:20.007Z"},
                                       {"reason", "closed_idle"},
                                       {"listener", "mqtt"},
                                       {"pool", "brokers"},
                                       {"backend", "b1"},
                                       {"client", "10.1.0.9:40000"},
                                       {"source", "10.2.0.10:1024"},
                                       {"client_id", "sensor \"1\"\n"},
                                       {"version", "3.1.1"},
                                       {"keep_alive_seconds", 60},
                                       {"persistent", true},
                                       {"from_client_bytes", 5'000'000'000},
                                       {"from_broker_bytes", 7},
                                       {"duration_seconds", 90.25}}));
}

TEST(ConnectionLog, WhatIsNotKnownIsNullAndTextIsMadeValid) {
    ConnectionEnd end = some_end();
    end.pool = end.backend = end.version = "";
    end.source.reset();
    end.client_id = "caf\xe9";
    end.client_id_cut = true;
    const json line = json::parse(to_line(end));
    for (const char* key : {"pool", "backend", "version", "source"}) EXPECT_TRUE(line[key].is_null()) << key;
    EXPECT_EQ(line["client_id"], "caf\xef\xbf\xbd");
    EXPECT_EQ(line["client_id_cut"], true);
}

TEST(ConnectionLog, AppendsAndFollowsItsFileWhenThatIsRotated) {
    const Folder folder;
    const std::string path = folder.file("log");
    std::ofstream(path) << "before\n";
    ConnectionLog log;
    log.open(path);
    ASSERT_EQ(log.fault(), "");
    log.append(some_end());
    EXPECT_EQ(content(path), "before\n");  // kept until flush()
    log.flush();
    const std::string line = to_line(some_end()) + "\n";
    EXPECT_EQ(content(path), "before\n" + line);

    std::filesystem::rename(path, folder.file("log.1"));
    log.append(some_end());
    log.open(path);
    ASSERT_EQ(log.fault(), "");  // what was kept went to where it belongs
    log.append(some_end());
    log.flush();
    EXPECT_EQ(content(folder.file("log.1")), "before\n" + line + line);
    EXPECT_EQ(content(path), line);
    struct stat facts {};
    ASSERT_EQ(::stat(path.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U & ~0640U, 0U);
    EXPECT_EQ(log.lost(), 0U);
}

TEST(ConnectionLog, GoesOnWithTheOldFileUntilTheNewOneCanBeHad) {
    const Folder folder;
    const std::string line = to_line(some_end()) + "\n";
    ConnectionLog log;
    log.open(folder.file("log"));
    ASSERT_EQ(log.fault(), "");
    log.open(folder.file("later/log"));
    EXPECT_EQ(log.fault(), "cannot be opened: No such file or directory");
    log.append(some_end());
    log.flush();
    EXPECT_EQ(content(folder.file("log")), line);
    EXPECT_EQ(log.fault(), "cannot be opened: No such file or directory");
    std::filesystem::create_directory(folder.file("later"));
    log.append(some_end());
    log.flush();
    EXPECT_EQ(content(folder.file("log")), line);
    EXPECT_EQ(content(folder.file("later/log")), line);
    EXPECT_EQ(log.fault(), "");
    log.open("");
    log.append(some_end());  // to nowhere, which is what was asked for
    log.flush();
    EXPECT_EQ(log.fault(), "");
    EXPECT_EQ(log.lost(), 0U);
}

TEST(ConnectionLog, KeepsItsLinesUntilThereIsAFile) {
    const Folder folder;
    const std::string line = to_line(some_end()) + "\n";
    ConnectionLog log;
    log.open(folder.file("later/log"));
    log.append(some_end());
    log.flush();
    EXPECT_EQ(log.kept(), 1U);
    std::filesystem::create_directory(folder.file("later"));
    log.flush();
    EXPECT_EQ(content(folder.file("later/log")), line);
    EXPECT_EQ(log.kept(), 0U);
    EXPECT_EQ(log.lost(), 0U);
}

// A pipe whose reader is slow: lines are kept up to the bound, then counted as lost, and none is cut in two.
TEST(ConnectionLog, IsBoundedAndCountsWhatIsLost) {
    const Folder folder;
    const std::string path = folder.file("pipe");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    ASSERT_GE(reader, 0);
    ConnectionLog log;
    log.open(path);
    ASSERT_EQ(log.fault(), "");
    const std::size_t size = to_line(some_end()).size() + 1;
    const std::size_t count = 2 * ConnectionLog::kBuffer / size;
    for (std::size_t i = 0; i < count; ++i) {
        log.append(some_end());
        if (i % 1000 == 0) log.flush();
    }
    EXPECT_GT(log.lost(), count / 4);
    std::string text;
    for (int turn = 0; turn < 1000; ++turn) {
        char block[65536];
        const ::ssize_t n = ::read(reader, block, sizeof block);
        if (n > 0) text.append(block, static_cast<std::size_t>(n));
        log.flush();
    }
    ::close(reader);
    EXPECT_EQ(text.size(), (count - log.lost()) * size);
    EXPECT_TRUE(text.ends_with("}\n"));
}

TEST(ConnectionLog, WhatAFileHasNotTakenGoesToTheNextInWholeLines) {
    const Folder folder;
    const std::string pipe = folder.file("pipe");
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
    ASSERT_GE(reader, 0);
    ConnectionLog log;
    log.open(pipe);
    const std::string line = to_line(some_end()) + "\n";
    for (int i = 0; i < 1000; ++i) log.append(some_end());
    log.open(folder.file("log"));
    log.flush();
    char block[65536];
    const ::ssize_t taken = ::read(reader, block, sizeof block);
    ::close(reader);
    const std::size_t begun = static_cast<std::size_t>(taken) / line.size() + 1;
    ASSERT_NE(static_cast<std::size_t>(taken) % line.size(), 0U) << "the pipe has a part of a line";
    EXPECT_EQ(log.lost(), 1U);
    EXPECT_EQ(log.kept(), 0U);
    const std::string rest = content(folder.file("log"));
    EXPECT_EQ(rest.size(), (1000 - begun) * line.size());
    EXPECT_TRUE(rest.starts_with(line) && rest.ends_with(line));
}

// A reader that leaves has read a part of a line; what follows it is whole for the next one.
TEST(ConnectionLog, ALineIsWholeForTheNextReaderOfAPipe) {
    const Folder folder;
    const std::string pipe = folder.file("pipe");
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const int first = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
    ASSERT_GE(first, 0);
    ConnectionLog log;
    log.open(pipe);
    const std::string line = to_line(some_end()) + "\n";
    for (int i = 0; i < 1000; ++i) log.append(some_end());
    log.flush();  // as much as the pipe holds, to somewhere in a line
    const std::uint64_t taken = 1000 - log.kept();
    ::close(first);
    auto* const old_handler = std::signal(SIGPIPE, SIG_IGN);
    log.flush();
    std::signal(SIGPIPE, old_handler);
    EXPECT_EQ(log.fault(), "cannot be written: Broken pipe");
    EXPECT_EQ(log.lost(), 1U);
    const int second = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
    ASSERT_GE(second, 0);
    std::string text;
    for (int turn = 0; turn < 100; ++turn) {
        log.flush();
        EXPECT_EQ(log.fault(), "");
        char block[65536];
        const ::ssize_t n = ::read(second, block, sizeof block);
        if (n > 0) text.append(block, static_cast<std::size_t>(n));
    }
    ::close(second);
    EXPECT_EQ(log.lost(), 1U);
    const std::size_t torn = text.find('\n', taken * line.size());
    ASSERT_NE(torn, std::string::npos);
    EXPECT_LT(torn, (taken + 1) * line.size());
    EXPECT_EQ(text.size() - torn - 1, (1000 - taken - 1) * line.size());
    EXPECT_TRUE(text.substr(torn + 1).starts_with(line + line));
}

TEST(ConnectionLog, KeepsWhatASlowReaderHasNotTakenWhenItIsTheSamePipe) {
    const Folder folder;
    const std::string pipe = folder.file("pipe");
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
    ASSERT_GE(reader, 0);
    ConnectionLog log;
    log.open(pipe);
    ASSERT_EQ(log.fault(), "");
    const std::string line = to_line(some_end()) + "\n";
    for (int i = 0; i < 1000; ++i) log.append(some_end());
    log.flush();  // as much as the pipe holds, to somewhere in a line
    log.open(pipe);
    ASSERT_EQ(log.fault(), "");
    std::string text;
    for (int turn = 0; turn < 100; ++turn) {
        char block[65536];
        const ::ssize_t n = ::read(reader, block, sizeof block);
        if (n > 0) text.append(block, static_cast<std::size_t>(n));
        log.flush();
    }
    ::close(reader);
    EXPECT_EQ(log.lost(), 0U);
    EXPECT_EQ(text.size(), 1000 * line.size());
    EXPECT_TRUE(text.ends_with("\n" + line));
}

TEST(ConnectionLog, KeepsTheLinesThatAFullDiskDoesNotTake) {
    const Folder folder;
    const std::string line = to_line(some_end()) + "\n";
    ConnectionLog log;
    log.open("/dev/full");
    EXPECT_EQ(log.fault(), "");
    log.append(some_end());
    log.append(some_end());
    log.flush();
    EXPECT_EQ(log.fault(), "cannot be written: No space left on device");
    EXPECT_EQ(log.kept(), 2U);
    EXPECT_EQ(log.lost(), 0U);
    log.open(folder.file("log"));
    EXPECT_EQ(log.fault(), "");
    log.flush();
    EXPECT_EQ(content(folder.file("log")), line + line);
    EXPECT_EQ(log.kept(), 0U);
}

TEST(ConnectionLog, CountsWhatAFullDiskLeavesNoMemoryFor) {
    const Folder folder;
    ConnectionLog log;
    log.open("/dev/full");
    const std::size_t count = ConnectionLog::kBuffer / (to_line(some_end()).size() + 1) + 100;
    for (std::size_t i = 0; i < count; ++i) log.append(some_end());
    log.flush();
    EXPECT_GT(log.lost(), 90U);
    EXPECT_EQ(log.kept() + log.lost(), count);
    const std::uint64_t kept = log.kept();
    log.open("");
    EXPECT_EQ(log.lost(), count);
    EXPECT_EQ(log.kept(), 0U);
    EXPECT_GT(kept, 0U);
}

TEST(ConnectionLog, ALineIsWholeWhateverWasBeforeAndHoweverItIsTaken) {
    const Folder folder;
    const std::string path = folder.file("log");
    std::ofstream(path) << "cut";  // by a process that was killed
    const std::string line = to_line(some_end()) + "\n";
    ConnectionLog log;
    log.open(path);
    ASSERT_EQ(log.fault(), "");
    log.append(some_end());
    log.flush();
    EXPECT_EQ(content(path), "cut\n" + line);

    // A disk with room for half of the second line, and then for the rest.
    const std::size_t room = content(path).size() + line.size() + line.size() / 2;
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    auto* const old_handler = std::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit narrow { room, before.rlim_max };
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &narrow), 0);
    log.append(some_end());
    log.append(some_end());
    log.flush();
    log.flush();
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, old_handler);
    EXPECT_EQ(log.fault(), "cannot be written: File too large");
    log.append(some_end());
    log.flush();
    EXPECT_EQ(log.fault(), "");
    EXPECT_EQ(log.lost(), 0U);
    EXPECT_EQ(content(path), "cut\n" + line + line + line + line);
}

// xterm and others take U+009B for ESC [, and some signs turn the line around.
TEST(ConnectionLog, HoldsNothingThatATerminalWouldObey) {
    ConnectionEnd end = some_end();
    end.client_id = "a\x7f\xc2\x9b\xe2\x80\xae\x1b[2Jb";
    const std::string line = to_line(end);
    EXPECT_NE(line.find(R"("client_id":"a\u007f\u009b\u202e\u001b[2Jb")"), std::string::npos) << line;
    EXPECT_EQ(json::parse(line)["client_id"], end.client_id);
}

}  // namespace
}  // namespace sluice::admin
