// `top` tells what it knows in any width and height, and in colors only where they are wanted.
#include <gtest/gtest.h>

#include <algorithm>

#include "answers.h"
#include "sluice/ctl/table.h"
#include "sluice/ctl/top.h"

namespace sluice::ctl {
namespace {

std::string text_of(const Picture& picture) {
    std::string text;
    for (const std::string& line : picture.lines) text += line + "\n";
    return text;
}

History two_looks() {
    History history;
    history.add(look_at(7498));
    Look later = look_at(7500);
    later.connects += 13;
    later.brokers[0].connects += 13;
    later.brokers[0].to_broker_bytes += 3000;
    later.brokers[0].to_client_bytes += 2'468'000;
    later.brokers[0].connacks["0x00"] += 12;
    later.brokers[0].connacks["0x87"] += 1;
    later.brokers[0].connack_latency[{0.0001, 0.00025}] += 13;
    history.add(later);
    return history;
}

History many_brokers(std::size_t count) {
    Look look = look_at(10);
    look.brokers.resize(count, look.brokers[0]);
    for (std::size_t i = 0; i < count; ++i) look.brokers[i].name = "b" + std::to_string(i);
    History history;
    history.add(look);
    return history;
}

TEST(Picture, TellsEverythingWhereThereIsRoom) {
    EXPECT_EQ(text_of(draw(two_looks(), {})),
              "sluice 0.1.0, up 2h 5m, 12 connections, 11 spliced, 6.5 connects/s, 0 drops/s\n"
              "CONNACKs (accepted, refused by code, latency): in the last 2 s\n"
              "\n"
              "BROKER    STATE  WEIGHT  CONNS  NEW/S  IN B/S  OUT B/S  ACCEPTED  REFUSED      P50      P99  "
              "PORTS%  LAST FAILURE\n"
              "broker-1  up        100      7    6.5    1.5k     1.2M        12  0x87: 1  <=250us  <=250us  "
              "    25  -\n"
              "broker-2  down       50      5      0       0        0         0  -              -        -  "
              "    95  refused\n");
}

TEST(Picture, TheFirstLookTellsOfTheTimeSinceTheStart) {
    History history;
    history.add(look_at(100));
    const std::string text = text_of(draw(history, {}));
    EXPECT_NE(text.find("- connects/s, - drops/s\n"), std::string::npos);
    EXPECT_NE(text.find("latency): since the daemon's start\n"), std::string::npos);
    EXPECT_NE(text.find("598  0x87: 2  <=250us  >10s"), std::string::npos) << text;
}

TEST(Picture, NoLineIsWiderThanTheTerminal) {
    History history = two_looks();
    Look long_names = history.newest();
    long_names.uptime += 1;
    long_names.brokers[0].name = std::string(64, 'x');
    long_names.brokers[1].pool = "other";
    long_names.brokers[1].state = "maintenance";
    long_names.brokers[1].connections = 50'000'000;
    long_names.brokers[0].last_failure = std::string(100, 'y');
    history.add(long_names);
    for (std::size_t columns = 1; columns < 240; ++columns) {
        const Picture picture =
            draw(history, {.width = columns, .live = true, .problem = "no daemon listens on it"});
        for (const std::string& line : picture.lines)
            EXPECT_LE(width(line), columns) << columns << ": " << line;
    }
}

TEST(Picture, NarrowTerminalsKeepWhatMattersMost) {
    const Picture narrow = draw(two_looks(), {.width = 60, .live = true, .problem = {}});
    EXPECT_EQ(text_of(narrow),
              "sluice 0.1.0, up 2h 5m, 12 connections, 11 spliced,\n"
              "6.5 connects/s, 0 drops/s\n"
              "CONNACKs (accepted, refused by code, latency): in the last ~\n"
              "\n"
              "BROKER    STATE  CONNS  NEW/S  IN B/S  OUT B/S  PORTS%\n"
              "broker-1  up         7    6.5    1.5k     1.2M      25\n"
              "broker-2  down       5      0       0        0      95\n"
              "q quits; not shown: WEIGHT, ACCEPTED, REFUSED, P50, P99, LA~\n");
}

TEST(Picture, AllBrokersCanBeReachedInALowTerminal) {
    const History history = many_brokers(40);
    Frame frame{.width = 100, .height = 15, .live = true, .problem = {}};
    Picture picture = draw(history, frame);
    EXPECT_EQ(picture.lines.size(), 15U);
    EXPECT_EQ(picture.first, 0U);
    const std::size_t rows = picture.rows;
    EXPECT_GE(rows, 9U);
    EXPECT_EQ(picture.lines.back().find("q quits; brokers 1 to " + std::to_string(rows) + " of 40"), 0U);
    frame.first = 1000;
    picture = draw(history, frame);
    EXPECT_EQ(picture.first, 40 - rows);
    EXPECT_EQ(picture.lines[picture.lines.size() - 2].find("b39 "), 0U);
    for (frame.height = 1; frame.height < 10; ++frame.height) {
        EXPECT_LE(draw(history, frame).lines.size(), frame.height);
    }
}

TEST(Picture, ColorsAreThereWhenWantedOnly) {
    EXPECT_EQ(text_of(draw(two_looks(), {})).find('\x1b'), std::string::npos);
    const std::string colored = text_of(draw(two_looks(), {.colors = true, .problem = {}}));
    EXPECT_NE(colored.find("\x1b[32mup\x1b[0m"), std::string::npos);
    EXPECT_NE(colored.find("\x1b[31mdown\x1b[0m"), std::string::npos);
    EXPECT_NE(colored.find("\x1b[31m95\x1b[0m"), std::string::npos) << "hardly a source port is left";
    std::string plain;
    for (std::size_t i = 0; i < colored.size(); ++i) {
        if (colored[i] == '\x1b')
            i = colored.find('m', i);
        else
            plain += colored[i];
    }
    EXPECT_EQ(plain, text_of(draw(two_looks(), {}))) << "colors take no room";
}

TEST(Picture, SaysWhyThereIsNothingNew) {
    const std::string text = text_of(draw(two_looks(), {.problem = "the daemon does not answer"}));
    EXPECT_NE(text.find("\nthe daemon does not answer\n"), std::string::npos);
    EXPECT_NE(text.find("broker-1"), std::string::npos) << "what was known last stays";
}

TEST(Picture, NamesCannotSpeakToTheTerminal) {
    Look look = look_at(1);
    look.brokers[0].last_failure = "\x1b[2J";
    look.brokers[0].connacks["\x1b[2J"] = 1;
    History history;
    history.add(look);
    EXPECT_EQ(text_of(draw(history, {})).find('\x1b'), std::string::npos);
}

TEST(Picture, PoolsAreNamedWhereThereAreSeveral) {
    Look look = look_at(1);
    look.brokers[1].pool = "others";
    History history;
    history.add(look);
    const std::string text = text_of(draw(history, {}));
    EXPECT_NE(text.find("\nbrokers/broker-1 "), std::string::npos);
    EXPECT_NE(text.find("\nothers/broker-2 "), std::string::npos);
}

TEST(Picture, ADaemonWithoutBrokersHasAHeadAllTheSame) {
    Look look = look_at(1);
    look.brokers.clear();
    look.draining = true;
    History history;
    history.add(look);
    const Picture picture = draw(history, {.width = 132, .height = 24, .live = true, .problem = {}});
    EXPECT_NE(picture.lines[0].find("draining"), std::string::npos);
    EXPECT_EQ(picture.rows, 0U);
}

}  // namespace
}  // namespace sluice::ctl
