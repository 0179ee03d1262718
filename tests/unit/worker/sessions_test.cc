// A client finds its session again, also where the pool's method would not look for it: at the broker that
// assigned its ID, or that it was sent to when another one was its first choice.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "sluice/mqtt/connack.h"
#include "sluice/mqtt/writer.h"
#include "worker/lab.h"

namespace sluice::test::sessions_test {
namespace {

using mqtt::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Kind {
    unsigned workers;
    bool ipv6;
    bool spliced;
};

// A client's CONNECT.
struct Who {
    std::string id = {};
    Version version = Version::V5;
    bool clean = false;
    std::uint32_t expiry = 3600;  // MQTT 5
    std::optional<std::string_view> username = {};
};

struct Visit {
    Socket* socket = nullptr;
    unsigned broker = 0;
    bool present = false;
    std::string id;  // its own or the one that it was given
};

// Brokers that keep sessions, each its own unless they share them.
struct Farm {
    explicit Farm(const Kind& kind, test::Setup setup = {}, bool shared = false)
        : setup(with(std::move(setup), kind)), lab(this->setup), sessions(lab.brokers.size()) {
        for (unsigned b = 0; b < lab.brokers.size(); ++b) {
            lab.brokers[b]->assigns = "given-by-" + std::to_string(b) + "-";
            lab.brokers[b]->sessions = &sessions[shared ? 0 : b];
            lab.brokers[b]->host.accept_options.sack = kind.spliced;
        }
    }
    static test::Setup with(test::Setup setup, const Kind& kind) {
        setup.workers = kind.workers;
        setup.ipv6 = kind.ipv6;
        return setup;
    }

    Visit connect(const Who& who) {
        std::vector<std::size_t> before;
        for (const auto& b : lab.brokers) before.push_back(b->visits.size());
        Visit visit{.socket = &lab.client(), .broker = 99, .present = false, .id = who.id};
        lab.settle();
        visit.socket->write(mqtt::write_connect({.version = who.version,
                                                 .client_id = who.id,
                                                 .keep_alive = 0,
                                                 .username = who.username,
                                                 .password = {},
                                                 .clean_start = who.clean,
                                                 .session_expiry = who.expiry}));
        lab.run(milliseconds(60));  // the client's ACK of the CONNACK may be late, and splices
        for (unsigned b = 0; b < before.size(); ++b) {
            if (lab.brokers[b]->visits.size() != before[b] && lab.brokers[b]->answers) visit.broker = b;
        }
        const auto result = mqtt::read_connack(as_bytes(visit.socket->received), who.version, 1 << 16);
        const auto* const connack = std::get_if<mqtt::Connack>(&result);
        if (connack == nullptr) return visit;
        EXPECT_TRUE(connack->accepted());
        visit.present = connack->session_present;
        if (connack->assigned_client_id) visit.id = *connack->assigned_client_id;
        return visit;
    }
    void leave(const Visit& visit) {
        visit.socket->abort();
        lab.run(milliseconds(5));
    }
    // connect() and leave().
    Visit come(const Who& who) {
        const Visit visit = connect(who);
        leave(visit);
        return visit;
    }
    // A client without an ID, whose first choice by the ID that it is given is another broker.
    Visit come_without_id(const Who& who = {}) {
        for (int i = 0; i < 100; ++i) {
            const Visit visit = come(who);
            if (home_of(visit.id) != visit.broker) return visit;
        }
        ADD_FAILURE() << "every ID leads to its broker";
        return {};
    }
    unsigned home_of(const std::string& id) const {
        const auto snapshot = backend::build_snapshot(lab.config, {}, 1, nullptr);
        return snapshot->pools[0].maglev->lookup(balance::key_hash(id));
    }
    std::string id_at(unsigned broker, const std::string& word = "own") const {
        for (int i = 0;; ++i) {
            std::string id = word + "-" + std::to_string(i);
            if (home_of(id) == broker) return id;
        }
    }
    std::uint64_t kept() const { return lab.count(Counter::AssignedIdsKept); }
    std::uint64_t found() const { return lab.count(Counter::AssignedIdsFound); }

    test::Setup setup;
    Lab lab;
    std::vector<std::set<std::string>> sessions;
};

class Sessions : public testing::TestWithParam<Kind> {};

// --- assigned IDs ---

TEST_P(Sessions, AClientFindsTheBrokerThatGaveItsId) {
    Farm farm(GetParam());
    std::vector<Visit> first;
    for (int i = 0; i < 30; ++i) first.push_back(farm.come({}));
    EXPECT_EQ(farm.kept(), 30U);
    EXPECT_TRUE(std::ranges::any_of(first, [&](const Visit& v) { return farm.home_of(v.id) != v.broker; }));
    for (int visits = 0; visits < 2; ++visits) {
        for (const Visit& v : first) {
            const Visit again = farm.come({.id = v.id});
            EXPECT_EQ(again.broker, v.broker) << v.id;
            EXPECT_TRUE(again.present) << v.id;
        }
    }
    EXPECT_EQ(farm.kept(), 30U);
    EXPECT_EQ(farm.found(), 60U);
    EXPECT_EQ(farm.lab.count(Counter::Spliced), GetParam().spliced ? 90U : 0U);
    EXPECT_EQ(farm.lab.count(Counter::AssignedIdsLost), 0U);
    farm.lab.run(seconds(3));
    expect_nothing_left(farm.lab);
}

TEST_P(Sessions, EveryMethodAndKeyLeadsBackToIt) {
    for (const char* const method :
         {"balance = \"least_connections\"", "balance = \"round_robin\"", "balance = \"two_choices\"",
          "hash_key = \"username\"", "hash_key = \"client_ip\""}) {
        Farm farm(GetParam(), {.pool = method});
        std::vector<Visit> first;
        // So that loads and turns differ between the first visit and the second.
        for (int i = 0; i < 20; ++i) {
            first.push_back(farm.come({.username = "user"}));
            if (i % 4 == 0) farm.connect({.clean = true, .expiry = 0});
        }
        for (const Visit& v : first) {
            const Visit again = farm.come({.id = v.id, .username = "another"});
            EXPECT_EQ(again.broker, v.broker) << method;
            EXPECT_TRUE(again.present) << method;
        }
    }
}

TEST_P(Sessions, AnAssignedIdMayComeInPieces) {
    Farm farm(GetParam());
    for (const auto& b : farm.lab.brokers) b->answers = false;
    const Visit visit = farm.connect({});
    const auto broker =
        std::ranges::find_if(farm.lab.brokers, [](const auto& b) { return !b->visits.empty(); });
    ASSERT_NE(broker, farm.lab.brokers.end());
    std::vector<std::byte> connack;
    mqtt::append_connack(connack, Version::V5, 0, false, {.assigned_client_id = "in-pieces"});
    for (const std::byte byte : connack) {
        (*broker)->socket_of("")->write(ByteView(&byte, 1));
        farm.lab.run(milliseconds(1));
    }
    EXPECT_EQ(as_bytes(visit.socket->received).size(), connack.size());
    farm.leave(visit);
    (*broker)->sessions->insert("in-pieces");
    for (const auto& b : farm.lab.brokers) b->answers = true;
    EXPECT_TRUE(farm.come({.id = "in-pieces"}).present);
}

TEST_P(Sessions, AnAssignedIdIsKeptAsLongAsItsSession) {
    Farm farm(GetParam());
    const Who who{.expiry = 100};
    const Visit first = farm.connect(who);
    farm.lab.run(seconds(300));  // connected for longer than the session would last
    EXPECT_EQ(farm.connect({.id = first.id, .expiry = 100}).broker, first.broker);
    EXPECT_EQ(farm.found(), 1U);
    for (const auto& s : farm.lab.clients.sockets) s->abort();
    farm.lab.run(seconds(98));
    const Visit again = farm.come({.id = first.id, .expiry = 100});
    EXPECT_TRUE(again.present);
    EXPECT_EQ(farm.found(), 2U);
    farm.lab.run(seconds(102));
    farm.come({.id = first.id, .expiry = 100});
    EXPECT_EQ(farm.found(), 2U);
}

TEST_P(Sessions, TheBrokersWordOnTheExpiryCountsMore) {
    Farm farm(GetParam());
    const auto say = [&](std::optional<std::uint32_t> expiry) {
        for (const auto& b : farm.lab.brokers) b->session_expiry = expiry;
    };
    say(0);
    farm.come({.expiry = 3600});
    EXPECT_EQ(farm.kept(), 0U);
    say(50);
    const Visit asked_for_none = farm.come({.clean = true, .expiry = 0});
    const Visit asked_for_more = farm.come({});
    EXPECT_EQ(farm.kept(), 2U);
    farm.lab.run(seconds(40));
    EXPECT_EQ(farm.come({.id = asked_for_none.id}).broker, asked_for_none.broker);
    EXPECT_EQ(farm.found(), 1U);
    farm.lab.run(seconds(12));
    farm.come({.id = asked_for_more.id});
    EXPECT_EQ(farm.found(), 1U);
    say(session::kNeverExpires);
    const Visit never = farm.come({.expiry = 1});
    farm.lab.run(std::chrono::hours(1));
    EXPECT_TRUE(farm.come({.id = never.id}).present);
    EXPECT_EQ(farm.found(), 2U);
}

TEST_P(Sessions, WithoutASessionThatOutlivesItAnIdIsNotKept) {
    Farm farm(GetParam());
    const Visit first = farm.come({.clean = true, .expiry = 0});
    EXPECT_EQ(farm.kept(), 0U);
    EXPECT_EQ(farm.come({.id = first.id}).broker, farm.home_of(first.id));
    // And one that has come back to end it is forgotten.
    const Visit other = farm.come_without_id();
    EXPECT_EQ(farm.come({.id = other.id, .clean = true, .expiry = 0}).broker, other.broker);
    EXPECT_EQ(farm.come({.id = other.id}).broker, farm.home_of(other.id));
}

TEST_P(Sessions, ASessionThatTheBrokerHasLostIsMadeThereAnew) {
    Farm farm(GetParam());
    const Visit first = farm.come_without_id();
    farm.sessions[first.broker].clear();
    EXPECT_FALSE(farm.come({.id = first.id}).present);
    const Visit again = farm.come({.id = first.id});
    EXPECT_EQ(again.broker, first.broker);
    EXPECT_TRUE(again.present);
}

TEST_P(Sessions, TheEndOfAConnectionThatWasTakenOverEndsNothing) {
    Farm farm(GetParam());
    const Visit first = farm.connect({.expiry = 10});
    const Visit second = farm.connect({.id = first.id, .expiry = 10});
    EXPECT_EQ(second.broker, first.broker);
    farm.leave(first);
    farm.lab.run(seconds(60));
    EXPECT_EQ(farm.connect({.id = first.id, .expiry = 10}).broker, first.broker);
    EXPECT_EQ(farm.found(), 2U);
}

TEST_P(Sessions, WithoutRoomTheOldestIsLostAndCounted) {
    Farm farm(GetParam(), {.max_connections = 12});
    std::vector<Visit> all;
    for (int i = 0; i < 14; ++i) all.push_back(farm.come({}));
    EXPECT_EQ(farm.lab.count(Counter::AssignedIdsLost), 2U);
    for (std::size_t i = 2; i < all.size(); ++i) EXPECT_TRUE(farm.come({.id = all[i].id}).present);
    EXPECT_EQ(farm.found(), 12U);
}

TEST_P(Sessions, SaysWhatItRemembersAndWhatThatTakes) {
    Farm farm(GetParam());
    EXPECT_EQ(farm.lab.workers[0]->totals().remembered, 0U);
    EXPECT_EQ(farm.lab.workers[0]->totals().remembered_bytes, 0U);
    const Visit first = farm.come({.expiry = 100});
    for (const auto& worker : farm.lab.workers) {
        EXPECT_EQ(worker->totals().remembered, 1U);
        EXPECT_LE(worker->totals().remembered_bytes, 48U);
        const auto stay = worker->session_of({.pool = 0, .client_id = first.id});
        ASSERT_TRUE(stay);
        EXPECT_EQ(stay->broker, backend::mark_of(farm.lab.seat_of(first.broker).config.address));
        EXPECT_FALSE(worker->session_of({.pool = 0, .client_id = "another"}));
        EXPECT_FALSE(worker->session_of({.pool = 1, .client_id = first.id}));
    }
}

// --- when the broker cannot take it ---

TEST_P(Sessions, WhileTheBrokerIsDownTheSessionIsMadeElsewhereAndFoundThere) {
    Farm farm(GetParam());
    const Visit first = farm.come_without_id();
    farm.lab.set_down({first.broker});
    const Visit meanwhile = farm.come({.id = first.id});
    EXPECT_NE(meanwhile.broker, first.broker);
    EXPECT_FALSE(meanwhile.present);
    EXPECT_TRUE(farm.come({.id = first.id}).present);
    // The newest session is the one that counts, when the broker is back too.
    farm.lab.set_down({});
    const Visit later = farm.come({.id = first.id});
    EXPECT_EQ(later.broker, meanwhile.broker);
    EXPECT_TRUE(later.present);
}

TEST_P(Sessions, ABrokerThatDoesNotAnswerIsPassedOver) {
    Farm farm(GetParam());
    const Visit first = farm.come_without_id();
    farm.lab.brokers[first.broker]->host.stop_listening(1883);
    const Visit meanwhile = farm.come({.id = first.id});
    EXPECT_NE(meanwhile.broker, first.broker);
    EXPECT_EQ(farm.lab.count(Counter::UpstreamRefused), 1U);
    EXPECT_TRUE(farm.come({.id = first.id}).present);
}

TEST_P(Sessions, ABrokerThatTakesNoNewClientsTakesNoOldOnesEither) {
    for (const char* const line : {"state = \"drain\"\n", "state = \"maintenance\"\n", "weight = 0\n"}) {
        Farm farm(GetParam());
        const Visit first = farm.come_without_id();
        test::Setup setup = farm.setup;
        setup.backend = [&](unsigned b) { return b == first.broker ? line : ""; };
        farm.lab.reload(configuration(setup));
        EXPECT_NE(farm.come({.id = first.id}).broker, first.broker) << line;
        EXPECT_TRUE(farm.come({.id = first.id}).present) << line;
    }
}

TEST_P(Sessions, AFullBrokerIsPassedOver) {
    test::Setup setup;
    setup.backend = [](unsigned) { return "max_connections = 1\n"; };
    Farm farm(GetParam(), setup);
    const Visit first = farm.come_without_id();
    farm.connect({.id = farm.id_at(first.broker), .clean = true, .expiry = 0});
    EXPECT_NE(farm.come({.id = first.id}).broker, first.broker);
}

TEST_P(Sessions, NeitherABoundOnLoadNorASlowStartKeepsAClientFromItsSession) {
    Farm farm(GetParam(), {.pool = "bounded_load = 1.0\n"});
    const Visit first = farm.come_without_id();
    farm.lab.set_down({0, 1, 2});
    std::set<unsigned> others{0, 1, 2};
    others.erase(first.broker);
    farm.lab.set_down(others);
    for (int i = 0; i < 9; ++i) farm.connect({.id = "load-" + std::to_string(i), .clean = true, .expiry = 0});
    farm.lab.set_down({});
    ASSERT_EQ(farm.lab.load(first.broker), 9U);
    EXPECT_TRUE(farm.come({.id = first.id}).present);
}

// --- IDs of the clients' own ---

TEST_P(Sessions, WhoIsWhereItsIdLeadsNeedsNoRemembering) {
    Farm farm(GetParam());
    for (const Version version : {Version::V311, Version::V5}) {
        const std::string id = farm.id_at(1, std::string("home-") + mqtt::to_string(version));
        farm.come({.id = id, .version = version});
        EXPECT_TRUE(farm.come({.id = id, .version = version}).present);
    }
    EXPECT_EQ(farm.kept(), 0U);
    EXPECT_EQ(farm.found(), 0U);
}

TEST_P(Sessions, ASessionMadeAwayFromHomeIsFoundAwayFromHome) {
    Farm farm(GetParam());
    farm.lab.set_down({1});
    std::map<std::string, unsigned> made;
    for (const Version version : {Version::V31, Version::V311, Version::V5}) {
        const std::string id = farm.id_at(1, std::string("away-") + mqtt::to_string(version));
        made[id] = farm.come({.id = id, .version = version}).broker;
        EXPECT_EQ(farm.come({.id = id, .version = version}).broker, made[id]);
    }
    farm.lab.set_down({});
    for (const auto& [id, broker] : made) {
        const bool v31 = id.starts_with("away-3.1-");
        const Visit again = farm.come({.id = id, .version = v31 ? Version::V31 : Version::V311});
        EXPECT_EQ(again.broker, broker);
        EXPECT_EQ(again.present, !v31);  // 3.1 does not say so
    }
    EXPECT_EQ(farm.kept(), 3U);
}

TEST_P(Sessions, WhoLeavesNothingBehindComesHome) {
    Farm farm(GetParam());
    const std::string id = farm.id_at(1);
    farm.lab.set_down({1});
    EXPECT_NE(farm.come({.id = id, .clean = true, .expiry = 0}).broker, 1U);
    farm.lab.set_down({});
    EXPECT_EQ(farm.come({.id = id}).broker, 1U);
    // A session that was made away is ended there, and then its client comes home as well.
    farm.lab.set_down({1});
    const Visit away = farm.come({.id = id});
    farm.lab.set_down({});
    EXPECT_EQ(farm.come({.id = id, .clean = true, .expiry = 0}).broker, away.broker);
    EXPECT_FALSE(farm.sessions[away.broker].contains(id));
    EXPECT_EQ(farm.come({.id = id}).broker, 1U);
    // And so does one whose session has expired.
    farm.lab.set_down({1});
    farm.come({.id = id, .expiry = 60});
    farm.lab.set_down({});
    farm.lab.run(seconds(62));
    EXPECT_EQ(farm.come({.id = id}).broker, 1U);
}

TEST_P(Sessions, WhereBrokersShareTheirSessionsClientsComeHome) {
    Farm farm(GetParam(), {}, true);
    const std::string id = farm.id_at(1);
    farm.come({.id = id});
    farm.lab.set_down({1});
    EXPECT_TRUE(farm.come({.id = id}).present);
    EXPECT_EQ(farm.kept(), 0U);
    farm.lab.set_down({});
    EXPECT_EQ(farm.come({.id = id}).broker, 1U);
}

TEST_P(Sessions, AMethodThatDoesNotLookAtClientsFindsTheirSessionsToo) {
    for (const char* const method : {"balance = \"least_connections\"", "balance = \"round_robin\"",
                                     "balance = \"two_choices\"", "hash_key = \"username\""}) {
        Farm farm(GetParam(), {.pool = method});
        std::map<std::string, unsigned> made;
        for (int i = 0; i < 12; ++i) {
            const std::string id = "own-" + std::to_string(i);
            made[id] = farm.come({.id = id}).broker;
            if (i % 4 == 0) farm.connect({.id = "load-" + id, .clean = true, .expiry = 0});
        }
        for (const auto& [id, broker] : made) {
            const Visit again = farm.come({.id = id});
            EXPECT_EQ(again.broker, broker) << method;
            EXPECT_TRUE(again.present) << method;
        }
    }
}

// Where the key is a user's name or an address, clients of the same ID may be several.
TEST_P(Sessions, OfTwoClientsWithTheSameIdEachFindsItsOwn) {
    Farm farm(GetParam(), {.pool = "hash_key = \"username\""});
    std::vector<std::string> users;  // one whose home is each broker
    for (unsigned b = 0; b < 3; ++b) users.push_back(farm.id_at(b, "user"));
    farm.lab.set_down({0});
    const Visit away = farm.come({.id = "same", .username = users[0]});
    EXPECT_NE(away.broker, 0U);
    const unsigned other = away.broker == 1 ? 2 : 1;
    EXPECT_EQ(farm.come({.id = "same", .username = users[other]}).broker, other);
    farm.lab.set_down({});
    EXPECT_EQ(farm.come({.id = "same", .username = users[0]}).broker, away.broker);
    EXPECT_EQ(farm.come({.id = "same", .username = users[other]}).broker, other);
    EXPECT_EQ(farm.kept(), 1U);
}

// --- reloads ---

TEST_P(Sessions, AreFoundAfterReloadsThatChangeWeightsNamesAndNumbers) {
    Farm farm(GetParam());
    const Visit first = farm.come_without_id();
    test::Setup setup = farm.setup;
    setup.brokers = 3;
    config::Config wanted = farm.lab.config;
    for (unsigned b = 0; b < 3; ++b) {
        wanted.pools[0].backends[b].name = "renamed-" + std::to_string(2 - b);
        wanted.pools[0].backends[b].weight = b == first.broker ? 1 : 1000;
    }
    std::ranges::reverse(wanted.pools[0].backends);
    farm.lab.reload(wanted);
    const Visit again = farm.come({.id = first.id});
    EXPECT_EQ(again.broker, first.broker);
    EXPECT_TRUE(again.present);
}

TEST_P(Sessions, OfABrokerThatIsRemovedAreForgottenUnlessItIsTakenBack) {
    Farm farm(GetParam());
    const Visit gone = farm.come_without_id();
    const Visit back = [&] {
        for (;;) {
            const Visit v = farm.come_without_id();
            if (v.broker == gone.broker) return v;
        }
    }();
    const config::Config all = farm.lab.config;
    config::Config fewer = all;
    fewer.pools[0].backends.erase(fewer.pools[0].backends.begin() + gone.broker);
    farm.lab.reload(fewer);
    farm.lab.forget_the_gone();
    EXPECT_NE(farm.come({.id = gone.id}).broker, gone.broker);
    EXPECT_TRUE(farm.come({.id = gone.id}).present);
    // Another one in its place is not it.
    config::Config other = fewer;
    other.pools[0].backends.push_back(all.pools[0].backends[gone.broker]);
    other.pools[0].backends.back().address.port = 1884;
    farm.lab.brokers[gone.broker]->host.listen(1884, [](Socket& s) { s.abort(); });
    farm.lab.reload(other);
    EXPECT_TRUE(farm.come({.id = gone.id}).present);
    farm.lab.reload(all);
    const Visit again = farm.come({.id = back.id});
    EXPECT_EQ(again.broker, back.broker);
    EXPECT_TRUE(again.present);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Sessions,
                         testing::Values(Kind{1, false, true}, Kind{1, true, false}, Kind{3, false, false},
                                         Kind{3, true, true}),
                         [](const auto& info) {
                             return std::to_string(info.param.workers) + (info.param.ipv6 ? "Ipv6" : "Ipv4") +
                                    (info.param.spliced ? "Spliced" : "Relayed");
                         });

}  // namespace
}  // namespace sluice::test::sessions_test
