#include "session/session_rig.h"

#include <algorithm>

#include "sluice/mqtt/writer.h"
#include "sluice/session/leg_options.h"

namespace sluice::test {
namespace {

const FourTuple kClient{{IpAddress::v4(10, 1, 0, 1), 1883}, {IpAddress::v4(10, 1, 1, 7), 20000}};

config::Config configuration(const SessionPlan& plan) {
    config::Config config;
    for (const char* const name : {"brokers", "others"}) {
        config::Pool& pool = config.pools.emplace_back();
        pool.name = name;
        pool.balance = config::Balance::RoundRobin;
        pool.source_addresses = {IpAddress::v4(10, 2, 0, 100)};
        for (unsigned i = 0; i < plan.brokers; ++i) {
            config::Backend& backend = pool.backends.emplace_back();
            backend.name = pool.name + std::to_string(i);
            backend.address = {IpAddress::v4(10, 2, name[0] == 'b' ? 0 : 1, static_cast<std::uint8_t>(2 + i)),
                               1883};
        }
    }
    config::Listener& listener = config.listeners.emplace_back();
    listener.name = "mqtt";
    listener.address = kClient.local;
    if (plan.configure) plan.configure(config);
    return config;
}

tcp::EndpointOptions broker_end(const SessionPlan& plan) {
    tcp::EndpointOptions options;
    options.sack = !plan.broker_has_no_sack;
    return options;
}

}  // namespace

SessionRig::SessionRig(const SessionPlan& plan)
    : client({}, plan.raw_client ? std::vector<FramingOptions>{} : plan.client, plan.link, plan.seed),
      plan_(plan),
      answered_(plan.brokers, false),
      snapshot_(backend::build_snapshot(configuration(plan), {}, 1, nullptr)),
      context_{.snapshot = snapshot_.get(),
               .chooser = chooser_,
               .load = load_,
               .source_pools = sources_,
               .counters = counters_,
               .stats = stats_,
               .transmitter = *this,
               .whereabouts = whereabouts_,
               .waiting = waiting_,
               .codecs = this,
               .isn_key = {1, 2},
               .session_key = {3, 4},
               .worker = 0} {
    for (const backend::Pool& pool : snapshot_->pools) {
        sources_.emplace_back(
            nat::SourcePool::Options{.addresses = pool.config.source_addresses, .backends = plan.brokers});
    }
    for (unsigned i = 0; i < plan.brokers; ++i) {
        brokers.push_back(
            std::make_unique<Peer>(broker_end(plan), plan.broker, plan.link, plan.seed * 1000 + i));
        brokers.back()->listen();
    }
    client.connect(now);
}

void SessionRig::open(const tcp::Segment& syn) {
    const tcp::EndpointOptions options = session::client_options(*snapshot_, 0, kClient, 1460, {5, 6});
    connection.emplace(kClient, session::ClientPath{}, 0U, 0U, options, for_client(0), now);
    session().open(now, syn, tcp::Seq(0x7fff'ff00));
}

// What is spliced or over is not the session's any more, and nobody answers it here.
void SessionRig::on_client_segment(const tcp::Segment& segment) {
    if (over()) return;
    if (!connection) {
        if (segment.flags.syn) open(segment);
        return;
    }
    const bool taken = session().on_client_segment(now, segment);
    EXPECT_TRUE(taken || phase() == session::Phase::Spliced);
}

void SessionRig::step() {
    tcp::Segment segment;
    std::string bytes;
    client.step(now);
    for (const auto& broker : brokers) broker->step(now);
    while (client.receive(now, segment, bytes)) on_client_segment(segment);
    for (std::uint32_t i = 0; i < brokers.size(); ++i) {
        while (brokers[i]->receive(now, segment, bytes)) {
            if (over() || connection->backend != i) continue;
            const bool taken = session().on_broker_segment(now, segment);
            EXPECT_TRUE(taken || phase() == session::Phase::Spliced);
        }
    }
    if (connection && !over() && session().deadline() <= now) session().on_timer(now);
    if (connection && !over()) {
        EXPECT_GT(session().deadline(), now) << "a deadline that does not pass";
        most_held =
            std::max(most_held, connection->client_leg.memory_bytes() +
                                    (connection->broker_leg ? connection->broker_leg->memory_bytes() : 0));
    }
    answer_connects();
}

void SessionRig::answer_connects() {
    for (std::size_t i = 0; answers && i < brokers.size(); ++i) {
        if (answered_[i]) continue;
        const auto result = mqtt::read_connect(as_bytes(brokers[i]->text()), 1 << 20);
        const auto* const connect = std::get_if<mqtt::Connect>(&result);
        if (connect == nullptr) continue;
        connect_size_ = connect->size;
        answered_[i] = true;
        brokers[i]->write(now, std::string_view("\x20\x02\x00\x00", 4));
    }
}

Instant SessionRig::next_event() {
    Instant next = client.next_event();
    for (const auto& broker : brokers) next = std::min(next, broker->next_event());
    if (connection && !over()) next = std::min(next, session().deadline());
    return next;
}

void SessionRig::run(Duration duration) {
    const Instant end = now + duration;
    for (step(); now < end; step()) now = std::min(end, std::max(next_event(), now + 1us));
}

bool SessionRig::run_until(const std::function<bool()>& done, Duration limit) {
    const Instant end = now + limit;
    for (step(); !done() && now < end; step()) now = std::min(end, std::max(next_event(), now + 1us));
    return done();
}

void SessionRig::connect(std::uint16_t keep_alive) {
    client.write(now, as_text(mqtt::write_connect({.client_id = "device", .keep_alive = keep_alive})));
    EXPECT_TRUE(run_until([&] { return client.text().size() >= 4; }));
    EXPECT_EQ(client.text().substr(0, 4), std::string_view("\x20\x02\x00\x00", 4));
}

}  // namespace sluice::test
