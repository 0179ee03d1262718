#include "sluice/daemon/offload_hints.h"

#include <gtest/gtest.h>

namespace sluice::daemon {
namespace {

constexpr Instant kStart{1h};
const IpAddress kPeer = IpAddress::v4(10, 1, 0, 9);

TEST(OffloadHints, AreDueOnceAMinutePerPortAndPeer) {
    OffloadHints hints;
    EXPECT_TRUE(hints.due(kStart, 0, kPeer));
    EXPECT_FALSE(hints.due(kStart + 59s, 0, kPeer));
    EXPECT_TRUE(hints.due(kStart + 59s, 1, kPeer));
    EXPECT_TRUE(hints.due(kStart + 59s, 0, kPeer.next()));
    EXPECT_TRUE(hints.due(kStart + 60s, 0, kPeer));
    EXPECT_FALSE(hints.due(kStart + 61s, 0, kPeer));
}

TEST(OffloadHints, KeepTheirMemoryBounded) {
    OffloadHints hints;
    IpAddress peer = kPeer;
    for (std::size_t i = 0; i < OffloadHints::kMaxPeers; ++i, peer = peer.next()) {
        EXPECT_TRUE(hints.due(kStart, 0, peer));
    }
    EXPECT_FALSE(hints.due(kStart + 1s, 0, peer));
    EXPECT_TRUE(hints.due(kStart + 60s, 0, peer));  // those from before are forgotten
}

TEST(OffloadHints, SayWhatThePeerDoesAndWhatToRun) {
    EXPECT_EQ(
        OffloadHints::text(worker::Event::Fault::PartialChecksum, "front", kPeer),
        "port front: 10.1.0.9 sends packets with unfinished checksums, which are dropped; on that host run "
        "`ethtool -K DEV tx off tso off gso off gro off`, DEV being its interface towards Sluice");
    EXPECT_NE(OffloadHints::text(worker::Event::Fault::OverMtu, "front", kPeer).find("larger than the MTU"),
              std::string::npos);
}

}  // namespace
}  // namespace sluice::daemon
