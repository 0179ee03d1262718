// The states of RFC 4861 section 7.3.2 without DELAY: there, an upper layer may confirm reachability before
// the first probe; here the first use of a stale entry probes at once, which costs one small packet in
// REACHABLE_TIME and needs no word from above. ARP runs through the same states.
#include "sluice/neighbor/table.h"

#include <algorithm>
#include <iterator>

namespace sluice::neighbor {
namespace {

// RFC 1122 section 2.3.2.1 and RFC 1812 section 3.3.2: a neighbor is never behind a group address.
bool can_be_neighbor(const MacAddress& mac) { return !mac.is_zero() && !mac.is_multicast(); }

}  // namespace

const char* to_string(State state) {
    switch (state) {
        case State::Incomplete: return "incomplete";
        case State::Reachable: return "reachable";
        case State::Stale: return "stale";
        case State::Probe: return "probe";
        case State::Failed: return "failed";
    }
    return "?";
}

Table::Table(const Options& options) : options_(options) { index_.reserve(options_.capacity); }

std::optional<MacAddress> Table::lookup(Instant now, const IpAddress& address, Actions& actions) {
    const auto found = index_.find(address);
    if (found == index_.end()) {
        const std::optional<IpAddress> given_up = make_room();
        Record& record = records_.emplace_front();
        index_.emplace(address, records_.begin());
        record.entry.address = address;
        enter(now, record, State::Incomplete, options_.retransmit);
        record.asked = 1;
        if (given_up) actions.resolved({.address = *given_up, .mac = std::nullopt});
        actions.solicit({.target = address, .to = std::nullopt});
        return std::nullopt;
    }
    records_.splice(records_.begin(), records_, found->second);
    Record& record = *found->second;
    switch (record.entry.state) {
        case State::Incomplete:
        case State::Failed: return std::nullopt;
        case State::Reachable:
        case State::Probe: return record.entry.mac;
        case State::Stale: {
            const MacAddress mac = record.entry.mac;
            enter(now, record, State::Probe, options_.retransmit);
            record.asked = 1;
            actions.solicit({.target = address, .to = mac});
            return mac;
        }
    }
    return std::nullopt;
}

bool Table::failed(const IpAddress& address) const {
    const auto found = index_.find(address);
    return found != index_.end() && found->second->entry.state == State::Failed;
}

void Table::on_answer(Instant now, const IpAddress& address, const MacAddress& mac, Actions& actions) {
    const auto found = index_.find(address);
    if (found == index_.end() || !can_be_neighbor(mac)) return;
    Record& record = *found->second;
    switch (record.entry.state) {
        case State::Incomplete:
        case State::Probe:
        case State::Failed:  // a late answer is an answer
            learn(now, record, mac, State::Reachable, actions);
            return;
        case State::Reachable:
        case State::Stale: return;
    }
}

// RFC 4861 sections 7.2.3 and 7.2.5: what was not asked for is believed but not trusted: the entry becomes
// stale, so the next use checks it. News that are none change nothing.
void Table::on_announcement(Instant now, const IpAddress& address, const MacAddress& mac, Actions& actions) {
    const auto found = index_.find(address);
    if (found == index_.end() || !can_be_neighbor(mac)) return;
    Record& record = *found->second;
    if (record.entry.mac == mac) return;
    learn(now, record, mac, State::Stale, actions);
}

void Table::on_timer(Instant now, Actions& actions) {
    // The actions may change the table, so each turn looks anew for the first that is due.
    while (!due_.empty() && due_.begin()->first <= now)
        expire(now, index_.find(due_.begin()->second)->second, actions);
}

Instant Table::next_deadline() const { return due_.empty() ? kNever : due_.begin()->first; }

std::vector<Table::Entry> Table::entries() const {
    std::vector<Entry> out;
    out.reserve(records_.size());
    for (const Record& record : records_) out.push_back(record.entry);
    std::ranges::sort(out, {}, &Entry::address);
    return out;
}

void Table::enter(Instant now, Record& record, State state, Duration until_deadline) {
    record.entry.state = state;
    record.entry.since = now;
    record.asked = 0;
    set_deadline(record, now + until_deadline);
}

void Table::set_deadline(Record& record, Instant deadline) {
    due_.erase({record.deadline, record.entry.address});
    record.deadline = deadline;
    due_.emplace(deadline, record.entry.address);
}

void Table::erase(Records::iterator record) {
    due_.erase({record->deadline, record->entry.address});
    index_.erase(record->entry.address);
    records_.erase(record);
}

std::optional<IpAddress> Table::make_room() {
    if (records_.empty() || records_.size() < options_.capacity) return std::nullopt;
    const auto last = std::prev(records_.end());
    std::optional<IpAddress> given_up;
    if (last->entry.state == State::Incomplete) given_up = last->entry.address;
    erase(last);
    return given_up;
}

void Table::learn(Instant now, Record& record, const MacAddress& mac, State state, Actions& actions) {
    const bool was_unknown = record.entry.state == State::Incomplete || record.entry.state == State::Failed;
    const bool is_elsewhere = !was_unknown && record.entry.mac != mac;
    const IpAddress address = record.entry.address;
    const MacAddress before = record.entry.mac;
    record.entry.mac = mac;
    enter(now, record, state, state == State::Reachable ? options_.reachable : options_.stale);
    if (was_unknown) actions.resolved({.address = address, .mac = mac});
    if (is_elsewhere) actions.moved(address, before, mac);
}

void Table::expire(Instant now, Records::iterator record, Actions& actions) {
    const IpAddress address = record->entry.address;
    switch (record->entry.state) {
        case State::Reachable: enter(now, *record, State::Stale, options_.stale); return;
        case State::Stale:
        case State::Failed: erase(record); return;
        case State::Incomplete:
            if (record->asked >= options_.attempts) {
                enter(now, *record, State::Failed, options_.failed);
                actions.resolved({.address = address, .mac = std::nullopt});
                return;
            }
            break;
        case State::Probe:
            // RFC 4861 section 7.3.3: forget it; the next use asks everybody, and so finds one that has
            // moved.
            if (record->asked >= options_.attempts) {
                erase(record);
                return;
            }
            break;
    }
    ++record->asked;
    set_deadline(*record, now + options_.retransmit);
    if (record->entry.state == State::Probe)
        actions.solicit({.target = address, .to = record->entry.mac});
    else
        actions.solicit({.target = address, .to = std::nullopt});
}

}  // namespace sluice::neighbor
