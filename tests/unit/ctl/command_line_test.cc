#include "sluice/ctl/command_line.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stop_token>
#include <thread>

#include "sluice/admin/listeners.h"
#include "sluice/admin/server.h"
#include "sluice/ctl/client.h"

namespace sluice::ctl {
namespace {

struct Parsed {
    std::variant<Options, int> result;
    std::string out;
    std::string err;
};

Parsed parsed(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "sluicectl");
    std::ostringstream out;
    std::ostringstream err;
    auto result = parse(static_cast<int>(arguments.size()), arguments.data(), out, err);
    return {std::move(result), out.str(), err.str()};
}

TEST(CommandLine, PassesWordsThrough) {
    const Parsed p = parsed({"--socket", "/tmp/s", "show", "connections", "limit=5", "--json"});
    const auto& options = std::get<Options>(p.result);
    EXPECT_EQ(options.socket, "/tmp/s");
    EXPECT_TRUE(options.json);
    EXPECT_EQ(options.words, (std::vector<std::string>{"show", "connections", "limit=5"}));
}

TEST(CommandLine, HasItsDefaults) {
    const Parsed p = parsed({"explain", "--", "-odd-"});
    const auto& options = std::get<Options>(p.result);
    EXPECT_EQ(options.socket, "/run/sluice/admin.sock");
    EXPECT_FALSE(options.json);
    EXPECT_EQ(options.words, (std::vector<std::string>{"explain", "-odd-"}));
}

TEST(CommandLine, HelpAndVersionAreNoFaults) {
    EXPECT_EQ(std::get<int>(parsed({"--help"}).result), kExitGood);
    EXPECT_NE(parsed({"--help"}).out.find("--socket"), std::string::npos);
    EXPECT_EQ(std::get<int>(parsed({"--version"}).result), kExitGood);
    EXPECT_EQ(parsed({"--version"}).out.substr(0, 10), "sluicectl ");
}

TEST(CommandLine, ADryRunIsAWordOfTheCommand) {
    const Parsed p = parsed({"reload", "--dry-run"});
    EXPECT_EQ(std::get<Options>(p.result).words, (std::vector<std::string>{"reload", "--dry-run"}));
}

TEST(CommandLine, TopHasOptionsOfItsOwn) {
    const Parsed plain = parsed({"top"});
    ASSERT_TRUE(std::get<Options>(plain.result).top);
    EXPECT_EQ(std::get<Options>(plain.result).top->interval, 1);
    EXPECT_FALSE(std::get<Options>(plain.result).top->count);
    EXPECT_FALSE(std::get<Options>(plain.result).top->plain);
    const Parsed full = parsed({"top", "-n", "5", "--interval", "0.5", "--socket", "/s"});
    EXPECT_EQ(std::get<Options>(full.result).top->count, 5U);
    EXPECT_EQ(std::get<Options>(full.result).top->interval, 0.5);
    EXPECT_EQ(std::get<Options>(full.result).socket, "/s");
    const Parsed once = parsed({"top", "--once", "-i", "2"});
    EXPECT_EQ(std::get<Options>(once.result).top->count, 1U);
    EXPECT_TRUE(std::get<Options>(once.result).top->plain);
    EXPECT_EQ(std::get<Options>(once.result).top->interval, 2);
    // A client may have this name.
    EXPECT_FALSE(std::get<Options>(parsed({"explain", "top"}).result).top);
}

TEST(CommandLine, FaultsAreUsageErrors) {
    for (const auto& arguments : {std::vector<const char*>{},
                                  {"--unknown", "show"},
                                  {"--socket"},
                                  {"top", "brokers"},
                                  {"top", "--json"},
                                  {"top", "-n", "0"},
                                  {"top", "-i", "0"},
                                  {"top", "-i", "x"},
                                  {"show", "info", "-n", "2"},
                                  {"--once", "show", "info"}}) {
        const Parsed p = parsed(arguments);
        EXPECT_EQ(std::get<int>(p.result), kExitUsage);
        EXPECT_EQ(p.err.find("sluicectl: "), 0U);
        EXPECT_EQ(p.out, "");
    }
}

// A daemon's admin socket in a thread of its own.
class Daemon {
  public:
    explicit Daemon(admin::Server::Handler handler) {
        std::string name = (std::filesystem::temp_directory_path() / "sluice-ctl-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
        directory_ = name;
        listener_ = std::make_unique<admin::UnixListener>(socket());
        server_ = std::make_unique<admin::Server>(*listener_, std::move(handler));
        thread_ = std::jthread([this](const std::stop_token& stop) {
            while (!stop.stop_requested()) server_->serve(Instant{});
        });
    }
    ~Daemon() {
        thread_.request_stop();
        thread_.join();
        server_.reset();
        listener_.reset();
        std::filesystem::remove_all(directory_);
    }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    std::string socket() const { return directory_ / "admin.sock"; }

  private:
    std::filesystem::path directory_;
    std::unique_ptr<admin::UnixListener> listener_;
    std::unique_ptr<admin::Server> server_;
    std::jthread thread_;
};

struct Ran {
    int code;
    std::string out;
    std::string err;
};

Ran ran(const Options& options) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = run(options, out, err);
    return {code, out.str(), err.str()};
}

TEST(Run, PrintsATableOrJson) {
    const Daemon daemon([](std::string_view) { return R"({"rows":[{"name":"b1","n":1}]})"; });
    const Ran table = ran({.socket = daemon.socket(), .words = {"show", "backends"}, .top = {}});
    EXPECT_EQ(table.code, kExitGood);
    EXPECT_EQ(table.out, "NAME  N\nb1    1\n");
    const Ran json = ran({.socket = daemon.socket(), .json = true, .words = {"show", "backends"}, .top = {}});
    EXPECT_EQ(json.code, kExitGood);
    EXPECT_EQ(nlohmann::json::parse(json.out), nlohmann::json::parse(R"({"rows":[{"name":"b1","n":1}]})"));
    EXPECT_EQ(json.err, "");
}

// Of an older daemon, perhaps, that does not escape it.
TEST(Run, PrintsNothingThatATerminalWouldObey) {
    const Daemon daemon(
        [](std::string_view) { return "{\"rows\":[{\"id\":\"a\x7f\xc2\x9b\xe2\x80\xae\"}]}"; });
    const Ran table = ran({.socket = daemon.socket(), .words = {"show", "connections"}, .top = {}});
    EXPECT_EQ(table.out, "ID\na\\x7f\\xc2\\x9b\\xe2\\x80\\xae\n");
    const Ran json =
        ran({.socket = daemon.socket(), .json = true, .words = {"show", "connections"}, .top = {}});
    EXPECT_NE(json.out.find(R"("a\u007f\u009b\u202e")"), std::string::npos) << json.out;
}

TEST(Run, QuotesWordsSoThatTheyArriveWhole) {
    const Daemon daemon([](std::string_view line) { return nlohmann::json({{"line", line}}).dump(); });
    const Ran r =
        ran({.socket = daemon.socket(), .json = true, .words = {"explain", "my \"sensor\""}, .top = {}});
    EXPECT_EQ(nlohmann::json::parse(r.out)["line"], R"(explain "my \"sensor\"")");
}

TEST(Run, AnErrorGoesToTheErrorStreamAndFails) {
    const Daemon daemon([](std::string_view) { return R"({"error":"no such pool"})"; });
    const Ran r = ran({.socket = daemon.socket(), .words = {"x"}, .top = {}});
    EXPECT_EQ(r.code, kExitRuntime);
    EXPECT_EQ(r.out, "");
    EXPECT_EQ(r.err, "sluicectl: no such pool\n");
}

TEST(Run, AsJsonAnErrorIsAnAnswerLikeOthersButForTheExitCode) {
    const Daemon daemon([](std::string_view) { return R"({"error":"bad","problems":["f:1: x"]})"; });
    const Ran r = ran({.socket = daemon.socket(), .json = true, .words = {"reload"}, .top = {}});
    EXPECT_EQ(r.code, kExitRuntime);
    EXPECT_EQ(nlohmann::json::parse(r.out)["problems"][0], "f:1: x");
    EXPECT_EQ(r.err, "");
}

TEST(Run, TopWithoutADaemonFails) {
    const Ran r = ran({.socket = "/nonexistent/admin.sock",
                       .words = {"top"},
                       .top = TopOptions{.interval = 0.1, .count = 1, .plain = true}});
    EXPECT_EQ(r.code, kExitRuntime);
    EXPECT_EQ(r.out, "");
    EXPECT_NE(r.err.find("no daemon listens"), std::string::npos);
}

TEST(Run, ALargeReplyArrivesWhole) {
    const std::string big(3'000'000, 'x');
    const Daemon daemon([&](std::string_view) { return R"({"t":")" + big + "\"}"; });
    const Ran r = ran({.socket = daemon.socket(), .words = {"x"}, .top = {}});
    EXPECT_EQ(r.out, "t  " + big + "\n");
}

TEST(Run, SaysWhatToDoWhenThereIsNoDaemon) {
    const Ran r = ran({.socket = "/nonexistent/admin.sock", .words = {"x"}, .top = {}});
    EXPECT_EQ(r.code, kExitRuntime);
    EXPECT_EQ(
        r.err,
        "sluicectl: no daemon listens on /nonexistent/admin.sock; start sluiced or give its --socket\n");
}

TEST(Run, AnAnswerThatIsNoJsonFails) {
    const Daemon daemon([](std::string_view) { return "hello"; });
    const Ran r = ran({.socket = daemon.socket(), .words = {"x"}, .top = {}});
    EXPECT_EQ(r.code, kExitRuntime);
    EXPECT_NE(r.err.find("not a JSON object"), std::string::npos);
}

}  // namespace
}  // namespace sluice::ctl
