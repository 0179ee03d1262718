// Probes that carry SND.NXT-1 (RFC 9293 section 3.8.4, RFC 1122 section 4.2.3.6) and probes of a closed
// window reach the end that they ask, and its answer comes back; Sluice answers none of them itself.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using Pass = void (Story::*)(std::string_view, Story::Here);

// The same story with the roles of the ends exchanged.
void both_ways(const std::function<void(Spliced&, Pass one, Pass other)>& tell) {
    for (const bool ipv6 : {false, true}) {
        for (const bool client_first : {true, false}) {
            Spliced story(over(ipv6));
            if (client_first) {
                tell(story, &Story::client_passes, &Story::broker_passes);
            } else {
                tell(story, &Story::broker_passes, &Story::client_passes);
            }
            EXPECT_EQ(story.moved("tcp_"), Moved{});
            EXPECT_EQ(story.moved("drop_"), Moved{});
            story.expect_alive();
        }
    }
}

TEST(SpliceProbe, KeepsAConnectionAliveFromEitherEnd) {
    both_ways([](Spliced& story, Pass one, Pass other) {
        const auto here = Story::Here::current();
        (story.*one)(". -1:-1 ts 100/0", here);  // no byte has been sent since the splice
        (story.*other)(". 0:0 ack 0 ts 100/0", here);
        (story.*one)(". -1:0 garbled ts 200/0", here);  // as old kernels do
        (story.*other)(". 0:0 ack 0 ts 200/0", here);
        (story.*one)("P. 0:10 ts 300/200", here);
        (story.*other)(". 0:0 ack 10 ts 300/300", here);
        (story.*one)(". 9:9 ts 400/300", here);
        (story.*other)(". 0:0 ack 10 ts 400/300", here);
        (story.*one)(". 9:10 garbled ts 500/300", here);
        (story.*other)(". 0:0 ack 10 ts 500/300", here);
    });
}

TEST(SpliceProbe, OfAClosedWindowIsAnsweredByWhoClosedIt) {
    both_ways([](Spliced& story, Pass one, Pass other) {
        const auto here = Story::Here::current();
        (story.*other)(". 0:0 ack 0 win 0", here);
        for (int i = 0; i < 3; ++i) {
            (story.*one)(". -1:-1", here);
            (story.*other)(". 0:0 ack 0 win 0", here);
        }
        (story.*one)("P. 0:1", here);  // or with the next byte, which is not taken
        (story.*other)(". 0:0 ack 0 win 0", here);
        (story.*other)(". 0:0 ack 0 win 300", here);  // the reader went on
        (story.*one)("P. 0:1000", here);
        (story.*other)(". 0:0 ack 1000 win 500", here);
    });
}

}  // namespace
}  // namespace sluice::test
