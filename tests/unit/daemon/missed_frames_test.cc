#include "sluice/daemon/missed_frames.h"

#include <gtest/gtest.h>

namespace sluice::daemon {
namespace {

constexpr Instant kNow{1h};

port::PortInfo front(const char* driver = "net_af_packet") {
    port::PortInfo info;
    info.name = "front";
    info.driver = driver;
    return info;
}

TEST(MissedFrames, SayNothingWhileNothingIsMissed) {
    MissedFrames missed;
    EXPECT_TRUE(missed.look(kNow, front(), {.rx_frames = 7}).empty());
}

TEST(MissedFrames, AreToldByCauseWithARemedy) {
    MissedFrames missed;
    const auto ring = missed.look(kNow, front(), {.rx_missed = 70, .rx_ring_full = 70});
    ASSERT_EQ(ring.size(), 1U);
    EXPECT_EQ(ring[0],
              "port front: 70 frames found the ring that it shares with the kernel full; their senders "
              "repeat them after about a second. `show ports` counts them as rx_ring_full. What helps: "
              "larger rings (`framecnt` in "
              "`device`), more workers, or CPUs that nothing else uses");
    const auto device = missed.look(kNow, front(), {.rx_missed = 75, .rx_ring_full = 70});
    ASSERT_EQ(device.size(), 1U);
    EXPECT_NE(device[0].find("5 frames found the device's queue full"), std::string::npos) << device[0];
}

TEST(MissedFrames, AreToldOnceInTenMinutesForEachPortAndCause) {
    MissedFrames missed;
    port::PortStatistics counts{.rx_missed = 1, .rx_ring_full = 1};
    EXPECT_EQ(missed.look(kNow, front(), counts).size(), 1U);
    counts = {.rx_missed = 9, .rx_ring_full = 9};
    EXPECT_TRUE(missed.look(kNow + 10min - 1s, front(), counts).empty());
    port::PortInfo back = front();
    back.name = "back";
    EXPECT_EQ(missed.look(kNow + 1s, back, counts).size(), 1U);
    const auto again = missed.look(kNow + 10min, front(), counts);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_NE(again[0].find(" 8 frames "), std::string::npos) << again[0];
    EXPECT_TRUE(missed.look(kNow + 30min, front(), counts).empty());
}

TEST(MissedFrames, OfAfXdpAreNotToldAsTheInterfacesOnceMore) {
    MissedFrames missed;
    const port::PortStatistics counts{.rx_missed = 30, .rx_no_fill = 30, .rx_interface_dropped = 30};
    EXPECT_EQ(missed.look(kNow, front("net_af_xdp"), counts).size(), 1U);
    EXPECT_EQ(missed.look(kNow, front(), {.rx_interface_dropped = 4}).size(), 1U) << "another cause";
}

}  // namespace
}  // namespace sluice::daemon
