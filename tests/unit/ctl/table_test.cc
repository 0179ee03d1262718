#include "sluice/ctl/table.h"

#include <gtest/gtest.h>

namespace sluice::ctl {
namespace {

TEST(Table, AlignsTextLeftAndNumbersRight) {
    Table table({"NAME", "CONNECTIONS"});
    table.add({{.text = "broker-1"}, {.text = "7", .number = true}});
    table.add({{.text = "b2"}, {.text = "12345", .number = true}});
    EXPECT_EQ(table.text(),
              "NAME      CONNECTIONS\n"
              "broker-1            7\n"
              "b2              12345\n");
}

TEST(Table, LeavesNoBlanksAtTheEndAndFillsShortRows) {
    Table table({"A", "B"});
    table.add({{.text = "x"}});
    table.add({{.text = "y"}, {.text = "long"}, {.text = "too many"}});
    EXPECT_EQ(table.text(), "A  B\nx\ny  long\n");
}

TEST(Table, CountsCodePointsNotBytes) {
    Table table({"ID", "N"});
    table.add({{.text = "caf\xc3\xa9"}, {.text = "1"}});
    table.add({{.text = "abcd"}, {.text = "2"}});
    EXPECT_EQ(table.text(), "ID    N\ncaf\xc3\xa9  1\nabcd  2\n");
}

TEST(Clip, CutsWholeCodePoints) {
    EXPECT_EQ(clip("broker", 6), "broker");
    EXPECT_EQ(clip("broker", 5), "brok~");
    EXPECT_EQ(clip("caf\xc3\xa9s", 5), "caf\xc3\xa9s");
    EXPECT_EQ(clip("caf\xc3\xa9sx", 5), "caf\xc3\xa9~");
    EXPECT_EQ(clip("abc", 1), "~");
    EXPECT_EQ(clip("abc", 0), "");
}

TEST(Units, Bytes) {
    EXPECT_EQ(human_bytes(0), "0 B");
    EXPECT_EQ(human_bytes(1023), "1023 B");
    EXPECT_EQ(human_bytes(1024), "1.0 KiB");
    EXPECT_EQ(human_bytes(1536.0 * 1024 * 1024), "1.5 GiB");
}

TEST(Units, Durations) {
    EXPECT_EQ(human_duration(0), "0 s");
    EXPECT_EQ(human_duration(0.00025), "250 us");
    EXPECT_EQ(human_duration(0.0012), "1.2 ms");
    EXPECT_EQ(human_duration(3.5), "3.5 s");
    EXPECT_EQ(human_duration(250), "4m 10s");
    EXPECT_EQ(human_duration(7500), "2h 5m");
    EXPECT_EQ(human_duration(3 * 86400 + 4 * 3600), "3d 4h");
}

TEST(Printable, KeepsTextAndShowsControlsAsCode) {
    EXPECT_EQ(printable("sensor-1 caf\xc3\xa9 \xe2\x82\xac"), "sensor-1 caf\xc3\xa9 \xe2\x82\xac");
    EXPECT_EQ(printable("\x1b[2J\n"), "\\x1b[2J\\x0a");
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m"),
              "\\xc2\\x9b31m");  // C1 control: CSI
    EXPECT_EQ(printable("a\xe2\x80\xae"
                        "b"),
              "a\\xe2\\x80\\xaeb");  // U+202E: from here on to the left
    EXPECT_EQ(printable("\xff"
                        "a\xe2\x82"),
              "\\xffa\\xe2\\x82");
}

}  // namespace
}  // namespace sluice::ctl
