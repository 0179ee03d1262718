// What routers say about the size of a path.
#include "sluice/wire/path_mtu.h"

#include <gtest/gtest.h>

namespace sluice::wire {
namespace {

TEST(PathMtu, IsWhatWasTold) {
    for (const std::uint16_t mtu :
         {std::uint16_t{68}, std::uint16_t{576}, std::uint16_t{1400}, std::uint16_t{65535}}) {
        EXPECT_EQ(path_mtu(IpFamily::V4, mtu, 1500), mtu);
    }
    EXPECT_EQ(path_mtu(IpFamily::V6, 1280, 1500), 1280);
}

TEST(PathMtu, IsNotBelievedBelowWhatEveryLinkCarries) {
    for (const std::uint32_t mtu : {1U, 67U}) EXPECT_FALSE(path_mtu(IpFamily::V4, mtu, 1500));
    for (const std::uint32_t mtu : {0U, 68U, 1279U}) EXPECT_FALSE(path_mtu(IpFamily::V6, mtu, 1500));
    for (const IpFamily family : {IpFamily::V4, IpFamily::V6})
        EXPECT_FALSE(path_mtu(family, 0x10000 + 1400, 1500));
}

TEST(PathMtu, IsTheNextPlateauWhereARouterCannotTell) {
    EXPECT_EQ(path_mtu(IpFamily::V4, 0, 1500), 1492);
    EXPECT_EQ(path_mtu(IpFamily::V4, 0, 1492), 1006);
    EXPECT_EQ(path_mtu(IpFamily::V4, 0, 69), 68);
    EXPECT_FALSE(path_mtu(IpFamily::V4, 0, 68));
}

}  // namespace
}  // namespace sluice::wire
