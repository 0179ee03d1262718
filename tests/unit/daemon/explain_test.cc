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

TEST(Explain, SaysWhyThereIsNoKey) {
    std::string text(kOnePool);
    text.insert(text.find("source_addresses"), "hash_pattern = \"^plant([0-9]+)\"\n");
    Bench bench(config_of(text));
    EXPECT_EQ(bench.control.explain(question("sensor-1")).why,
              "hash_pattern finds nothing in its client_id, so the least loaded broker is taken");
    EXPECT_TRUE(bench.control.explain(question("plant1")).by_key);
}

// The pace is kept by each worker for itself, so explain can tell only that there is one.
TEST(Explain, TellsOfASlowStart) {
    std::string text(kOnePool);
    text.insert(text.find("source_addresses"), "bounded_load = 1\nslow_start = \"1m\"\n");
    Bench bench(config_of(text));
    bench.control.set_state("b2", admin::Wish::Drain);
    bench.control.set_state("b2", admin::Wish::Ready);
    bench.pass(20ms);
    const std::string id = id_for(bench.control.snapshot().pools[0], 1);
    const admin::Explanation e = bench.control.explain(question(id));
    EXPECT_EQ(e.backend, "b2");
    EXPECT_EQ(e.state, "slow-start");
    EXPECT_EQ(e.why,
              "the first choice of its client_id hash; it is in slow start, at 10 clients a second, and who "
              "comes in between goes to another one");
    // It is passed over for another reason than its pace.
    bench.control.load().add(0, 1, 4, false);
    EXPECT_EQ(bench.control.explain(question(id)).why,
              "the first choice of its client_id hash, b2, is above its bounded_load; this one is next");
}

TEST(Explain, AsksForAnAddressWhereARouteLooksAtIt) {
    Bench bench(config_of(std::string(kTwoPools) + R"(
[[route]]
client_id_prefix = "plant/"
network = ["10.1.0.0/28"]
pool = "by-ip"
[[route]]
network = ["fd00::/8"]
pool = "by-ip"
)"));
    EXPECT_EQ(refusal(bench.control, "plant/1", "", ""),
              "route 1 looks at the client's IP address: add address=IP");
    EXPECT_EQ(refusal(bench.control, "sensor-1", "", ""), "");  // no client of an IPv4 listener fits route 2
    admin::Question q = question("plant/1");
    q.address = IpAddress::parse("10.1.0.77");
    EXPECT_EQ(bench.control.explain(q).pool, "by-load");
}

TEST(Explain, SaysWhomAListenerDoesNotAdmit) {
    std::string text(kTwoPools);
    text.insert(text.find("[[listener]]\nname = \"other\""), "deny = [\"10.1.0.128/25\"]\n");
    Bench bench(config_of(text));
    admin::Question q = question("sensor-1");
    q.address = IpAddress::parse("10.1.0.200");
    const admin::Explanation e = bench.control.explain(q);
    EXPECT_TRUE(e.refused);
    EXPECT_FALSE(e.backend);
    EXPECT_EQ(e.why, "listener mqtt does not admit its address");
    q.pool = "by-load";  // whatever listeners say
    EXPECT_FALSE(bench.control.explain(q).refused);
}

TEST(Explain, NoClientOfMqtt31IsWithoutAClientId) {
    Bench bench(config_of(kOnePool));
    admin::Question q = question("");
    q.version = "3.1";
    EXPECT_TRUE(bench.control.explain(q).refused);
    EXPECT_EQ(bench.control.explain(q).why, "MQTT 3.1 wants a client ID that is not empty");
}

TEST(Explain, APoolThatGoesByLoadWantsNoAddress) {
    std::string text(kOnePool);
    text.insert(text.find("source_addresses"), "balance = \"round_robin\"\nhash_key = \"client_ip\"\n");
    Bench bench(config_of(text));
    const admin::Explanation e = bench.control.explain(question("sensor-1"));
    EXPECT_TRUE(e.backend);
    EXPECT_FALSE(e.hash);
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
