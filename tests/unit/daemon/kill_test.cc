// `kill connection` ends what its filters name, and nothing that they might also mean.
#include <gtest/gtest.h>

#include "clients.h"

namespace sluice::daemon::kill_test {
namespace {

constexpr std::string_view kTwoPools = R"(
[[port]]
name = "front"
interface = "veth0"
addresses = ["10.1.0.2/24"]
[[listener]]
name = "mqtt"
address = "10.1.0.2:1883"
pool = "one"
[[route]]
client_id_prefix = "two-"
pool = "two"
[[pool]]
name = "one"
source_addresses = ["10.1.0.10"]
[[pool.backend]]
name = "b1"
address = "10.1.0.21:1883"
[[pool]]
name = "two"
source_addresses = ["10.1.0.11"]
[[pool.backend]]
name = "b1"
address = "10.1.0.22:1883"
)";

const SocketAddress kFront = *SocketAddress::parse("10.1.0.2:1883");

class Kill : public testing::Test {
  protected:
    void connect(const std::string& client_id) {
        const SocketAddress from{*IpAddress::parse("10.1.0.100"), ++port_};
        clients_.connect(from, kFront, mqtt::test::ConnectParts{.client_id = client_id}.bytes());
    }
    // A client that has said nothing yet.
    void begin() { clients_.connect({*IpAddress::parse("10.1.0.101"), ++port_}, kFront, ""); }
    std::size_t live() { return bench_.controller.connections({}).rows.size(); }
    // How many it killed, or why none.
    std::string kill(const admin::ConnectionFilter& filter) {
        try {
            return std::to_string(bench_.controller.kill_connections(filter));
        } catch (const admin::Refused& refused) {
            return refused.what();
        }
    }

    Bench bench_{config_of(kTwoPools)};
    Clients clients_{bench_};
    std::uint16_t port_ = 20000;
};

TEST_F(Kill, AnEmptyPrefixIsNoWayToNameEverybody) {
    connect("a");
    connect("b");
    admin::ConnectionFilter filter;
    filter.client_id_prefix = "";
    EXPECT_EQ(kill(filter), "an empty client_id_prefix= matches every connection; use another filter");
    EXPECT_EQ(live(), 2U);
    filter.client_id_prefix = "a";
    EXPECT_EQ(kill(filter), "1");
}

TEST_F(Kill, AnEmptyClientIdIsNotThatOfAClientThatHasNotSaidOne) {
    begin();
    connect("");
    connect("a");
    admin::ConnectionFilter filter;
    filter.client_id = "";
    EXPECT_EQ(bench_.controller.connections(filter).rows.size(), 1U);
    EXPECT_EQ(kill(filter), "1");
    EXPECT_EQ(live(), 2U);
}

TEST_F(Kill, ANameOfSeveralPoolsNamesNone) {
    connect("one-1");
    connect("two-1");
    admin::ConnectionFilter filter;
    filter.backend = "b1";
    EXPECT_EQ(bench_.controller.connections(filter).rows.size(), 2U);
    EXPECT_EQ(kill(filter), "several pools have a backend named 'b1'; write POOL/b1");
    EXPECT_EQ(live(), 2U);
    filter.backend = "two/b1";
    EXPECT_EQ(kill(filter), "1");
    EXPECT_EQ(live(), 1U);
}

TEST_F(Kill, WhoHasNoSourceAddressHasNotTheUnspecifiedOne) {
    begin();
    admin::ConnectionFilter filter;
    filter.address = SocketAddress{*IpAddress::parse("::"), 0};
    EXPECT_EQ(kill(filter), "0");
    filter.address = SocketAddress{*IpAddress::parse("0.0.0.0"), 0};
    EXPECT_EQ(kill(filter), "0");
    EXPECT_EQ(live(), 1U);
}

// 128 characters of a client ID are known, of a spliced connection 45.
TEST_F(Kill, ClientIdsThatDifferWhereNothingIsKnownOfThemAreNotKilledTogether) {
    const std::string common(128, 'x');
    connect(common + "-1");
    connect(common + "-2");
    admin::ConnectionFilter filter;
    filter.client_id = common + "-1";
    const std::string why =
        "2 connections match as far as their client IDs are known; choose one by address=";
    EXPECT_EQ(kill(filter), why);
    filter = {};
    filter.client_id_prefix = common + "-1";
    EXPECT_EQ(kill(filter), why);
    EXPECT_EQ(live(), 2U);
    filter.address = SocketAddress{*IpAddress::parse("10.1.0.100"), 20001};
    EXPECT_EQ(kill(filter), "1");
    filter = {};
    filter.client_id = common + "-2";
    EXPECT_EQ(kill(filter), "1");
    EXPECT_EQ(live(), 0U);
}

}  // namespace
}  // namespace sluice::daemon::kill_test
