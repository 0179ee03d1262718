// How a record finds out what it cannot see: whether an end still knows the connection.
//
// What the fast path is told by packets is either certain, and ends the record at once, or only a suspicion:
// a SYN on a live tuple, an RST in the window, a long silence. Then the end itself is asked, by packets that
// no living connection takes amiss. An answer of its own clears the suspicion, a reset proves it, and so does
// silence.
#include "sluice/tcp/frame.h"
#include "worker/spliced.h"
#include "worker/spliced_parts.h"

namespace sluice::worker {
namespace {

using splice::Direction;
using Why = LivenessCheck::Why;

// RFC 5961 section 10: one challenge each.
constexpr Duration kChallengeInterval = 500ms;
// To an end that waits for its handshake, or whose connection is probably gone already. The last probe is
// waited for longer, as round trips over radio are: the first one's answer has five seconds in all.
constexpr Duration kProbeInterval = 1s;
constexpr Duration kLastWait = 3s;
// To a broker that said nothing for long, nobody waits for the answer.
constexpr Duration kUnhurried = 20s;

Counter timeout_of(Direction asked) {
    return asked == Direction::ToClient ? Counter::ClosedClientTimeout : Counter::ClosedBrokerTimeout;
}
Counter reset_by_sender_of(Direction direction) {
    return direction == Direction::ToBroker ? Counter::ClosedClientReset : Counter::ClosedBrokerReset;
}

Duration pause_after(const LivenessCheck& check) {
    if (check.why == Why::Silence) return kUnhurried;
    return check.probes < LivenessChecks::kProbes ? kProbeInterval : kLastWait;
}

}  // namespace

template <IpFamily kFamily>
void Spliced::send_ack(std::uint32_t id, Direction direction, splice::Ask ask) {
    const splice::Record<kFamily>& record = table<kFamily>()[id];
    const splice::DirectionState& way = record.core.way(direction);
    auto frame = output_.allocate();
    if (!frame) return;
    frame->length =
        tcp::write_segment(record.leg(direction).tuple(), topology_.ports()[way.port].mac, way.mac,
                           splice::bare_ack(record.core, direction, ask), frame->writable());
    output_.send(way.port, *frame);
    counters_.add(ask == splice::Ask::Challenge ? Counter::SpliceChallenges : Counter::SpliceProbes);
}

// Opens a check, or turns the one that is open to this end and reason.
template <IpFamily kFamily>
LivenessCheck* Spliced::ask(std::uint32_t id, Direction asked, Why why, Counter verdict) {
    LivenessCheck* const check = checks_.open(name_of<kFamily>(id));
    if (check == nullptr) return nullptr;
    splice::Core& core = table<kFamily>()[id].core;
    for (splice::DirectionState& way : core.ways)
        way.flags = static_cast<std::uint8_t>(way.flags & ~splice::DirectionState::kAsked);
    core.way(asked).flags |= splice::DirectionState::kAsked;
    check->why = why;
    check->asked = asked;
    check->verdict = verdict;
    check->probes = 0;
    check->turned = false;
    return check;
}

template <IpFamily kFamily>
void Spliced::stop_asking(std::uint32_t id) {
    for (splice::DirectionState& way : table<kFamily>()[id].core.ways) {
        way.flags = static_cast<std::uint8_t>(way.flags & ~splice::DirectionState::kAsked);
    }
    checks_.close(name_of<kFamily>(id));
}

template <IpFamily kFamily>
void Spliced::probe(Instant now, std::uint32_t id, LivenessCheck& check) {
    send_ack<kFamily>(id, check.asked, splice::Ask::Probe);
    ++check.probes;
    checks_.schedule(name_of<kFamily>(id), now + pause_after(check));
}

// RFC 5961 section 4. Who sent the SYN may be the end itself, which has restarted: then it answers by the
// exact reset. If nothing comes, because a firewall eats either, it is probed.
void Spliced::on_syn(Instant now, Reference connection, Direction from) {
    const Direction asked = opposite(from);
    counters_.add(Counter::DropSpliceSyn);
    with_family(family_of(connection), [&]<IpFamily kFamily>() {
        const std::uint32_t id = connection.number();
        const bool over = is_over(table<kFamily>()[id].core);
        LivenessCheck* check = checks_.find(connection);
        const bool open = check != nullptr && check->why == Why::Syn && check->asked == asked;
        if (!open && !over && (check == nullptr || check->why == Why::Silence)) {
            check = ask<kFamily>(id, asked, Why::Syn, timeout_of(asked));
            if (check != nullptr) checks_.schedule(connection, now + kProbeInterval);
        }
        if (check != nullptr) {
            if (check->challenged > now - kChallengeInterval) return;
            check->challenged = now;
        }
        send_ack<kFamily>(id, asked, splice::Ask::Challenge);
    });
}

// at: in the numbering of the receiver of `direction`.
template <IpFamily kFamily>
void Spliced::doubt_reset(Instant now, std::uint32_t id, Direction direction, tcp::Seq at) {
    LivenessCheck* check = checks_.find(name_of<kFamily>(id));
    if (check != nullptr && check->why != Why::Silence) {
        // It is asked already; the latest number is the one to compare with.
        if (check->why == Why::Reset && check->asked == direction) check->reset = at;
        return;
    }
    check = ask<kFamily>(id, direction, Why::Reset, reset_by_sender_of(direction));
    if (check == nullptr) return;
    check->reset = at;
    probe<kFamily>(now, id, *check);
}

// Of an exact RST that went in `direction`. It may only prove what another one had said before: the end that
// took that one answers the probe by it.
template <IpFamily kFamily>
Counter Spliced::reason_of_reset(std::uint32_t id, Direction direction) {
    const LivenessCheck* const check = checks_.find(name_of<kFamily>(id));
    const bool proves = check != nullptr && check->why == Why::Reset && check->asked == opposite(direction);
    return proves ? check->verdict : reset_by_sender_of(direction);
}

// The asked end has said something.
template <IpFamily kFamily>
void Spliced::on_answer(Instant now, std::uint32_t id) {
    const LivenessCheck* const check = checks_.find(name_of<kFamily>(id));
    if (check == nullptr) return stop_asking<kFamily>(id);
    // It had come as far as the reset when it sent this: it has taken it, or takes ours.
    if (check->why == Why::Reset && !check->turned &&
        table<kFamily>()[id].core.way(check->asked).acked == check->reset) {
        return end<kFamily>(now, id, check->verdict);
    }
    stop_asking<kFamily>(id);
}

template <IpFamily kFamily>
void Spliced::go_on_asking(Instant now, std::uint32_t id, LivenessCheck& check) {
    if (check.probes < LivenessChecks::kProbes) return probe<kFamily>(now, id, check);
    if (check.why != Why::Reset || check.turned) return end<kFamily>(now, id, check.verdict);
    // An accepted reset has no answer, and neither has a device asleep: whoever sent the reset, or did not,
    // knows.
    const Counter verdict = check.verdict;
    LivenessCheck* const other = ask<kFamily>(id, opposite(check.asked), Why::Reset, verdict);
    other->turned = true;
    probe<kFamily>(now, id, *other);
}

bool Spliced::check_liveness(Instant now) {
    std::size_t n = 0;
    for (; n < kTimersPerTurn; ++n) {
        const auto connection = checks_.due(now);
        if (!connection) break;
        const std::uint32_t id = connection->number();
        LivenessCheck& check = *checks_.find(*connection);
        if (connection->kind() == Reference::Kind::Spliced4) {
            go_on_asking<IpFamily::V4>(now, id, check);
        } else {
            go_on_asking<IpFamily::V6>(now, id, check);
        }
    }
    return n != 0;
}

// A broker that says nothing for long may have forgotten the connection, and its client as well: then nobody
// would ever end the record.
template <IpFamily kFamily>
void Spliced::ask_silent_broker(Instant now, std::uint32_t id) {
    splice::DirectionState& way = table<kFamily>()[id].core.way(Direction::ToClient);
    const bool heard = way.has(splice::DirectionState::kHeard);
    way.flags = static_cast<std::uint8_t>(way.flags & ~splice::DirectionState::kHeard);
    if (heard || since(now, table<kFamily>()[id].core.last_heard) < kSilence) return;
    if (checks_.find(name_of<kFamily>(id)) != nullptr) return;
    LivenessCheck* const check =
        ask<kFamily>(id, Direction::ToBroker, Why::Silence, Counter::ClosedBrokerTimeout);
    if (check != nullptr) probe<kFamily>(now, id, *check);
}

template void Spliced::stop_asking<IpFamily::V4>(std::uint32_t);
template void Spliced::stop_asking<IpFamily::V6>(std::uint32_t);
template void Spliced::doubt_reset<IpFamily::V4>(Instant, std::uint32_t, Direction, tcp::Seq);
template void Spliced::doubt_reset<IpFamily::V6>(Instant, std::uint32_t, Direction, tcp::Seq);
template Counter Spliced::reason_of_reset<IpFamily::V4>(std::uint32_t, Direction);
template Counter Spliced::reason_of_reset<IpFamily::V6>(std::uint32_t, Direction);
template void Spliced::on_answer<IpFamily::V4>(Instant, std::uint32_t);
template void Spliced::on_answer<IpFamily::V6>(Instant, std::uint32_t);
template void Spliced::ask_silent_broker<IpFamily::V4>(Instant, std::uint32_t);
template void Spliced::ask_silent_broker<IpFamily::V6>(Instant, std::uint32_t);

}  // namespace sluice::worker
