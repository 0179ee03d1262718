// Reports of holes (RFC 2018) and of what came twice (RFC 2883) name the other leg's numbers when they
// arrive.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

Plot with(bool ipv6, bool timestamps) {
    Plot plot;
    plot.client.timestamps = plot.broker.timestamps = timestamps;
    return over(ipv6, plot);
}

TEST(SpliceSack, BlocksPassInTheReceiversNumbers) {
    for (const bool ipv6 : {false, true}) {
        for (const bool timestamps : {false, true}) {
            Spliced story(with(ipv6, timestamps));
            for (int i = 0; i < 10; ++i) {
                const std::string range = std::to_string(i * 1000) + ":" + std::to_string(i * 1000 + 1000);
                story.client_passes("P. " + range);
                story.broker_passes("P. " + range);
            }
            std::vector<std::string> reports{"1000:1400", "1000:2000 3000:4000",
                                             "5000:6000 1000:1400 3000:4000"};
            if (!timestamps) reports.push_back("7000:8000 5000:6000 1000:1400 3000:4000");
            for (const std::string& report : reports) {
                story.client_passes(". 10000:10000 ack 0 sack " + report);
                story.broker_passes(". 10000:10000 ack 0 sack " + report);
            }
            // The first hole is filled, the second with new data and a report in one segment.
            story.broker_passes(". 0:1000 ack 0 sack 1000:1400");
            story.client_passes("P. 10000:10100 ack 1400 sack 3000:4000");
            story.expect_alive();
        }
    }
}

TEST(SpliceSack, DuplicatesBelowTheAckAreReportedToo) {
    for (const bool timestamps : {false, true}) {
        Spliced story(with(false, timestamps));
        story.broker_passes("P. 0:1400");
        story.client_passes(". 0:0 ack 1400");
        story.broker_passes("P. 0:1000");  // repeated for nothing
        story.client_passes(". 0:0 ack 1400 sack 0:1000");
        // A duplicate inside what is reported: the report of the duplicate comes first.
        story.broker_passes("P. 3000:4000");
        story.client_passes(". 0:0 ack 1400 sack 3000:3500 3000:4000");
        story.expect_alive();
    }
}

// A duplicate from before the splice: its report names what no record has seen.
TEST(SpliceSack, ADuplicateOfTheConnackIsReported) {
    Spliced story;
    story.broker_passes("P. -4:0");
    story.client_passes(". 0:0 ack 0 sack -4:0");
    story.expect_alive();
}

}  // namespace
}  // namespace sluice::test
