#include <gtest/gtest.h>

#include "clients.h"
#include "sluice/balance/maglev.h"
#include "sluice/mqtt/writer.h"

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

std::string refusal(Controller& controller, const std::string& client_id, const std::string& pool,
                    const std::string& listener) {
    try {
        controller.explain(question(client_id, pool, listener));
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
    const std::string id = id_for(bench.state.snapshot().pools[0], 1);
    const admin::Explanation e = bench.controller.explain(question(id, "", ""));
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
    const std::string id = id_for(bench.state.snapshot().pools[0], 1);
    bench.state.load().add(0, 1, 5, false);
    const admin::Explanation e = bench.controller.explain(question(id, "brokers", ""));
    EXPECT_EQ(e.backend, "b1");
    EXPECT_TRUE(e.displaced);
    EXPECT_EQ(e.why,
              "the first choice of its client_id hash, b2, is at its max_connections; this one is next");
}

TEST(Explain, AnEmptyClientIdGoesByLoad) {
    Bench bench(config_of(kOnePool));
    bench.state.load().add(0, 0, 3, false);
    const admin::Explanation e = bench.controller.explain(question("", "", "mqtt"));
    EXPECT_FALSE(e.hash);
    EXPECT_FALSE(e.by_key);
    EXPECT_EQ(e.backend, "b2");
    EXPECT_EQ(e.why, "its client_id is empty, so the least loaded broker is taken");
}

TEST(Explain, SaysWhenThePoolDoesNotLookAtTheClient) {
    Bench bench(config_of(kTwoPools));
    const admin::Explanation e = bench.controller.explain(question("sensor-1", "by-load", ""));
    EXPECT_EQ(e.backend, "b1");
    EXPECT_FALSE(e.by_key);
    EXPECT_NE(e.why.find("balance = least_connections"), std::string::npos);
}

TEST(Explain, GoesByTheFirstListenerUnlessNamed) {
    Bench bench(config_of(kTwoPools));
    EXPECT_EQ(bench.controller.explain(question("sensor-1", "", "")).pool, "by-load");
}

TEST(Explain, SaysWhenNobodyCanTakeTheClient) {
    Bench bench(config_of(kTwoPools));
    const admin::Explanation e = bench.controller.explain(from_other("10.1.0.9"));
    EXPECT_EQ(e.pool, "by-ip");
    EXPECT_FALSE(e.backend);
    EXPECT_FALSE(e.address);
    EXPECT_NE(e.why.find("no broker of the pool takes clients"), std::string::npos);
}

TEST(Explain, SaysWhyThereIsNoKey) {
    std::string text(kOnePool);
    text.insert(text.find("source_addresses"), "hash_pattern = \"^plant([0-9]+)\"\n");
    Bench bench(config_of(text));
    EXPECT_EQ(bench.controller.explain(question("sensor-1")).why,
              "hash_pattern finds nothing in its client_id, so the least loaded broker is taken");
    EXPECT_TRUE(bench.controller.explain(question("plant1")).by_key);
}

// The pace is kept by each worker for itself, so explain can tell only that there is one.
TEST(Explain, TellsOfASlowStart) {
    std::string text(kOnePool);
    text.insert(text.find("source_addresses"), "bounded_load = 1\nslow_start = \"1m\"\n");
    Bench bench(config_of(text));
    bench.controller.set_state("b2", admin::Wish::Drain);
    bench.controller.set_state("b2", admin::Wish::Ready);
    bench.pass(20ms);
    const std::string id = id_for(bench.state.snapshot().pools[0], 1);
    const admin::Explanation e = bench.controller.explain(question(id));
    EXPECT_EQ(e.backend, "b2");
    EXPECT_EQ(e.state, "slow-start");
    EXPECT_EQ(e.why,
              "the first choice of its client_id hash; it is in slow start and takes 10 clients a second, "
              "the others go to the next choice");
    // It is passed over for another reason than its pace.
    bench.state.load().add(0, 1, 4, false);
    EXPECT_EQ(bench.controller.explain(question(id)).why,
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
    EXPECT_EQ(refusal(bench.controller, "plant/1", "", ""),
              "route 1 looks at the client's IP address: add address=IP");
    EXPECT_EQ(refusal(bench.controller, "sensor-1", "", ""),
              "");  // no client of an IPv4 listener fits route 2
    admin::Question q = question("plant/1");
    q.address = IpAddress::parse("10.1.0.77");
    EXPECT_EQ(bench.controller.explain(q).pool, "by-load");
}

TEST(Explain, SaysWhomAListenerDoesNotAdmit) {
    std::string text(kTwoPools);
    text.insert(text.find("[[listener]]\nname = \"other\""), "deny = [\"10.1.0.128/25\"]\n");
    Bench bench(config_of(text));
    admin::Question q = question("sensor-1");
    q.address = IpAddress::parse("10.1.0.200");
    const admin::Explanation e = bench.controller.explain(q);
    EXPECT_TRUE(e.refused);
    EXPECT_FALSE(e.backend);
    EXPECT_EQ(e.why, "listener mqtt does not admit its address");
    q.pool = "by-load";  // whatever listeners say
    EXPECT_FALSE(bench.controller.explain(q).refused);
}

TEST(Explain, NoClientOfMqtt31IsWithoutAClientId) {
    Bench bench(config_of(kOnePool));
    admin::Question q = question("");
    q.version = "3.1";
    EXPECT_TRUE(bench.controller.explain(q).refused);
    EXPECT_EQ(bench.controller.explain(q).why, "MQTT 3.1 requires a client ID that is not empty");
}

TEST(Explain, APoolThatGoesByLoadWantsNoAddress) {
    std::string text(kOnePool);
    text.insert(text.find("source_addresses"), "balance = \"round_robin\"\nhash_key = \"client_ip\"\n");
    Bench bench(config_of(text));
    const admin::Explanation e = bench.controller.explain(question("sensor-1"));
    EXPECT_TRUE(e.backend);
    EXPECT_FALSE(e.hash);
}

// A client without an ID is given one by its broker and leaves.
struct GivenId {
    explicit GivenId(std::string_view pool, std::string_view runtime)
        : bench(config_of(pool, runtime)), clients(bench) {
        std::vector<std::byte> connack;
        mqtt::append_connack(connack, mqtt::Version::V5, 0, false, {.assigned_client_id = "auto-1"});
        for (const char* const broker : {"10.1.0.21", "10.1.0.22"}) {
            clients.serve(*IpAddress::parse(broker), std::string(as_text(connack)));
        }
        const auto connect =
            mqtt::write_connect({.version = mqtt::Version::V5, .clean_start = true, .session_expiry = 60});
        socket = &clients.connect(*SocketAddress::parse("10.1.0.77:20000"),
                                  *SocketAddress::parse("10.1.0.2:1883"), as_text(connect));
        at = bench.state.load().connections(0) == 1 ? "b1" : "b2";
    }
    void leave() {
        socket->abort();
        clients.settle();
    }
    admin::Explanation explain() { return bench.controller.explain(question("auto-1")); }

    Bench bench;
    Clients clients;
    test::Socket* socket;
    std::string at;  // the broker's name
};

TEST(Explain, TellsWhereASessionIsRememberedAndForHowLong) {
    for (const char* const runtime : {"workers = 1\n", "workers = 3\n"}) {
        GivenId given(kOnePool, runtime);
        admin::Explanation e = given.explain();
        EXPECT_TRUE(e.remembered);
        EXPECT_FALSE(e.by_key);
        EXPECT_EQ(e.backend, given.at);
        EXPECT_EQ(e.session_at, given.at);
        EXPECT_EQ(e.why, "its session is there, and is remembered as long as it is connected, or for ever");
        EXPECT_EQ(given.bench.controller.info().remembered_sessions, 1U);
        EXPECT_GT(given.bench.controller.info().remembered_bytes, 0U);
        given.leave();
        given.bench.now += 10s;
        given.bench.pass(10ms);
        e = given.explain();
        EXPECT_EQ(e.backend, given.at);
        EXPECT_EQ(e.why, "its session is there, and is remembered for 50 s more");
        given.bench.now += 50s;
        given.bench.pass(10ms);
        e = given.explain();
        EXPECT_FALSE(e.remembered);
        EXPECT_FALSE(e.session_at);
        EXPECT_EQ(e.why, "the first choice of its client_id hash");
    }
}

TEST(Explain, SaysWhyAClientDoesNotGoWhereItsSessionIs) {
    GivenId given(kOnePool, "workers = 2\n");
    given.leave();
    given.bench.controller.set_state(given.at, admin::Wish::Drain);
    given.bench.pass(20ms);
    admin::Explanation e = given.explain();
    EXPECT_FALSE(e.remembered);
    EXPECT_NE(e.backend, given.at);
    EXPECT_EQ(e.session_at, given.at);
    EXPECT_TRUE(e.why.ends_with("; its session is at " + given.at + ", which takes no new clients")) << e.why;
    given.bench.controller.remove_backend(given.at);
    given.bench.pass(20ms);
    e = given.explain();
    EXPECT_FALSE(e.session_at);
    EXPECT_TRUE(e.why.ends_with("; its session was at a broker that is no longer in the pool")) << e.why;
}

// What the address would decide, the session has decided already.
TEST(Explain, AsksForNoAddressWhereTheSessionIsRemembered) {
    std::string text(kOnePool);
    text.insert(text.find("source_addresses"), "hash_key = \"client_ip\"\n");
    GivenId given(text, "workers = 1\n");
    EXPECT_EQ(given.explain().backend, given.at);
    EXPECT_NE(refusal(given.bench.controller, "auto-2", "", "").find("IP address"), std::string::npos);
    given.bench.controller.set_state(given.at, admin::Wish::Drain);
    given.bench.pass(20ms);
    EXPECT_NE(refusal(given.bench.controller, "auto-1", "", "").find("IP address"), std::string::npos);
}

TEST(Explain, RefusesWhatItCannotKnow) {
    Bench bench(config_of(kTwoPools));
    EXPECT_EQ(refusal(bench.controller, "a", "nowhere", ""), "no pool is named 'nowhere'; see show pools");
    EXPECT_EQ(refusal(bench.controller, "a", "", "nowhere"),
              "no listener is named 'nowhere'; see show listeners");
    EXPECT_NE(refusal(bench.controller, "sensor-1", "by-ip", "").find("IP address"), std::string::npos);
}

}  // namespace
}  // namespace sluice::daemon
