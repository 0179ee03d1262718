// One connection without a worker around it: a client and its brokers at the ends of wires, and in between a
// Session for whatever arrives.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/leg_rig.h"
#include "session/wire.h"
#include "sluice/session/session.h"

namespace sluice::test {

struct SessionPlan {
    std::vector<FramingOptions> client = {};  // codecs of the client's leg, none: the stream is the text
    std::vector<FramingOptions> broker = {};
    unsigned brokers = 1;
    std::function<void(config::Config&)> configure = {};
    LinkOptions link = {.delay = 1ms};
    std::uint64_t seed = 1;
    bool raw_client = false;          // says what the test writes, and no preface by itself
    bool broker_has_no_sack = false;  // an obstacle to the splice
};

class SessionRig final : public session::Transmitter, public session::CodecSource {
  public:
    explicit SessionRig(const SessionPlan& plan = {});
    ~SessionRig() { chains_.expect_used_well(); }
    SessionRig(const SessionRig&) = delete;
    SessionRig& operator=(const SessionRig&) = delete;

    void run(Duration duration);
    bool run_until(const std::function<bool()>& done, Duration limit = 600s);
    // CONNECT and CONNACK; the client's text then begins behind the CONNACK.
    void connect(std::uint16_t keep_alive = 0);

    session::Phase phase() const { return connection->phase; }
    std::uint64_t count(Counter id) const { return counters_.get(id); }
    // The broker that has the client.
    Peer& broker() { return *brokers[connection->backend]; }
    // Behind the CONNECT, or the CONNACK.
    std::string at_broker() {
        return broker().text().substr(std::min(connect_size_, broker().text().size()));
    }
    std::string at_client() const {
        return client.text().substr(std::min<std::size_t>(4, client.text().size()));
    }
    Instant deadline() { return session().deadline(); }
    session::Session session() { return {*connection, context_}; }

    Instant now{3'600s};
    Peer client;
    std::vector<std::unique_ptr<Peer>> brokers;  // by number; a broker is asked once
    std::optional<session::Connection> connection;
    bool room = true;     // for the record
    bool answers = true;  // brokers do, once they have the CONNECT
    std::optional<splice::Joint> joint;
    unsigned asked_for_splice = 0;
    std::size_t most_held = 0;

  private:
    void to_client(const session::Connection&, const tcp::Segment& segment) override {
        client.to_peer(now, segment);
    }
    void to_broker(const session::Connection& c, const tcp::Segment& segment) override {
        brokers[c.backend]->to_peer(now, segment);
    }
    std::uint16_t broker_mss(const IpAddress&) const override { return 1460; }
    void attempt_failed(std::uint32_t, const backend::Outcome&, Instant) override {}
    void attempt_succeeded(std::uint32_t) override {}
    std::optional<session::LinkDestination> broker_hop(const session::Connection&) override {
        return session::LinkDestination{};
    }
    void learned(const session::Stay&) override {}
    bool splice(const session::Connection&, const splice::Joint& both) override {
        ++asked_for_splice;
        if (room) joint = both;
        return room;
    }
    // There is no table here in which connections could rest.
    bool rest(session::Connection&) override { return false; }
    std::unique_ptr<session::CodecChain> for_client(std::uint32_t) override {
        return chains_.make(plan_.client);
    }
    std::unique_ptr<session::CodecChain> for_broker(std::uint32_t, std::uint32_t) override {
        return chains_.make(plan_.broker);
    }

    void open(const tcp::Segment& syn);
    void on_client_segment(const tcp::Segment& segment);
    void step();
    void answer_connects();
    bool over() const {
        return connection && (phase() == session::Phase::Ended || phase() == session::Phase::Spliced);
    }
    Instant next_event();

    SessionPlan plan_;
    WatchedChain chains_;
    std::vector<bool> answered_;
    std::size_t connect_size_ = 0;
    std::unique_ptr<const backend::Snapshot> snapshot_;
    backend::LoadTable load_{1, backend::kMaxBackends};
    backend::Chooser chooser_{load_, 7};
    std::vector<nat::SourcePool> sources_;
    CounterSet counters_;
    backend::BackendStats stats_;
    session::Whereabouts whereabouts_{16};
    session::CommonMemory common_;
    session::WaitingRoom waiting_{common_, 1, 16, 1 << 20};
    session::SessionContext context_;
};

}  // namespace sluice::test
