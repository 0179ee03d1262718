// A probe over a whole TCP connection: it asks, hears the answer, and closes as the protocol wants it. What
// is asked and what an answer is worth is for the kinds derived from it to say.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "sluice/base/bytes.h"
#include "sluice/health/probe.h"
#include "sluice/tcp/endpoint.h"

namespace sluice::health {

class StreamProbe : public Probe {
  public:
    void start(Instant now, tcp::Output& out) final;
    void on_segment(Instant now, const tcp::Segment& segment, tcp::Output& out) final;
    void on_timer(Instant now, tcp::Output& out) final;
    Instant next_deadline() const final;
    void abandon(Instant now, tcp::Output& out) final;
    bool over() const final { return over_; }
    void on_unreachable() final;

  protected:
    // request: said as soon as the connection stands.
    StreamProbe(const Options& options, std::vector<std::byte> request);

    struct Step {
        std::size_t taken = 0;                    // bytes that are done with; 0: more must come
        std::vector<std::byte> reply;             // said next
        std::optional<backend::Outcome> verdict;  // the first one is the probe's
    };
    // bytes: what has come and was not taken yet. Also called after the verdict, to see the end of the
    // answer.
    virtual Step on_bytes(ByteView bytes) = 0;
    // The broker has closed its side, and every byte was offered.
    virtual backend::Outcome on_end() { return backend::ProbeFailure::Closed; }
    // With a verdict given: is it our turn to close?
    virtual bool closes_first() const = 0;

  private:
    bool connecting() const final { return endpoint_.state() == tcp::State::SynSent; }
    void advance(Instant now, tcp::Output& out);
    void read(Instant now, tcp::Output& out);
    void look_for_an_end(Instant now);
    void finish(Instant now, tcp::Output& out);
    void decide(const backend::Outcome& outcome, Instant now);
    void end(Instant now, tcp::Output& out);

    tcp::Endpoint endpoint_;
    std::vector<std::byte> request_;
    std::vector<std::byte> scratch_;
    Instant started_;
    Instant deadline_ = kNever;   // of the result, then of the closing
    std::size_t read_after_ = 0;  // bytes heard since the verdict
    bool over_ = false;
};

}  // namespace sluice::health
