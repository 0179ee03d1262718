// One leg with its owner in the test's hands, and its peer at the other end of a wire.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session/wire.h"
#include "sluice/session/leg.h"

namespace sluice::test {

// Chains of framing codecs, whose contract is watched.
class WatchedChain {
  public:
    std::unique_ptr<session::CodecChain> make(const std::vector<FramingOptions>& codecs) const {
        std::vector<std::unique_ptr<session::Codec>> made;
        for (FramingOptions framing : codecs) {
            framing.misuse = misuse_;
            made.push_back(std::make_unique<FramingCodec>(std::move(framing)));
        }
        return made.empty() ? nullptr : std::make_unique<session::CodecChain>(std::move(made));
    }
    void expect_used_well() const { EXPECT_EQ(*misuse_, ""); }

  private:
    std::shared_ptr<std::string> misuse_ = std::make_shared<std::string>();
};

struct LegPlan {
    std::vector<FramingOptions> codecs = {FramingOptions{}};
    LinkOptions link = {.delay = 1ms};
    std::uint64_t seed = 1;
    tcp::EndpointOptions leg = {};
    tcp::EndpointOptions peer = {};
    bool connects = false;  // the leg does, else its peer
    bool raw_peer = false;  // says what the test writes, and no preface by itself
};

class LegRig final : public tcp::Output {
  public:
    explicit LegRig(const LegPlan& plan = {})
        : leg(plan.leg, chain.make(plan.codecs)),
          peer(plan.peer, plan.raw_peer ? std::vector<FramingOptions>{} : plan.codecs, plan.link, plan.seed) {
        if (plan.connects) {
            peer.listen();
            leg.connect(now, tcp::Seq(0xffff'fff8), *this);
        } else {
            leg.listen(tcp::Seq(0x7fff'fff8));
            peer.connect(now);
        }
    }
    ~LegRig() { chain.expect_used_well(); }
    LegRig(const LegRig&) = delete;
    LegRig& operator=(const LegRig&) = delete;

    void send(const tcp::Segment& segment) override { peer.to_peer(now, segment); }

    void write(std::string_view more) {
        unsent += more;
        serve();
    }
    // Behind everything that was written.
    void shutdown() {
        wants_end = true;
        serve();
    }
    // Until `duration` has passed.
    void run(Duration duration) {
        const Instant end = now + duration;
        for (step(); now < end; step()) now = std::min(end, std::max(next_event(), now + 1us));
    }
    // Until `done`, at most so long. True when it was.
    bool run_until(const std::function<bool()>& done, Duration limit = 600s) {
        const Instant end = now + limit;
        for (step(); !done() && now < end; step()) now = std::min(end, std::max(next_event(), now + 1us));
        return done();
    }

    // What is on the wire arrives at the peer, and nobody is there to hear its answer.
    void run_wire() {
        for (int i = 0; i < 3; ++i) {
            now += 20ms;
            peer.step(now);
        }
    }

    Instant now{3'600s};
    WatchedChain chain;
    session::Leg leg;
    Peer peer;
    std::string text;    // read from the leg
    bool reads = true;   // false: the owner reads nothing
    std::string unsent;  // what the leg has not taken yet
    bool wants_end = false;
    std::size_t most_held = 0;  // bytes behind the leg, at its worst

  private:
    Instant next_event() const { return std::min(peer.next_event(), leg.next_deadline()); }
    void step() {
        tcp::Segment segment;
        std::string bytes;
        peer.step(now);
        while (peer.receive(now, segment, bytes)) leg.on_segment(now, segment, *this);
        if (leg.next_deadline() <= now) leg.on_timer(now, *this);
        EXPECT_GT(leg.next_deadline(), now) << "a deadline that does not pass";
        serve();
        most_held = std::max(most_held, leg.memory_bytes());
    }
    void serve() {
        while (reads && leg.readable() != 0) {
            const ByteView piece = leg.peek();
            text += as_text(piece);
            leg.consume(now, piece.size(), *this);
        }
        unsent.erase(0, leg.write(now, as_bytes(unsent), *this));
        if (wants_end && unsent.empty()) leg.shutdown(now, *this);
    }
};

}  // namespace sluice::test
