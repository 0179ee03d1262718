// What the rings of packet sockets are made of, and which device strings say so.
#include "sluice/port/packet_ring.h"

#include <gtest/gtest.h>

#include <string>

#include "eal_arguments.h"
#include "sluice/port/interface_setup.h"

namespace sluice::port {
namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;

TEST(PacketRing, SlotsHoldWholePacketsAndFillTheirBlocks) {
    EXPECT_EQ(packet_ring(1500).frame_size, 2048U);
    for (const int bytes : {576, 1500, 1964, 1965, 4000, 9000, 65535}) {
        const auto mtu = static_cast<std::uint16_t>(bytes);
        const PacketRing ring = packet_ring(mtu);
        EXPECT_GE(longest_frame(ring.frame_size), mtu + 14U + 4U) << mtu;
        EXPECT_EQ(ring.block_size % ring.frame_size, 0U) << mtu;
        EXPECT_EQ(ring.frames % (ring.block_size / ring.frame_size), 0U) << mtu;
        EXPECT_GE(pool_room(mtu), ring.frame_size) << mtu;
    }
    EXPECT_EQ(longest_frame(2048), 1982U);
}

TEST(PacketRing, HoldsABurstOfThousandsAndItsMemoryHasABound) {
    EXPECT_EQ(packet_ring(1500, 1).frames, 8192U);
    EXPECT_EQ(packet_ring(1500, 1).bytes(1), 32 * kMebibyte);
    EXPECT_EQ(packet_ring(1500, 2).frames, 8192U);
    for (const std::uint32_t queues : {1U, 2U, 3U, 4U, 7U, 8U, 16U}) {
        EXPECT_LE(packet_ring(1500, queues).bytes(queues), 112 * kMebibyte) << queues;
        EXPECT_GE(packet_ring(1500, queues).frames, 1024U) << queues;
        EXPECT_GE(packet_ring(9000, queues).frames, 1024U) << queues;
    }
}

TEST(PacketRing, IsReadFromADeviceStringWithTheDriversOwnForWhatIsMissing) {
    const PacketRing own = ring_of("net_af_packet0,iface=veth0");
    EXPECT_EQ(own.frame_size, 2048U);
    EXPECT_EQ(own.frames, 512U);
    const PacketRing given = ring_of("net_af_packet0,iface=veth0,framesz=4096,framecnt=100,blocksz=8192");
    EXPECT_EQ(given.frame_size, 4096U);
    EXPECT_EQ(given.frames, 100U);
    EXPECT_EQ(given.block_size, 8192U);
}

TEST(DeviceString, NamesItsDriver) {
    EXPECT_EQ(driver_of("net_af_packet12,iface=eth1"), "net_af_packet");
    EXPECT_EQ(driver_of("net_af_xdp0,iface=eth1"), "net_af_xdp");
    EXPECT_EQ(driver_of("0000:03:00.0"), "0000:03:00.0");
}

TEST(DeviceString, GetsTheRingsThatItLeavesOpen) {
    EXPECT_EQ(with_rings("net_af_packet0,iface=f0", 1500),
              "net_af_packet0,iface=f0,framesz=2048,blocksz=65536,framecnt=8192");
    EXPECT_EQ(with_rings("net_af_packet0,iface=f0,qpairs=8", 1500),
              "net_af_packet0,iface=f0,qpairs=8,framesz=2048,blocksz=65536,framecnt=2048");
    EXPECT_EQ(with_rings("net_af_packet0,iface=f0", 9000),
              "net_af_packet0,iface=f0,framesz=16384,blocksz=65536,framecnt=1024");
}

TEST(DeviceString, KeepsWhatItSaysItself) {
    const std::string all = "net_af_packet0,iface=f0,framesz=4096,blocksz=8192,framecnt=64";
    EXPECT_EQ(with_rings(all, 1500), all);
    EXPECT_EQ(with_rings("net_af_packet0,iface=f0,framecnt=512", 1500),
              "net_af_packet0,iface=f0,framecnt=512,framesz=2048,blocksz=65536");
    EXPECT_EQ(with_rings("net_af_packet0,iface=f0,framesz=4096", 1500),
              "net_af_packet0,iface=f0,framesz=4096,blocksz=65536,framecnt=4096");
    EXPECT_EQ(with_rings("net_af_packet0,iface=f0,blocksz=4096", 1500),
              "net_af_packet0,iface=f0,blocksz=4096,framesz=2048,framecnt=8192");
}

// 100 slots are no whole number of blocks of 32: the blocks shrink, not the ring.
TEST(DeviceString, CutsBlocksToTheSlotsThatItAsksFor) {
    EXPECT_EQ(with_rings("net_af_packet0,iface=f0,framecnt=100", 1500),
              "net_af_packet0,iface=f0,framecnt=100,framesz=2048,blocksz=8192");
}

TEST(DeviceString, OfAnotherDriverOrOfADeviceThatIsThereIsLeftAlone) {
    for (const char* const device :
         {"net_af_packet0", "net_af_xdp0,iface=f0", "net_tap0,iface=tap0", "0000:03:00.0", "net_ring0"})
        EXPECT_EQ(with_rings(device, 1500), device);
}

TEST(InterfaceDevice, NamesInterfaceQueuesAndRing) {
    EXPECT_EQ(interface_device({.interface = "veth0", .number = 3, .queues = 2}),
              "net_af_packet3,iface=veth0,qpairs=2,qdisc_bypass=1,framesz=2048,blocksz=65536,framecnt=8192");
    EXPECT_EQ(
        interface_device({.interface = "eth1", .driver = KernelDriver::AfXdp, .number = 1, .queues = 4}),
        "net_af_xdp1,iface=eth1,queue_count=4");
}

}  // namespace
}  // namespace sluice::port
