// What was sent before the splice may arrive again after it: translated, it is old to its receiver, whose
// duplicate ACK comes back and heals the sender.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

TEST(SpliceRetransmission, OfTheConnectReachesTheBrokerAsOldBytesAndItsDuplicateAckHealsTheClient) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("P. -20:0 ts 200/0");
        story.broker_passes(". 0:0 ack 0 ts 0/0");
        story.client_passes("P. 0:2 ack 0 ts 201/0");
        EXPECT_EQ(story.moved("splice_"), (Moved{{"splice_packets_to_broker", 2},
                                                 {"splice_packets_to_client", 1},
                                                 {"splice_bytes_to_broker", 22}}));
        story.expect_alive();
    }
}

// The client's ACK made the connection quiet, but the broker never heard the ACK that Sluice sent of its
// CONNACK.
TEST(SpliceRetransmission, OfTheConnackReachesTheClientAsOldBytesAndItsDuplicateAckHealsTheBroker) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.broker_passes("P. -4:0 ack 0 ts 200/0");
        story.client_passes(". 0:0 ack 0 ts 1/0");
        EXPECT_EQ(story.moved("splice_"), (Moved{{"splice_packets_to_broker", 1},
                                                 {"splice_packets_to_client", 1},
                                                 {"splice_bytes_to_client", 4}}));
        story.expect_alive();
    }
}

TEST(SpliceRetransmission, OfDataPassesAsOftenAsItIsSent) {
    Spliced story;
    story.client_passes("P. 0:100 ts 1/0");
    story.client_passes("P. 0:100 ts 201/0");
    story.client_passes("P. 0:150 ts 600/0");  // and more with it
    story.broker_passes(". 0:0 ack 150 ts 600/600");
    story.client_passes("P. 150:160 ts 601/600");
    EXPECT_EQ(story.moved("splice_bytes_to_broker"), (Moved{{"splice_bytes_to_broker", 360}}));
    story.expect_alive();
}

}  // namespace
}  // namespace sluice::test
