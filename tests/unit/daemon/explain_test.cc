#include <gtest/gtest.h>

#include "bench.h"
#include "sluice/balance/maglev.h"

namespace sluice::daemon {
namespace {

constexpr std::string_view kTwoPools = R"(
[[port]]
name = "front"
interface = "veth0"
addresses = ["10.1.0.2/24"]
[[listener]]
name = "mqtt"
address = "10.1.0.2:1883"
pool = "by-load"
[[listener]]
name = "other"
address = "10.1.0.2:1884"
pool = "by-ip"
[[pool]]
name = "by-load"
balance = "least_connections"
source_addresses = ["10.1.0.10"]
[[pool.backend]]
name = "b1"
address = "10.1.0.21:1883"
[[pool]]
name = "by-ip"
hash_key = "client_ip"
source_addresses = ["10.1.0.11"]
[[pool.backend]]
name = "drained"
address = "10.1.0.22:1883"
state = "drain"
)";

admin::Question question(const std::string& client_id, const std::string& pool = "",
                         const std::string& listener = "") {
    admin::Question q;
    q.client_id = client_id;
    q.listener = listener;
    q.pool = pool;
    return q;
}

// Through the listener whose pool hashes addresses.
admin::Question from_other(const char* address) {
    admin::Question q = question("sensor-1", "", "other");
    q.address = IpAddress::parse(address);
    return q;
}

std::string refusal(Control& control, const std::string& client_id, const std::string& pool,
                    const std::string& listener) {
    try {
        control.explain(question(client_id, pool, listener));
    } catch (const admin::Refused& refused) {
        return refused.what();
    }
    return "";
}

// A client ID whose first choice is the backend.
std::string id_for(const backend::Pool& pool, std::uint32_t backend) {
    for (int i = 0; i < 1000; ++i) {
        std::string id = "sensor-" + std::to_string(i);
        if (pool.maglev->lookup(balance::key_hash(id)) == backend) return id;
    }
    return "";
}

TEST(Explain, NamesTheFirstChoiceOfTheHash) {
    Bench bench(config_of(kOnePool));
    const std::string id = id_for(bench.control.snapshot().pools[0], 1);
    const admin::Explanation e = bench.control.explain(question(id, "", ""));
    EXPECT_EQ(e.client_id, id);
    EXPECT_EQ(e.pool, "brokers");
    EXPECT_EQ(e.hash, balance::key_hash(id));
    EXPECT_EQ(e.backend, "b2");
    EXPECT_EQ(e.address, SocketAddress::parse("10.1.0.22:1883"));
    EXPECT_TRUE(e.by_key);
    EXPECT_FALSE(e.displaced);
    EXPECT_EQ(e.why, "the first choice of its client_id hash");
}

TEST(Explain, SaysWhyTheFirstChoiceIsPassedOver) {
    Bench bench(config_of(kOnePool));
    const std::string id = id_for(bench.control.snapshot().pools[0], 1);
    bench.control.load().add(0, 1, 5, false);
    const admin::Explanation e = bench.control.explain(question(id, "brokers", ""));
    EXPECT_EQ(e.backend, "b1");
    EXPECT_TRUE(e.displaced);
    EXPECT_EQ(e.why,
              "the first choice of its client_id hash, b2, is at its max_connections; this one is next");
}

TEST(Explain, AnEmptyClientIdGoesByLoad) {
    Bench bench(config_of(kOnePool));
    bench.control.load().add(0, 0, 3, false);
    const admin::Explanation e = bench.control.explain(question("", "", "mqtt"));
    EXPECT_FALSE(e.hash);
    EXPECT_FALSE(e.by_key);
    EXPECT_EQ(e.backend, "b2");
    EXPECT_EQ(e.why, "its client_id is empty, so the least loaded broker is taken");
}

TEST(Explain, SaysWhenThePoolDoesNotLookAtTheClient) {
    Bench bench(config_of(kTwoPools));
    const admin::Explanation e = bench.control.explain(question("sensor-1", "by-load", ""));
    EXPECT_EQ(e.backend, "b1");
    EXPECT_FALSE(e.by_key);
    EXPECT_NE(e.why.find("balance = least_connections"), std::string::npos);
}

TEST(Explain, GoesByTheFirstListenerUnlessNamed) {
    Bench bench(config_of(kTwoPools));
    EXPECT_EQ(bench.control.explain(question("sensor-1", "", "")).pool, "by-load");
}

TEST(Explain, SaysWhenNobodyCanTakeTheClient) {
    Bench bench(config_of(kTwoPools));
    const admin::Explanation e = bench.control.explain(from_other("10.1.0.9"));
    EXPECT_EQ(e.pool, "by-ip");
    EXPECT_FALSE(e.backend);
    EXPECT_FALSE(e.address);
    EXPECT_NE(e.why.find("no broker of the pool takes clients"), std::string::npos);
}

TEST(Explain, RefusesWhatItCannotKnow) {
    Bench bench(config_of(kTwoPools));
    EXPECT_EQ(refusal(bench.control, "a", "nowhere", ""), "no pool is named 'nowhere'; see show pools");
    EXPECT_EQ(refusal(bench.control, "a", "", "nowhere"),
              "no listener is named 'nowhere'; see show listeners");
    EXPECT_NE(refusal(bench.control, "sensor-1", "by-ip", "").find("IP address"), std::string::npos);
}

}  // namespace
}  // namespace sluice::daemon
