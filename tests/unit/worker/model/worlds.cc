#include "worker/model/worlds.h"

#include <algorithm>
#include <iostream>

#include "sluice/wire/ip_packet.h"
#include "worker/model/amount.h"
#include "worker/model/fragments.h"
#include "worker/packets.h"

namespace sluice::test {
namespace {

constexpr std::uint32_t kMostSteps = 200'000;

// What passes Sluice, for who looks into a seed.
void show(Instant now, const char* where, const tcp::Segment& s, std::size_t size) {
    static const bool asked = amount("SLUICE_MODEL_PACKETS", 0) != 0;
    if (!asked) return;
    std::cout << std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() << ' '
              << where << ' ' << wire::to_string(s.flags) << ' ' << s.seq.value() << ':' << size << " ack "
              << s.ack.value() << " win " << s.window << (s.options.timestamps ? " ts" : "") << '\n';
}

bool begins(const tcp::Segment& segment) { return segment.flags.syn && !segment.flags.ack; }

}  // namespace

World::World(const Script& script, const SocketAddress& client, const SocketAddress& server, Instant now)
    : script_(script), now_(now), client_tuple_{client, server} {
    first_ = static_cast<std::uint32_t>(script.seed * 0x9e3779b9U);
}

void World::begin_client(const Script& script) {
    first_ += 0x123457;
    outcome_.clients.push_back(std::make_unique<End>(
        script, true, client_tuple_, now_, now_, tcp::Seq(first_),
        [this](const FourTuple& tuple, const tcp::Segment& segment) { from_client(tuple, segment); }));
}

End* World::broker_at(const SocketAddress& from) {
    const auto found = std::find_if(outcome_.brokers.rbegin(), outcome_.brokers.rend(),
                                    [&](const auto& end) { return end->tuple.remote == from; });
    return found == outcome_.brokers.rend() ? nullptr : found->get();
}

void World::to_client(const Parcel& parcel) {
    tcp::Segment segment = parcel.segment;
    segment.payload = as_bytes(parcel.bytes);
    segment.payload_tail = {};
    outcome_.clients.back()->on_segment(now_, segment);
}

void World::to_broker(const Parcel& parcel) {
    if (host_is_silent_) return;
    tcp::Segment segment = parcel.segment;
    segment.payload = as_bytes(parcel.bytes);
    segment.payload_tail = {};
    End* end = broker_at(parcel.tuple.local);
    if ((end == nullptr || end->over()) && begins(segment)) {
        first_ += 0x7654321;
        const FourTuple tuple{parcel.tuple.remote, parcel.tuple.local};
        // A client's second life finds the same host.
        const Script& script = outcome_.clients.back()->script;
        outcome_.brokers.push_back(std::make_unique<End>(
            script, false, tuple, outcome_.clients.back()->start, now_, tcp::Seq(first_),
            [this](const FourTuple& t, const tcp::Segment& s) { from_broker(t, s); }));
        end = outcome_.brokers.back().get();
    }
    if (end != nullptr) return end->on_segment(now_, segment);
    if (const auto reset = tcp::reset_for(segment)) {
        from_broker({parcel.tuple.remote, parcel.tuple.local}, *reset);
    }
}

void World::act() {
    for (const auto& end : outcome_.clients) end->act(now_);
    for (const auto& end : outcome_.brokers) {
        end->act(now_);
        host_is_silent_ = host_is_silent_ || end->silent;
    }
    const End& first = *outcome_.clients.front();
    if (script_.reboots_after && outcome_.clients.size() == 1 && first.silent &&
        now_ >= first.left_at + *script_.reboots_after) {
        begin_client(after_reboot(script_));
    }
}

Instant World::next() const {
    Instant next = next_due();
    for (const auto& end : outcome_.clients) next = std::min(next, end->next_due());
    for (const auto& end : outcome_.brokers) next = std::min(next, end->next_due());
    const End& first = *outcome_.clients.front();
    if (script_.reboots_after && outcome_.clients.size() == 1 && first.silent) {
        next = std::min(next, first.left_at + *script_.reboots_after);
    }
    return next;
}

bool World::all_over() const {
    const auto over = [](const auto& end) { return end->over(); };
    if (script_.reboots_after && outcome_.clients.size() == 1 && outcome_.clients.front()->silent)
        return false;
    return is_empty() && std::ranges::all_of(outcome_.clients, over) &&
           std::ranges::all_of(outcome_.brokers, over);
}

Outcome World::play() {
    const Instant start = now_;
    begin_client(script_);
    for (std::uint32_t steps = 0; steps < kMostSteps; ++steps) {
        act();
        pass_on(now_);
        if (all_over()) {
            outcome_.came_to_rest = true;
            break;
        }
        const Instant at = next();
        if (at == kNever) break;
        now_ = std::max(now_, at);
    }
    outcome_.took = now_ - start;
    return std::move(outcome_);
}

namespace {

const SocketAddress kDirectClient{IpAddress::v4(10, 1, 1, 0), 20000};
const SocketAddress kDirectServer{IpAddress::v4(10, 2, 0, 2), 1883};

WireOptions both(const WireOptions& a, const WireOptions& b) {
    return {.delay = a.delay + b.delay,
            .jitter = a.jitter + b.jitter,
            .loss = a.loss + b.loss,
            .duplicate = a.duplicate + b.duplicate};
}

class Direct final : public World {
  public:
    explicit Direct(const Script& script)
        : World(script, kDirectClient, kDirectServer, Instant{1h}),
          up_(both(script.clients_wire, script.brokers_wire), script.seed * 2),
          down_(both(script.clients_wire, script.brokers_wire), script.seed * 2 + 1) {}

  private:
    void from_client(const FourTuple& t, const tcp::Segment& s) override { up_.send(now_, t, s); }
    void from_broker(const FourTuple& t, const tcp::Segment& s) override { down_.send(now_, t, s); }
    void pass_on(Instant now) override {
        while (up_.next_arrival() <= now) to_broker(up_.take());
        while (down_.next_arrival() <= now) to_client(down_.take());
    }
    Instant next_due() const override { return std::min(up_.next_arrival(), down_.next_arrival()); }
    bool is_empty() const override { return next_due() == kNever; }

    Wire up_;
    Wire down_;
};

class Through final : public World {
  public:
    Through(Lab& lab, const Script& script, const SocketAddress& client)
        : World(script, client, lab.listener(), lab.now),
          lab_(lab),
          from_client_(script.clients_wire, script.seed * 4),
          to_client_(script.clients_wire, script.seed * 4 + 1),
          from_broker_(script.brokers_wire, script.seed * 4 + 2),
          to_broker_(script.brokers_wire, script.seed * 4 + 3) {
        lab.lose_sent = [this](std::uint16_t port, ByteView frame) { return take(port, frame); };
    }
    ~Through() override { lab_.lose_sent = nullptr; }
    std::map<std::string_view, std::uint64_t> counted() const { return counts_.moved(""); }

  private:
    void from_client(const FourTuple& t, const tcp::Segment& s) override { from_client_.send(now_, t, s); }
    void from_broker(const FourTuple& t, const tcp::Segment& s) override { from_broker_.send(now_, t, s); }
    bool take(std::uint16_t port, ByteView frame);
    void inject(std::uint16_t port, const Parcel& parcel);
    void pass_on(Instant now) override;
    Instant next_due() const override;
    bool is_empty() const override;

    Lab& lab_;
    Wire from_client_;
    Wire to_client_;
    Wire from_broker_;
    Wire to_broker_;
    Counts counts_{lab_};
};

// TCP that Sluice sends goes by the wire; the lab's own hosts answer the rest.
bool Through::take(std::uint16_t port, ByteView frame) {
    const auto ethernet = wire::EthernetView::parse(frame);
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
    if (!packet || packet->protocol != wire::kProtocolTcp) return false;
    const auto view = wire::TcpView::parse(packet->payload);
    const auto header = view->header();
    const tcp::Segment segment{.seq = tcp::Seq(header->sequence),
                               .ack = tcp::Seq(header->acknowledgement),
                               .flags = header->flags,
                               .window = header->window,
                               .options = header->options,
                               .payload = view->payload(),
                               .payload_tail = {}};
    const FourTuple tuple{{packet->source, header->source_port},
                          {packet->destination, header->destination_port}};
    show(now_, port == 0 ? "to client" : "to broker", segment, view->payload().size());
    (port == 0 ? to_client_ : to_broker_).send(now_, tuple, segment);
    return true;
}

void Through::inject(std::uint16_t port, const Parcel& parcel) {
    const tcp::Segment& s = parcel.segment;
    show(now_, port == 0 ? "from client" : "from broker", s, parcel.bytes.size());
    const Frame frame = make_segment({.from = parcel.tuple.local,
                                      .to = parcel.tuple.remote,
                                      .sequence = s.seq.value(),
                                      .acknowledgement = s.flags.ack ? s.ack.value() : 0,
                                      .flags = s.flags,
                                      .window = s.window,
                                      .options = s.options,
                                      .payload = parcel.bytes,
                                      .source_mac = port == 0 ? lab_.clients.mac : lab_.brokers[0]->host.mac,
                                      .destination_mac = port == 0 ? Lab::kFrontMac : Lab::kBackMac});
    for (const Frame& piece : script_.fragments ? fragments_of(frame) : std::vector<Frame>{frame})
        lab_.inject(port, piece);
}

void Through::pass_on(Instant now) {
    lab_.now = now;
    while (from_client_.next_arrival() <= now) inject(0, from_client_.take());
    while (from_broker_.next_arrival() <= now) inject(1, from_broker_.take());
    lab_.settle();
    while (to_broker_.next_arrival() <= now) to_broker(to_broker_.take());
    while (to_client_.next_arrival() <= now) to_client(to_client_.take());
}

Instant Through::next_due() const {
    Instant due = std::min({from_client_.next_arrival(), to_client_.next_arrival(),
                            from_broker_.next_arrival(), to_broker_.next_arrival()});
    // A timer wheel's bound may lie before its next timer.
    for (const auto& w : lab_.workers) due = std::min(due, std::max(w->next_deadline(), now_ + 1ms));
    return due;
}

bool Through::is_empty() const {
    return from_client_.next_arrival() == kNever && to_client_.next_arrival() == kNever &&
           from_broker_.next_arrival() == kNever && to_broker_.next_arrival() == kNever &&
           lab_.usage().connections == 0;
}

}  // namespace

Outcome play_direct(const Script& script) { return Direct(script).play(); }

Outcome play_through(Lab& lab, const Script& script, const SocketAddress& client) {
    Through world(lab, script, client);
    Outcome outcome = world.play();
    outcome.counted = world.counted();
    return outcome;
}

}  // namespace sluice::test
