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
