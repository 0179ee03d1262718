#include "eal_arguments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "sluice/port/dpdk_port.h"
#include "sluice/port/interface_setup.h"

namespace sluice::port {
namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;

bool has(const EalPlan& plan, const std::string& argument) {
    return std::ranges::find(plan.arguments, argument) != plan.arguments.end();
}

TEST(EalPlan, MainAndWorkersFloatOverTheAllowedCpus) {
    const EalPlan plan = plan_eal({.workers = 2}, {.cpus = {0, 3}, .free_hugepage_bytes = 0});
    ASSERT_EQ(plan.error, "");
    EXPECT_EQ(plan.arguments.front(), "sluiced");
    EXPECT_TRUE(has(plan, "--lcores=0@(0,3),1@(0,3),2@(0,3)"));
    EXPECT_TRUE(has(plan, "--iova-mode=va"));
}

TEST(EalPlan, NamedCpusPinWorkersButNotTheMainThread) {
    const EalPlan plan =
        plan_eal({.workers = 2, .cpus = {3, 2}}, {.cpus = {0, 2, 3}, .free_hugepage_bytes = 0});
    EXPECT_TRUE(has(plan, "--lcores=0@(0,2,3),1@(3),2@(2)"));
}

TEST(EalPlan, RefusesCpusThatDoNotFitTheWorkers) {
    const MachineFacts machine{.cpus = {0, 1}, .free_hugepage_bytes = 0};
    EXPECT_NE(plan_eal({.workers = 2, .cpus = {1}}, machine).error.find("2 workers"), std::string::npos);
    EXPECT_NE(plan_eal({.workers = 1, .cpus = {7}}, machine).error.find("CPU 7"), std::string::npos);
    EXPECT_NE(plan_eal({.workers = 0}, machine).error, "");
}

TEST(EalPlan, AutoTakesHugepagesOnlyWhenEnoughAreFree) {
    const EalPlan with = plan_eal({}, {.cpus = {0}, .free_hugepage_bytes = kPlenty});
    EXPECT_TRUE(with.hugepages);
    EXPECT_TRUE(has(with, "--in-memory"));
    EXPECT_FALSE(has(with, "--no-huge"));
    EXPECT_TRUE(with.notes.empty());

    const EalPlan without = plan_eal({}, {.cpus = {0}, .free_hugepage_bytes = 2U << 20});
    EXPECT_FALSE(without.hugepages);
    EXPECT_TRUE(has(without, "--no-huge"));
    EXPECT_TRUE(has(without, "--no-shconf"));
    EXPECT_FALSE(has(without, "--in-memory"));
    ASSERT_EQ(without.notes.size(), 1U);
    EXPECT_NE(without.notes[0].find("2 MiB are free"), std::string::npos);
}

TEST(EalPlan, HugepagesWhereNoneAreFreeIsAnError) {
    const EalPlan plan = plan_eal({.memory = Memory::Hugepages}, {.cpus = {0}, .free_hugepage_bytes = 0});
    EXPECT_NE(plan.error.find("not enough hugepages"), std::string::npos);
}

TEST(EalPlan, PagesNeedNoNoteAndCoverThePool) {
    const DpdkOptions options{.workers = 2, .memory = Memory::Pages, .ports = 2};
    const EalPlan plan = plan_eal(options, {.cpus = {0}, .free_hugepage_bytes = kPlenty});
    EXPECT_TRUE(plan.notes.empty());
    const auto m = std::ranges::find(plan.arguments, "-m");
    ASSERT_NE(m, plan.arguments.end());
    EXPECT_GT(std::stoull(m[1]) << 20, pool_frames(options) * (pool_room(1500) + kHeadroom));
}

TEST(EalPlan, TheOperatorsOwnMemoryArgumentsReplaceOurs) {
    const EalPlan plan =
        plan_eal({.extra = {"--no-huge", "-m", "700"}}, {.cpus = {0}, .free_hugepage_bytes = kPlenty});
    EXPECT_FALSE(has(plan, "--in-memory"));
    EXPECT_FALSE(has(plan, "--no-shconf"));
    EXPECT_FALSE(plan.hugepages);
    EXPECT_EQ(plan.arguments.back(), "700");
}

TEST(EalPlan, OpensTheNamedPciDevicesAndNoOther) {
    const MachineFacts machine{.cpus = {0}, .free_hugepage_bytes = 0};
    EXPECT_TRUE(has(plan_eal({.devices = {"net_ring0"}}, machine), "--no-pci"));
    const EalPlan plan = plan_eal({.devices = {"net_ring0", "0000:03:00.1"}}, machine);
    EXPECT_FALSE(has(plan, "--no-pci"));
    const auto allow = std::ranges::find(plan.arguments, "-a");
    ASSERT_NE(allow, plan.arguments.end());
    EXPECT_EQ(allow[1], "0000:03:00.1");
    EXPECT_EQ(std::ranges::count(plan.arguments, "-a"), 1);
}

TEST(EalPlan, ThePoolFillsEveryQueueAndLeavesWhatIsHeld) {
    const DpdkOptions options{.workers = 3, .ports = 2, .held_frames = 5000};
    EXPECT_GE(pool_frames(options), 2U * 3U * 2U * kDescriptors + 5000U);
}

TEST(EalPlan, ThePoolHoldsWhatAfXdpGivesTheKernelAndNothingForPacketSockets) {
    const std::size_t held = 20'000;
    const DpdkOptions packet{.devices = {"net_af_packet0,iface=a"}, .held_frames = held};
    EXPECT_LT(pool_frames(packet), 2 * held);
    DpdkOptions eight{.ports = 8, .held_frames = held};
    for (int i = 0; i < 8; ++i) eight.devices.push_back("net_af_xdp" + std::to_string(i) + ",iface=b");
    EXPECT_GE(pool_frames(eight), held + 8U * (kXdpBuffers + kDescriptors));
}

TEST(EalPlan, RefusesAnMtuThatNoBufferHolds) {
    const MachineFacts machine{.cpus = {0}, .free_hugepage_bytes = 0};
    EXPECT_EQ(plan_eal({.mtu = 9216}, machine).error, "");
    EXPECT_NE(plan_eal({.mtu = 65000}, machine).error.find("MTU of 65000"), std::string::npos);
}

TEST(PciDevice, IsToldFromANameOfASoftwareDevice) {
    EXPECT_TRUE(is_pci_device("0000:03:00.0"));
    EXPECT_TRUE(is_pci_device("af:00.1"));
    EXPECT_TRUE(is_pci_device("0000:03:00.0,representor=[0]"));
    EXPECT_FALSE(is_pci_device("net_af_packet0,iface=veth0"));
    EXPECT_FALSE(is_pci_device("net_ring0"));
    EXPECT_FALSE(is_pci_device("03:00"));
    EXPECT_FALSE(is_pci_device(""));
}

TEST(InterfaceSetup, RefusesAnInterfaceThatDoesNotExist) {
    std::string error;
    EXPECT_EQ(InterfaceSetup::prepare({.interface = "sluice-none0"}, error), nullptr);
    EXPECT_NE(error.find("sluice-none0 does not exist"), std::string::npos);
}

TEST(InterfaceSetup, RefusesTheLoopback) {
    std::string error;
    EXPECT_EQ(InterfaceSetup::prepare({.interface = "lo"}, error), nullptr);
    EXPECT_NE(error.find("not an Ethernet interface"), std::string::npos);
}

}  // namespace
}  // namespace sluice::port
