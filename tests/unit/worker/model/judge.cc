#include "worker/model/judge.h"

#include <algorithm>

namespace sluice::test {
namespace {

// --- what is claimed ---

// Nothing corrupted, reordered or invented. Never excused.
// What an end was told to be delivered is.
constexpr unsigned kAcknowledged = 0x01;
// Whoever hears a FIN, a reset or nothing any more hears of something that the other end did.
constexpr unsigned kCause = 0x02;
// What ends in order and with every byte directly does so through Sluice.
constexpr unsigned kCalm = 0x04;
// What the direct one delivers before anything ends is delivered.
constexpr unsigned kDelivered = 0x08;
// Who closes in order has all of it delivered, and his FIN, whatever comes back to him.
constexpr unsigned kLastWords = 0x10;
// Each end hears of the end as directly: by a FIN, a reset, or not at all.
constexpr unsigned kSame = 0x20;
constexpr unsigned kAll = 0x3f;

struct Pair {
    const Script& script;
    const Outcome& through;
    const End& client;
    const End& broker;
    const End& direct_client;
    const End& direct_broker;

    bool counts(std::string_view name) const { return through.counts(name); }
    bool rough() const { return client.rough || broker.rough || direct_client.rough || direct_broker.rough; }
    bool is_silent() const { return client.silent || broker.silent; }
    bool lossless() const { return script.lossless(); }
    bool hardly_lossy() const { return script.clients_wire.loss + script.brokers_wire.loss <= 20; }
    Duration round_trip() const { return 2 * (script.clients_wire.delay + script.brokers_wire.delay); }
    // What takes no longer cannot overtake anything.
    Duration margin() const { return 5 * round_trip() + script.answer_after + 1s; }
    // When the direct one's ends began to end.
    Duration direct_end() const {
        const Instant first = std::min(
            {direct_client.left_at, direct_broker.left_at, direct_client.heard_at, direct_broker.heard_at});
        return first == kNever ? Duration::max() : first - direct_client.start;
    }
};

// --- what is different, and why ---

struct Difference {
    const char* what;
    unsigned excuses;
    bool (*applies)(const Pair&);
};

constexpr Difference kDifferences[] = {
    {"A client that keeps silent for one and a half times its Keep Alive is ended on both sides, and not "
     "every "
     "broker of this test would do that (MQTT 3.1.1 section 3.1.2.10).",
     kAll,
     [](const Pair& p) {
         const Duration limit = std::chrono::milliseconds(p.script.keep_alive * 1500);
         return p.counts("closed_idle") && p.script.keep_alive != 0 && p.through.took >= limit;
     }},
    {"A client waits for its broker as long as attempt_timeout and connect_timeout say, and is then refused "
     "in "
     "Sluice's own words; a direct one waits for ever. So is one whose broker "
     "closes or resets instead of answering.",
     kAll,
     [](const Pair& p) {
         const bool deserved =
             p.script.answer != Answer::Accept || p.broker.written == 0 || p.broker.rough || !p.lossless();
         return p.counts("refused_no_backend") && deserved;
     }},
    {"A client has connect_timeout for its whole CONNECT.", kAll,
     [](const Pair& p) {
         return (p.counts("client_connect_timeout") || p.counts("client_handshake_failed")) &&
                p.through.took >= 10s;
     }},
    {"The half CONNECT of a client that then closes is nothing that a broker could answer, so none hears of "
     "it.",
     kAll, [](const Pair& p) { return p.counts("client_closed_early"); }},
    {"While Sluice has endpoints they find out for themselves that an end is silent, and the other is told "
     "by a "
     "reset. What was acknowledged to it meanwhile is lost, as it is with a direct host that crashes.",
     kAll,
     [](const Pair& p) {
         return (p.counts("closed_client_timeout") || p.counts("closed_broker_timeout")) &&
                (p.is_silent() || !p.lossless() || p.script.answer == Answer::Silence);
     }},
    {"A reset overtakes what Sluice holds: who resets a connection has given up what is under way.",
     kAcknowledged, [](const Pair& p) { return p.client.rough || p.broker.rough; }},
    {"Stragglers are answered for one second, not for a minute: a FIN that is repeated later is answered by "
     "a "
     "reset, when both ends have had both FINs.",
     kCause | kSame, [](const Pair& p) { return p.client.heard_fin && p.broker.heard_fin; }},
    {"close() resets when something was not read or comes later: that depends on which came first.",
     kCalm | kSame,
     [](const Pair& p) {
         return p.client.orphan || p.broker.orphan || p.direct_client.orphan || p.direct_broker.orphan;
     }},
    {"Ends that come about at the same moment may be heard of in either order, and Sluice's handshake comes "
     "before the broker's. Only what is longer apart than all of that is compared.",
     kSame,
     [](const Pair& p) {
         const auto near = [&](const End& a, const End& b) {
             return a.left && b.left &&
                    std::max(a.left_at, b.left_at) - std::min(a.left_at, b.left_at) < p.margin();
         };
         return p.direct_end() < p.margin() || near(p.client, p.broker) ||
                near(p.direct_client, p.direct_broker);
     }},
    {"Nobody waits longer than the ends' patience, and what comes about then is a race.", kCalm | kSame,
     [](const Pair& p) {
         return p.client.gave_up && p.broker.gave_up && p.direct_client.gave_up && p.direct_broker.gave_up;
     }},
    {"What is lost is lost in other places, and that moves everything.", kSame | kDelivered,
     [](const Pair& p) { return !p.lossless(); }},
    {"With several workers the lab's ports give neighboring frames to different ones, and they leave in "
     "another "
     "order: endpoints without SACK repeat for that.",
     kDelivered, [](const Pair& p) { return p.counts("handover_frames"); }},
    {"What takes the direct one half of the ends' patience, a byte here and there over radio, may take "
     "longer "
     "than all of it.",
     kCalm | kLastWords,
     [](const Pair& p) {
         const Instant late = std::max(p.direct_client.heard_at, p.direct_broker.heard_at);
         return late != kNever && late - p.direct_client.start > p.script.client.patience / 2;
     }},
    {"Sluice promises a client a window before it knows its broker. One that then has less than half of it "
     "waits "
     "for its timer before each segment (RFC 1122 section 4.2.3.4), where it would not, had it never seen "
     "more. "
     "Buffers of less than a kilobyte are so rare that nothing is done about it.",
     kCalm | kDelivered | kLastWords | kSame,
     [](const Pair& p) {
         return std::min(p.script.client.options.receive_buffer, p.script.broker.options.receive_buffer) <=
                1024;
     }},
    {"A sender with so small a buffer is paced by acknowledgements, and these by the delays of two "
     "endpoints.",
     kDelivered,
     [](const Pair& p) {
         return std::min(p.script.client.options.send_buffer, p.script.broker.options.send_buffer) <= 1024;
     }},
    {"A client is told an MSS before its broker is known. Where the broker's window is less than two of the "
     "client's segments, the second one waits for the first.",
     kDelivered,
     [](const Pair& p) {
         return p.script.broker.options.receive_buffer < 2U * p.script.client.options.receive_mss;
     }},
    {"A broker that has measured Sluice's round trip takes a slow client's silence for a loss once. The "
     "copies "
     "are held, but it goes on from a small window; one with F-RTO (RFC 5682) would not.",
     kDelivered, [](const Pair& p) { return p.counts("splice_copies_held"); }},
    {"What was still on its way directly when an end left may have come in time through Sluice, which takes "
     "what "
     "a client says before its broker does: the FIN behind it, too.",
     kSame,
     [](const Pair& p) {
         return p.direct_broker.delivered() < std::max(p.direct_client.written, p.client.written) ||
                p.direct_client.delivered() < std::max(p.direct_broker.written, p.broker.written);
     }},
    {"A client's life before a reboot ends when its end hears of the next: both are on their way at once.",
     kSame, [](const Pair& p) { return p.script.reboots_after.has_value(); }},
    {"A broker that leaves before the CONNECT is whole has nothing of it.", kDelivered,
     [](const Pair& p) {
         return p.script.answer != Answer::Silence && p.direct_broker.written == 0 && p.broker.left;
     }},
    {"What a client says behind its CONNECT, its reset too, waits for the broker's answer, as long as "
     "another "
     "one may be tried.",
     kDelivered | kSame, [](const Pair& p) { return p.script.answer == Answer::Silence; }},
    {"A broker that has not answered when it hears a FIN says no more. The CONNECT is with it earlier than "
     "the "
     "FIN by the time of one handshake more, or less: what it says meanwhile is another conversation.",
     kCalm, [](const Pair& p) { return p.direct_broker.written < p.broker.written; }},
    {"An end that has forgotten answers who speaks to it, and when that is depends on timers of old.", kSame,
     [](const Pair& p) { return p.broker.forgot || p.direct_broker.forgot; }},
    {"A wire that loses much may need more than the ends' patience, by chance.", kCalm | kLastWords,
     [](const Pair& p) { return !p.hardly_lossy(); }},
    {"Who exits as soon as it has said all does so earlier, because Sluice takes it earlier.",
     kSame | kDelivered, [](const Pair& p) { return p.script.client.exit_at == Duration::zero(); }},
    {"An end that never reads gets no further than its buffer, and hears neither FIN nor reset behind it: "
     "Sluice holds what it has acknowledged, and gives it time.",
     kCalm | kDelivered | kLastWords | kSame,
     [](const Pair& p) { return p.client.part.read_most == 0 || p.broker.part.read_most == 0; }},
};

// --- judging ---

class Court {
  public:
    Court(const Pair& pair, std::string who, std::vector<std::string>& faults)
        : p_(pair), who_(std::move(who)), faults_(faults) {
        for (const Difference& d : kDifferences) {
            if (d.applies(pair)) excused_ |= d.excuses;
        }
    }

    void run() {
        words();
        acknowledged();
        cause(p_.client, p_.broker, "client");
        cause(p_.broker, p_.client, "broker");
        calm();
        delivered();
        last_words(p_.client, p_.broker, p_.direct_client, p_.direct_broker, "client");
        last_words(p_.broker, p_.client, p_.direct_broker, p_.direct_client, "broker");
        same(p_.client, p_.direct_client, "client");
        same(p_.broker, p_.direct_broker, "broker");
    }

  private:
    void claim(unsigned which, bool holds, const std::string& what) {
        if (!holds && (excused_ & which) == 0) faults_.push_back(who_ + what);
    }

    void words() {
        const bool refused = p_.counts("refused_no_backend") && p_.client.received == kConnackUnavailable;
        claim(0, refused || p_.broker.part.says.starts_with(p_.client.received),
              "client read what nobody said");
        claim(0, p_.client.part.says.starts_with(p_.broker.received), "broker read what nobody said");
    }

    void acknowledged() {
        claim(kAcknowledged, p_.client.acknowledged() <= p_.broker.delivered(),
              "what was acknowledged to the client was not delivered");
        claim(kAcknowledged, p_.broker.acknowledged() <= p_.client.delivered(),
              "what was acknowledged to the broker was not delivered");
    }

    void cause(const End& end, const End& other, const std::string& name) {
        claim(kCause, !end.heard_fin || other.left, name + " heard a FIN that nobody sent");
        claim(kCause, !end.heard_reset || other.rough || end.rough || end.orphan,
              name + " heard a reset that nobody sent");
        claim(kCause, !end.timed_out || other.silent || !p_.lossless(), name + " gave up on a live end");
    }

    void calm() {
        const End& c = p_.direct_client;
        const End& b = p_.direct_broker;
        if (c.rough || b.rough || !c.heard_fin || !b.heard_fin) return;
        claim(kCalm, p_.client.heard_fin && p_.broker.heard_fin && !p_.client.rough && !p_.broker.rough,
              "did not end in order");
        claim(kCalm, p_.client.delivered() == p_.broker.written && p_.broker.delivered() == p_.client.written,
              "ended, but not everything was delivered");
    }

    void delivered() {
        const Duration end = p_.direct_end();
        if (end == Duration::max() || end < p_.margin()) return;
        const Duration before = end - p_.margin();
        claim(kDelivered,
              p_.broker.delivered() >= p_.direct_broker.delivered_by(p_.direct_broker.start + before),
              "less was delivered to the broker");
        claim(kDelivered,
              p_.client.delivered() >= p_.direct_client.delivered_by(p_.direct_client.start + before),
              "less was delivered to the client");
    }

    // `from` closes in order, and directly `to` has all of it.
    void last_words(const End& from, const End& to, const End& direct_from, const End& direct_to,
                    const std::string& name) {
        const bool in_order = from.part.exit == Exit::Close || from.part.exit == Exit::Shutdown;
        const bool heard = direct_to.heard_fin && direct_to.delivered() == direct_from.written;
        if (!in_order || !heard || !from.left || from.gave_up || to.part.exit != Exit::AwaitPeer) return;
        if (to.script.answer != Answer::Accept || from.written == 0) return;
        // A reset at once, because something was not read, or before all was acknowledged: chance decides.
        if (from.left_at == from.rough_at || from.acknowledged() != from.written) return;
        // Something that came after close() has it reset, before a FIN perhaps that the window held back.
        claim(kLastWords, (to.heard_fin || from.orphan) && to.delivered() == from.written,
              name + " closed, and its last words were not delivered");
    }

    void same(const End& end, const End& direct, const std::string& name) {
        claim(kSame, end.heard_fin == direct.heard_fin, name + " heard of a FIN in one world only");
        claim(kSame, end.heard_reset == direct.heard_reset, name + " heard of a reset in one world only");
        claim(kSame, end.timed_out == direct.timed_out, name + " gave up in one world only");
    }

    const Pair& p_;
    const std::string who_;
    std::vector<std::string>& faults_;
    unsigned excused_ = 0;
};

// The last one that heard of the client, whose CONNECT is longer after a reboot; or the last that heard of
// nobody. An attempt for its life before may come through late.
const End* broker_of(const Outcome& outcome, const End& client) {
    const End* heard = nullptr;
    const End* deaf = nullptr;
    for (const auto& end : outcome.brokers) {
        if (end->script.client_id != client.script.client_id) continue;
        if (end->delivered() == 0) deaf = end.get();
        const bool begins = client.part.says.starts_with(end->received.substr(0, 2));
        if (end->delivered() != 0 && begins) heard = end.get();
    }
    return heard != nullptr ? heard : deaf;
}

}  // namespace

std::vector<std::string> judge(const Script& script, const Outcome& direct, const Outcome& through) {
    std::vector<std::string> faults;
    if (!direct.came_to_rest) faults.push_back("the direct connection never comes to rest");
    if (!through.came_to_rest) faults.push_back("never comes to rest");
    for (std::size_t i = 0; i < std::min(direct.clients.size(), through.clients.size()); ++i) {
        const End& client = *through.clients[i];
        const End* const broker = broker_of(through, client);
        const End* const direct_broker = broker_of(direct, *direct.clients[i]);
        if (broker == nullptr || direct_broker == nullptr) {
            // Nobody came through to a broker, so nobody else can have said anything.
            const bool own = client.received.empty() || client.received == kConnackUnavailable;
            if (broker == nullptr && !own) faults.push_back("a client was answered by nobody");
            continue;
        }
        const Pair pair{script, through, client, *broker, *direct.clients[i], *direct_broker};
        Court(pair, i == 0 ? "" : "rebooted: ", faults).run();
    }
    return faults;
}

}  // namespace sluice::test
