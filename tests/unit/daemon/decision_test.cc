// `explain` tells what a worker does: the same clients are asked about and then connected, in situations
// drawn at random, and the reasons that are given hold.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "clients.h"

namespace sluice::daemon {
namespace {

using mqtt::Version;
using mqtt::test::ConnectParts;
using mqtt::test::field;

const SocketAddress kFront = *SocketAddress::parse("10.1.0.2:1883");

class Draw {
  public:
    explicit Draw(unsigned seed) : random_(seed) {}
    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
    template <typename T>
    T one_of(std::initializer_list<T> values) {
        return *(values.begin() + below(static_cast<unsigned>(values.size())));
    }

  private:
    std::mt19937 random_;
};

struct Situation {
    std::string file;
    std::vector<IpAddress> alive;
};

void add_pool(Situation& situation, Draw& draw, unsigned number) {
    std::string& text = situation.file;
    text += fmt::format("[[pool]]\nname = \"p{}\"\nsource_addresses = [\"10.1.0.{}\"]\nretries = 0\n", number,
                        10 + number);
    text += draw.one_of<const char*>({"", "", "", "balance = \"least_connections\"\n",
                                      "balance = \"round_robin\"\n", "balance = \"two_choices\"\n"});
    text += draw.one_of<const char*>({"", "", "hash_key = \"username\"\n", "hash_key = \"client_ip\"\n",
                                      "hash_pattern = \"^([a-z]*)[0-9/]\"\n"});
    text += draw.one_of<const char*>({"", "bounded_load = 1\n", "bounded_load = 1.25\n"});
    text += "on_down = \"keep\"\n[pool.health]\ninterval = \"1s\"\ntimeout = \"100ms\"\n";
    const unsigned backends = 1 + draw.below(5);
    for (unsigned b = 0; b < backends; ++b) {
        const std::string address = fmt::format("10.1.0.{}", 30 + 10 * number + b);
        text += fmt::format("[[pool.backend]]\nname = \"b{}\"\naddress = \"{}:1883\"\n", b, address);
        text += fmt::format("weight = {}\n", draw.one_of({0U, 1U, 50U, 100U, 100U, 100U}));
        text += fmt::format("max_connections = {}\n", draw.one_of({0U, 0U, 2U, 6U}));
        text += fmt::format("state = \"{}\"\n", draw.one_of<const char*>({"up", "up", "up", "up", "drain"}));
        if (draw.below(5) != 0) situation.alive.push_back(*IpAddress::parse(address));
    }
}

Situation situation_of(Draw& draw) {
    Situation situation;
    std::string& text = situation.file;
    text =
        "[[port]]\nname = \"front\"\ninterface = \"veth0\"\naddresses = [\"10.1.0.2/16\"]\n"
        "[[listener]]\nname = \"mqtt\"\naddress = \"10.1.0.2:1883\"\npool = \"p0\"\n";
    text += draw.one_of<const char*>({"", "", "deny = [\"10.1.2.0/24\"]\n"});
    for (unsigned i = draw.below(4); i != 0; --i) {
        text += "[[route]]\n";
        text += draw.one_of<const char*>({"client_id_prefix = \"dev\"\n", "client_id_pattern = \"7$\"\n",
                                          "username = \"joe\"\n", "version = \"5\"\n",
                                          "network = [\"10.1.1.0/24\", \"fd00::/8\"]\n",
                                          "client_id_prefix = \"plant/\"\nnetwork = [\"10.1.3.0/24\"]\n"});
        text += draw.one_of<const char*>(
            {"pool = \"p0\"\n", "pool = \"p1\"\n", "pool = \"p2\"\n", "refuse = \"not_authorized\"\n"});
    }
    for (unsigned p = 0; p < 3; ++p) add_pool(situation, draw, p);
    return situation;
}

struct Client {
    admin::Question question;
    std::string connect;
    SocketAddress from;
};

Client client_of(Draw& draw, unsigned number) {
    Client client;
    const Version version = draw.one_of({Version::V31, Version::V311, Version::V311, Version::V5});
    client.from = {*IpAddress::parse(fmt::format("10.1.{}.{}", 1 + draw.below(4), 1 + number)), 40000};
    client.question.address = client.from.address;
    client.question.version = mqtt::to_string(version);
    client.question.client_id = draw.one_of<std::string>(
        {"", "dev" + std::to_string(draw.below(1000)), "dev/" + std::to_string(number),
         "plant/" + std::to_string(draw.below(100)), "UPPER"});
    ConnectParts parts{.version = version, .client_id = client.question.client_id};
    if (draw.below(3) != 0) {
        client.question.username = draw.one_of<std::string>({"", "joe", "jane", "jim"});
        parts.flags |= 0x80U;
        parts.behind = field(*client.question.username);
    }
    client.connect = parts.bytes();
    return client;
}

// Whether what is said of the key's first choice is so.
void expect_reason(Bench& bench, const admin::Explanation& e) {
    if (!e.displaced) return;
    const backend::Snapshot& snapshot = bench.state.snapshot();
    const auto pool =
        std::ranges::find_if(snapshot.pools, [&](const backend::Pool& p) { return p.config.name == e.pool; });
    const backend::Backend& first = pool->backends[pool->maglev->lookup(*e.hash)];
    const std::uint64_t connections = bench.state.load().connections(first.position);
    EXPECT_NE(e.why.find(", " + first.config.name + ", "), std::string::npos) << e.why;
    const bool drained = first.config.state != config::BackendState::Up;
    const bool full = first.config.max_connections != 0 && connections >= first.config.max_connections;
    const char* const reason = drained          ? "takes no new clients"
                               : !first.healthy ? "is down"
                               : full           ? "is at its max_connections"
                                                : "is above its bounded_load";
    EXPECT_NE(e.why.find(reason), std::string::npos) << e.why << ", but it " << reason;
}

// What came of the client: pool and broker; empty where it was given to none.
using Came = std::pair<std::string, std::string>;
Came came_of(Bench& bench, const SocketAddress& from) {
    admin::ConnectionFilter filter;
    filter.address = from;
    const admin::ConnectionList list = bench.controller.connections(filter);
    if (list.rows.empty() || list.rows[0].backend.empty()) return {};
    return {list.rows[0].pool, list.rows[0].backend};
}

class Decision : public testing::TestWithParam<unsigned> {};

TEST_P(Decision, IsWhatExplainSaid) {
    const CapturedLog log;
    Draw draw(GetParam());
    const Situation situation = situation_of(draw);
    SCOPED_TRACE(situation.file);
    Bench bench(config_of(situation.file));
    Clients world(bench);
    for (const IpAddress& address : situation.alive) world.serve(address);
    world.pass(6s);  // those that are not there are down
    for (const auto& pool : bench.state.snapshot().pools) {
        for (const auto& b : pool.backends) {
            bench.state.load().add(0, b.position, static_cast<std::int32_t>(draw.below(8)), true);
        }
    }
    for (unsigned n = 0; n < 24; ++n) {
        const Client client = client_of(draw, n);
        const admin::Explanation e = bench.controller.explain(client.question);
        expect_reason(bench, e);
        world.connect(client.from, kFront, client.connect);
        const Came came = came_of(bench, client.from);
        SCOPED_TRACE(fmt::format("client {} id '{}' user '{}' version {} from {}: {}", n, e.client_id,
                                 client.question.username.value_or("-"), client.question.version,
                                 client.from.to_string(), e.why));
        if (e.refused || !e.backend) {
            EXPECT_EQ(came, Came());
        } else if (e.by_key) {
            EXPECT_EQ(came, Came(e.pool, *e.backend));
        } else {
            EXPECT_EQ(came.first, e.pool);  // which of them is a matter of load and turn
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Random, Decision, testing::Range(0U, 40U));

}  // namespace
}  // namespace sluice::daemon
