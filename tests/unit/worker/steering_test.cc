// The hash that names a packet's owner is the one that network cards compute.
#include "worker/steering.h"

#include <gtest/gtest.h>

#include <array>

namespace sluice::worker {
namespace {

FourTuple tuple(const char* source, const char* destination) {
    return {.local = *SocketAddress::parse(destination), .remote = *SocketAddress::parse(source)};
}

// The verification suite of the RSS specification, TCP columns.
TEST(Steering, HashesAsTheRssSpecificationVerifies) {
    EXPECT_EQ(Steering::toeplitz(tuple("66.9.149.187:2794", "161.142.100.80:1766")), 0x51ccc178U);
    EXPECT_EQ(Steering::toeplitz(tuple("199.92.111.2:14230", "65.69.140.83:4739")), 0xc626b0eaU);
    EXPECT_EQ(Steering::toeplitz(tuple("[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766")),
              0x40207d3dU);
}

TEST(Steering, SpreadsClientsOverAllWorkersAndFollowsTheSourcePort) {
    const Steering steering(3);
    std::array<int, 3> clients{};
    for (int i = 0; i < 3000; ++i) {
        const FourTuple t{.local = {IpAddress::v4(10, 1, 0, 1), 1883},
                          .remote = {IpAddress::v4(10, 1, 2, 3), static_cast<std::uint16_t>(20000 + i)}};
        ++clients[steering.of_client(t)];
    }
    for (const int n : clients) EXPECT_NEAR(n, 1000, 150);
    EXPECT_EQ(steering.of_source_port(3001), 3001U % 3);
    EXPECT_EQ(Steering(1).of_client(tuple("10.0.0.1:5", "10.0.0.2:6")), 0U);
}

}  // namespace
}  // namespace sluice::worker
