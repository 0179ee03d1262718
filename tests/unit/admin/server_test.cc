#include "sluice/admin/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

namespace sluice::admin::server_test {
namespace {

constexpr Instant kStart{1h};

std::string echo(std::string_view line) { return "<" + std::string(line) + ">"; }

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "sluice-admin-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
        path_ = name;
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    std::string file(const char* name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

::sockaddr_un unix_address(const std::string& path) {
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

// The operator's end. Unix sockets deliver within the kernel, so what was sent is there for the next serve().
class Peer {
  public:
    explicit Peer(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
        const ::sockaddr_un address = unix_address(path);
        connected_ = ::connect(fd_, reinterpret_cast<const ::sockaddr*>(&address), sizeof address) == 0;
    }
    ~Peer() { ::close(fd_); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    bool connected() const { return connected_; }
    std::size_t send(std::string_view text) {
        const ::ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
        return n < 0 ? 0 : static_cast<std::size_t>(n);
    }
    void end_input() { ::shutdown(fd_, SHUT_WR); }
    // Everything there is to read; sets closed().
    std::string read() {
        std::string all;
        std::array<char, 65536> buffer{};
        while (true) {
            const ::ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
            if (n == 0) closed_ = true;
            if (n <= 0) return all;
            all.append(buffer.data(), static_cast<std::size_t>(n));
        }
    }
    bool closed() const { return closed_; }

  private:
    int fd_;
    bool connected_ = false;
    bool closed_ = false;
};

struct Bench {
    TemporaryDirectory directory;
    std::string path = directory.file("admin.sock");
    std::vector<std::string> lines;
    UnixListener listener{path};
    Server server{listener, [this](std::string_view line) {
                      lines.emplace_back(line);
                      return reply ? *reply : echo(line);
                  }};
    std::optional<std::string> reply;
    Instant now = kStart;

    bool ready() const {
        ::pollfd p{.fd = server.fd(), .events = POLLIN, .revents = 0};
        return ::poll(&p, 1, 0) == 1;
    }
    void serve() {
        for (int i = 0; i < 1000 && ready(); ++i) server.serve(now);
    }
};

TEST(Server, AnswersOneLineWithOneLine) {
    Bench bench;
    Peer peer(bench.path);
    peer.send("show info\n");
    bench.serve();
    EXPECT_EQ(peer.read(), "<show info>\n");
    EXPECT_FALSE(peer.closed());
    EXPECT_FALSE(bench.ready());
}

TEST(Server, ALineMayArriveInPieces) {
    Bench bench;
    Peer peer(bench.path);
    for (const char c : std::string_view("help\n")) {
        EXPECT_EQ(peer.read(), "");
        peer.send(std::string_view(&c, 1));
        bench.serve();
    }
    EXPECT_EQ(peer.read(), "<help>\n");
}

TEST(Server, SeveralLinesInOnePieceAreAnsweredInOrder) {
    Bench bench;
    Peer peer(bench.path);
    std::string sent;
    std::string expected;
    for (int i = 0; i < 200; ++i) {
        sent += std::to_string(i) + "\n";
        expected += "<" + std::to_string(i) + ">\n";
    }
    peer.send(sent);
    std::string received;
    for (int i = 0; i < 200 && received.size() < expected.size(); ++i) {
        bench.serve();
        received += peer.read();  // a socket holds fewer small replies than these
    }
    EXPECT_EQ(received, expected);
}

TEST(Server, SeveralClientsDoNotDisturbEachOther) {
    Bench bench;
    Peer a(bench.path);
    Peer b(bench.path);
    a.send("from ");
    b.send("b\n");
    bench.serve();
    EXPECT_EQ(b.read(), "<b>\n");
    a.send("a\n");
    bench.serve();
    EXPECT_EQ(a.read(), "<from a>\n");
    EXPECT_EQ(b.read(), "");
    EXPECT_EQ(bench.server.clients(), 2U);
}

TEST(Server, AClientThatEndsItsInputIsStillAnswered) {
    Bench bench;
    Peer peer(bench.path);
    peer.send("help\nunfinished");
    peer.end_input();
    bench.serve();
    EXPECT_EQ(peer.read(), "<help>\n");
    EXPECT_TRUE(peer.closed());
    EXPECT_EQ(bench.lines, std::vector<std::string>{"help"});
    EXPECT_EQ(bench.server.clients(), 0U);
}

TEST(Server, AClientThatLeavesIsForgotten) {
    Bench bench;
    {
        Peer peer(bench.path);
        bench.serve();
        EXPECT_EQ(bench.server.clients(), 1U);
    }
    bench.serve();
    EXPECT_EQ(bench.server.clients(), 0U);
}

TEST(Server, TheLongestLineIsTakenAndALongerOneRefusedOnce) {
    Bench bench;
    Peer peer(bench.path);
    const std::string longest(Server::kMaxLine, 'a');
    peer.send(longest + "\n");
    bench.serve();
    EXPECT_EQ(peer.read(), "<" + longest + ">\n");

    peer.send(longest + "a\nhelp\n");
    bench.serve();
    EXPECT_EQ(peer.read(), "{\"error\":\"the line is longer than 4096 bytes\"}\n<help>\n");

    // Without an end in sight: refused at once, and the rest passed over.
    for (int i = 0; i < 10; ++i) {
        peer.send(longest);
        bench.serve();
    }
    peer.send("tail\nhelp\n");
    bench.serve();
    EXPECT_EQ(peer.read(), "{\"error\":\"the line is longer than 4096 bytes\"}\n<help>\n");
    EXPECT_EQ(bench.lines.size(), 3U);
}

TEST(Server, ASlowReaderIsNotListenedToUntilItHasRead) {
    Bench bench;
    bench.reply = std::string(4'000'000, 'x');
    Peer slow(bench.path);
    Peer quick(bench.path);
    slow.send("one\ntwo\n");
    bench.serve();
    EXPECT_EQ(bench.lines, std::vector<std::string>{"one"});
    EXPECT_FALSE(bench.ready());  // nothing to do: no spinning

    bench.reply.reset();
    quick.send("help\n");
    bench.serve();
    EXPECT_EQ(quick.read(), "<help>\n");

    std::string all;
    for (int i = 0; i < 1000 && !all.ends_with("<two>\n"); ++i) {
        all += slow.read();
        bench.serve();
    }
    EXPECT_EQ(all.size(), 4'000'000 + 1 + std::string_view("<two>\n").size());
}

TEST(Server, AReaderThatStallsIsCutOff) {
    Bench bench;
    bench.reply = std::string(4'000'000, 'x');
    Peer slow(bench.path);
    Peer idle(bench.path);
    slow.send("one\n");
    bench.serve();
    bench.now = kStart + Server::kStallLimit;
    bench.server.serve(bench.now);
    EXPECT_EQ(bench.server.clients(), 2U);
    bench.now += 1s;
    bench.server.serve(bench.now);
    EXPECT_EQ(bench.server.clients(), 1U);  // who asked nothing may stay
    slow.read();
    EXPECT_TRUE(slow.closed());
}

TEST(Server, WhoIsSilentLongestGivesWay) {
    Bench bench;
    std::vector<std::unique_ptr<Peer>> peers;
    for (std::size_t i = 0; i < Server::kMaxClients; ++i) {
        peers.push_back(std::make_unique<Peer>(bench.path));
        bench.serve();
    }
    // One has asked meanwhile, one has sent a part of a line, and the request of a third was not looked at
    // yet.
    peers[0]->send("one\n");
    peers[1]->send("thr");
    bench.serve();
    EXPECT_EQ(peers[0]->read(), "<one>\n");
    peers[2]->send("two\n");
    const Peer extra(bench.path);
    bench.serve();
    EXPECT_EQ(bench.server.displaced(), 1U);
    EXPECT_EQ(bench.server.clients(), Server::kMaxClients);
    EXPECT_EQ(peers[1]->read(), "");
    EXPECT_TRUE(peers[1]->closed());
    EXPECT_EQ(peers[2]->read(), "<two>\n");
    const Peer another(bench.path);
    bench.serve();
    for (const std::size_t i : {0U, 2U, 4U}) {
        peers[i]->read();
        EXPECT_FALSE(peers[i]->closed()) << i;
    }
    peers[3]->read();
    EXPECT_TRUE(peers[3]->closed());
}

TEST(Server, WhoHasAReplyToReadGivesWayLast) {
    Bench bench;
    bench.reply = std::string(4'000'000, 'x');
    Peer slow(bench.path);
    slow.send("one\n");
    bench.serve();
    std::vector<std::unique_ptr<Peer>> peers;
    for (std::size_t i = 0; i < Server::kMaxClients + 10; ++i) {
        peers.push_back(std::make_unique<Peer>(bench.path));
        bench.serve();
    }
    EXPECT_EQ(bench.server.displaced(), 11U);
    std::string all;
    for (int i = 0; i < 1000 && !all.ends_with("\n"); ++i) {
        all += slow.read();
        bench.serve();
    }
    EXPECT_EQ(all.size(), 4'000'001U);
}

TEST(Server, TheSocketFileHasItsModeAndGoesWithTheServer) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("admin.sock");
    {
        const UnixListener listener(path);
        struct ::stat found {};
        ASSERT_EQ(::stat(path.c_str(), &found), 0);
        EXPECT_TRUE(S_ISSOCK(found.st_mode));
        EXPECT_EQ(found.st_mode & 07777U, 0660U);
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Server, MakesAMissingDirectory) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("run/admin.sock");
    const UnixListener listener(path);
    EXPECT_TRUE(Peer(path).connected());
}

TEST(Server, ReplacesASocketThatADeadProcessLeft) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("admin.sock");
    const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const ::sockaddr_un address = unix_address(path);
    ASSERT_EQ(::bind(dead, reinterpret_cast<const ::sockaddr*>(&address), sizeof address), 0);
    ::close(dead);
    ASSERT_TRUE(std::filesystem::exists(path));

    const UnixListener listener(path);
    EXPECT_TRUE(Peer(path).connected());
}

std::string refusal(const std::string& path) {
    try {
        const UnixListener listener(path);
    } catch (const SocketError& error) {
        return error.what();
    }
    return "";
}

TEST(Server, LeavesALiveSocketAlone) {
    Bench bench;
    EXPECT_EQ(refusal(bench.path),
              "admin socket '" + bench.path +
                  "': another daemon is listening on it; stop that one or set another admin.socket");
    Peer peer(bench.path);
    peer.send("help\n");
    bench.serve();
    EXPECT_EQ(peer.read(), "<help>\n");
}

TEST(Server, LeavesAFileThatIsNoSocketAlone) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("admin.sock");
    std::ofstream(path) << "precious";
    EXPECT_NE(refusal(path).find("is not a socket"), std::string::npos);
    EXPECT_EQ(std::filesystem::file_size(path), 8U);
}

TEST(Server, SaysWhyThereCanBeNoSocket) {
    const TemporaryDirectory directory;
    EXPECT_NE(refusal(directory.file("a/b/admin.sock")).find("No such file"), std::string::npos);
    EXPECT_NE(refusal("/tmp/" + std::string(200, 'x')).find("107 bytes"), std::string::npos);
}

TEST(Server, DoesNotRemoveASocketThatTookItsPlace) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("admin.sock");
    auto first = std::make_unique<UnixListener>(path);
    std::filesystem::remove(path);
    const UnixListener second(path);
    first.reset();
    EXPECT_TRUE(Peer(path).connected());
}

}  // namespace
}  // namespace sluice::admin::server_test
