#include "sluice/ctl/render.h"

#include <gtest/gtest.h>

namespace sluice::ctl {
namespace {

std::string rendered(const char* text) { return render(nlohmann::ordered_json::parse(text)); }

TEST(Render, RowsBecomeATableWithUnits) {
    EXPECT_EQ(rendered(R"({"connections":[
                  {"id":1,"client_id":"a","from_client_bytes":2048,"age_seconds":75,"backend":null},
                  {"id":22,"client_id":"bb","from_client_bytes":5,"age_seconds":0.5,"backend":"b1"}],
                  "truncated":true})"),
              "ID  CLIENT ID  FROM CLIENT       AGE  BACKEND\n"
              " 1  a              2.0 KiB    1m 15s  -\n"
              "22  bb                 5 B  500.0 ms  b1\n"
              "more would match: narrow the filter or raise limit=\n");
}

TEST(Render, ColumnsThatAreNullEverywhereAreLeftOut) {
    EXPECT_EQ(rendered(R"({"rows":[{"a":1,"b":null,"c":null},{"a":2,"b":null,"c":"x"}]})"),
              "A  C\n1  -\n2  x\n");
}

TEST(Render, AKeyThatOnlySomeRowsHaveIsShown) {
    EXPECT_EQ(rendered(R"({"rows":[{"a":1},{"a":2,"cut":true}]})"), "A  CUT\n1\n2  yes\n");
}

TEST(Render, SmallObjectsAreOneCell) {
    EXPECT_EQ(rendered(R"({"rows":[{"name":"b1","leases":{"leased":1,"rest":null,"wait_seconds":2}}]})"),
              "NAME  LEASES\nb1    leased 1, wait 2.0 s\n");
}

TEST(Render, SmallObjectsLeaveOutWhatIsIdle) {
    EXPECT_EQ(rendered(R"({"rows":[
                  {"name":"b1","health":{"probed":true,"failures":0,"last_failure":"none","latency_seconds":0.002}},
                  {"name":"b2","health":{"probed":false,"failures":0}}]})"),
              "NAME  HEALTH\nb1    probed, latency 2.0 ms\nb2    -\n");
}

TEST(Render, LargeObjectsBecomeATableOfTheirOwn) {
    EXPECT_EQ(rendered(R"({"ports":[{"name":"front","statistics":
                  {"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g_bytes":1024}}]})"),
              "NAME\nfront\n\n"
              "NAME   ITEM    VALUE\n"
              "front  a           1\n"
              "front  b           2\n"
              "front  c           3\n"
              "front  d           4\n"
              "front  e           5\n"
              "front  f           6\n"
              "front  g     1.0 KiB\n");
}

TEST(Render, WhatIsNestedTwiceIsForJson) {
    EXPECT_EQ(rendered(R"({"rows":[{"name":"b1","tally":{"connects":1,"latency":{"sum_seconds":1}}},
                                   {"name":"b2","tally":{"connects":1,"answers":[{"code":"0x00"}],
                                    "a":1,"b":1,"c":1,"d":1,"e":1}}]})"),
              "NAME\nb1\nb2\n");
}

TEST(Render, AReloadIsTwoTables) {
    EXPECT_EQ(rendered(R"({"reload":{"applied":true,"changes":[
                  {"what":"backend brokers/b3","kind":"added"},
                  {"what":"pool brokers","kind":"changed","key":"drain_rate","from":"1000","to":"200"},
                  {"what":"port front","kind":"changed","key":"gateway","from":"","to":"[\"10.1.0.9\"]"}],
                  "moves":[{"pool":"brokers","moved_share":0.25345}]}})"),
              "WHAT                KIND     KEY         FROM  TO\n"
              "backend brokers/b3  added\n"
              "pool brokers        changed  drain_rate  1000  200\n"
              "port front          changed  gateway           [\"10.1.0.9\"]\n"
              "\n"
              "POOL     CLIENT IDS THAT MOVE\n"
              "brokers                25.3 %\n"
              "\n"
              "this is in force now\n");
}

TEST(Render, ADryRunSaysThatNothingHasChanged) {
    EXPECT_EQ(rendered(R"({"reload":{"applied":false,"changes":[{"what":"route 1","kind":"removed"}],
                           "moves":[]}})"),
              "WHAT     KIND     KEY  FROM  TO\nroute 1  removed\n\na dry run: nothing has changed\n");
    EXPECT_EQ(rendered(R"({"reload":{"applied":false,"changes":[],"moves":[]}})"), "nothing would change\n");
    EXPECT_EQ(rendered(R"({"reload":{"applied":true,"changes":[],"moves":[]}})"), "nothing has changed\n");
}

TEST(Render, StatesAndNumbersAreLines) {
    EXPECT_EQ(rendered(R"({"backend":"b1","state":"drain"})"), "backend  b1\nstate    drain\n");
    EXPECT_EQ(rendered(R"({"killed":3})"), "killed  3\n");
}

TEST(Render, AConfigurationIsTheFileThatSaysIt) {
    EXPECT_EQ(rendered(R"({"config":{
                  "runtime":{"workers":2,"cores":null,"eal":["-n4"]},
                  "port":[{"name":"front","mtu":1500},{"name":"back","mtu":9000}],
                  "route":[],
                  "pool":[{"name":"p","bounded_load":1.25,"health":{"type":"tcp","path":null},
                           "backend":[{"name":"b1"},{"name":"b\u007f\"2"}]}]}})"),
              "[runtime]\nworkers = 2\neal = [\"-n4\"]\n\n"
              "[[port]]\nname = \"front\"\nmtu = 1500\n\n"
              "[[port]]\nname = \"back\"\nmtu = 9000\n\n"
              "[[pool]]\nname = \"p\"\nbounded_load = 1.25\n\n"
              "[pool.health]\ntype = \"tcp\"\n\n"
              "[[pool.backend]]\nname = \"b1\"\n\n"
              "[[pool.backend]]\nname = \"b\\u007f\\\"2\"\n");
}

TEST(RenderRefusal, ProblemsAreLinesOfTheirOwn) {
    EXPECT_EQ(render_refusal(nlohmann::ordered_json::parse(
                  R"({"error":"the configuration has 2 problems; nothing has changed",
                      "problems":["f:3: a: bad","f:4: \u001b[2J"]})")),
              "sluicectl: the configuration has 2 problems; nothing has changed\n"
              "f:3: a: bad\nf:4: \\x1b[2J\n");
    EXPECT_EQ(render_refusal({{"error", "no"}}), "sluicectl: no\n");
}

TEST(Render, AnObjectOrScalarsBecomeOneLineEach) {
    EXPECT_EQ(rendered(R"({"info":{"version":"1","uptime_seconds":90,"draining":false}})"),
              "version   1\nuptime    1m 30s\ndraining  no\n");
    EXPECT_EQ(rendered(R"({"backend":"b1","by_key":true})"), "backend  b1\nby key   yes\n");
}

TEST(Render, NothingToShowIsSaid) { EXPECT_EQ(rendered(R"({"neighbors":[]})"), "no neighbors\n"); }

TEST(Render, ListsAreJoined) {
    EXPECT_EQ(rendered(R"({"rows":[{"allow":["10.0.0.0/8","fd00::/8"],"deny":[]}]})"),
              "ALLOW                 DENY\n10.0.0.0/8, fd00::/8  -\n");
}

TEST(Render, ClientTextCannotSpeakToTheTerminal) {
    EXPECT_EQ(rendered(R"({"rows":[{"client_id":"\u001b[2J"}]})"), "CLIENT ID\n\\x1b[2J\n");
}

}  // namespace
}  // namespace sluice::ctl
