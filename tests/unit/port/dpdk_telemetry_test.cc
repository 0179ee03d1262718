// The telemetry socket of a running EAL, asked as dpdk-telemetry.py asks. Clients take turns: DPDK 22.11
// parts a request by strtok(), so two that arrive at one moment would be mixed up.
#include "sluice/port/dpdk_telemetry.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "sluice/port/dpdk_environment.h"

namespace sluice::port {
namespace {

using Json = nlohmann::json;
using Texts = std::vector<std::string>;

std::filesystem::path folder;

constexpr std::array kCommands{TelemetryCommand{"/sluice/one", "The first. Takes no parameters"},
                               TelemetryCommand{"/sluice/two", "The second"}};

class Client {
  public:
    Client() : fd_(::socket(AF_UNIX, SOCK_SEQPACKET, 0)) {
        ::sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = folder / "dpdk/sluice-test/dpdk_telemetry.v2";
        std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
        EXPECT_EQ(::connect(fd_, reinterpret_cast<const ::sockaddr*>(&address), sizeof address), 0) << path;
        EXPECT_EQ(read()["max_output_len"], 16384);
    }
    ~Client() { ::close(fd_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void send(const std::string& line) const {
        EXPECT_EQ(::send(fd_, line.data(), line.size(), 0), static_cast<ssize_t>(line.size()));
    }
    Json read() const {
        std::array<char, 16384> buffer{};
        const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
        EXPECT_GT(size, 0);
        return Json::parse(buffer.data(), buffer.data() + std::max<ssize_t>(size, 0));
    }
    Json ask(const std::string& line) const {
        send(line);
        Json reply = read();
        return reply.at(line.substr(0, line.find(',')));
    }

  private:
    int fd_;
};

TEST(DpdkTelemetry, EveryKindOfValueArrives) {
    const DpdkTelemetry telemetry(kCommands, [](std::string_view command, std::string_view parameter) {
        return TelemetryDict{{"command", std::string(command)},
                             {"parameter", std::string(parameter)},
                             {"number", std::numeric_limits<std::uint64_t>::max()},
                             {"text", std::string("\"\\ caf\xe9")},
                             {"list", Texts{"a", "b"}},
                             {"nothing", Texts{}},
                             {"dict", TelemetryDict{{"deep", TelemetryDict{{"er", Texts{"c"}}}}}}};
    });
    const Client client;
    EXPECT_EQ(client.ask("/sluice/two,a b,c"), Json::parse(R"({"command": "/sluice/two", "parameter": "a b,c",
        "number": 18446744073709551615, "text": "\"\\ caf\\xe9", "list": ["a", "b"], "nothing": [],
        "dict": {"deep": {"er": ["c"]}}})"));
    EXPECT_EQ(client.ask("/sluice/one")["parameter"], "");
    EXPECT_EQ(client.ask("/help,/sluice/one")["/sluice/one"], "The first. Takes no parameters");
}

// DPDK leaves out in silence what its buffer has no room for.
TEST(DpdkTelemetry, AReplyOfTheLargestSizeArrivesWhole) {
    TelemetryDict large;
    for (int i = 0; i < 200; ++i) {
        large.push_back({"row" + std::to_string(i),
                         TelemetryDict{{"text", std::string(60, '"')}, {"list", Texts(3, "item")}}});
    }
    const TelemetryDict expected = fitted(large);
    const DpdkTelemetry telemetry(kCommands, [&](auto, auto) { return large; });
    const Json reply = Client().ask("/sluice/one");
    ASSERT_EQ(reply.size(), expected.size());
    EXPECT_EQ(reply["left_out"], 200 - (expected.size() - 1));
    EXPECT_GT(reply.dump().size(), kTelemetryReply - 400);
    EXPECT_EQ(reply.at(expected[expected.size() - 3].name).at("text"), std::string(60, '"'));
}

TEST(DpdkTelemetry, AHandlerThatThrowsIsAnError) {
    const DpdkTelemetry telemetry(kCommands,
                                  [](auto, auto) -> TelemetryDict { throw std::runtime_error("no luck"); });
    EXPECT_EQ(Client().ask("/sluice/one"), Json({{"error", "no luck"}}));
}

TEST(DpdkTelemetry, ItsEndWaitsForWhoIsInsideAndLetsNobodyIn) {
    std::promise<void> inside;
    std::promise<void> leave;
    std::atomic<bool> ended = false;
    auto telemetry = std::make_unique<DpdkTelemetry>(kCommands, [&](auto, auto) {
        inside.set_value();
        leave.get_future().wait();
        EXPECT_FALSE(ended);
        return TelemetryDict{{"late", std::uint64_t{1}}};
    });
    const Client early;
    const Client late;
    early.send("/sluice/one");
    inside.get_future().wait();
    std::thread end([&] {
        telemetry.reset();
        ended = true;
    });
    // Another is let in until the end has begun; but it would call set_value() again, which throws.
    while (late.ask("/sluice/one").at("error") != "sluiced is stopping") std::this_thread::yield();
    EXPECT_FALSE(ended);
    leave.set_value();
    end.join();
    EXPECT_EQ(early.read()["/sluice/one"]["late"], 1);
    EXPECT_EQ(early.ask("/sluice/two")["error"], "sluiced is stopping");
}

TEST(DpdkTelemetry, ComesAndGoesUnderRequests) {
    std::atomic<bool> done = false;
    std::atomic<std::uint64_t> answers = 0;
    std::atomic<std::uint64_t> refusals = 0;
    std::thread asking([&] {
        const Client client;
        while (!done) ++(client.ask("/sluice/one").contains("error") ? refusals : answers);
    });
    for (std::uint64_t i = 0; i < 1000 || answers == 0 || refusals == 0; ++i) {
        const auto own = std::make_unique<std::uint64_t>(i);
        {
            const DpdkTelemetry telemetry(kCommands, [&](auto, auto) {
                return TelemetryDict{{"own", *own}};
            });
            std::this_thread::yield();
        }
        std::this_thread::yield();
    }
    done = true;
    asking.join();
}

}  // namespace
}  // namespace sluice::port

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    std::string name = std::filesystem::temp_directory_path() / "sluice-telemetry-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return 1;
    sluice::port::folder = name;
    ::setenv("RUNTIME_DIRECTORY", name.c_str(), 1);
    int result = 1;
    {
        std::string error;
        const auto started = sluice::port::DpdkEnvironment::start({.program = "test_port_telemetry",
                                                                   .file_prefix = "sluice-test",
                                                                   .memory = sluice::port::Memory::Pages},
                                                                  error);
        if (started)
            result = RUN_ALL_TESTS();
        else
            std::fprintf(stderr, "%s\n", error.c_str());
    }
    std::filesystem::remove_all(name);
    return result;
}
