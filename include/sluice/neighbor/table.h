// IP-to-MAC resolution for the addresses that Sluice itself uses: ARP (RFC 826) and Neighbor Discovery (RFC
// 4861) as one pure state machine per worker and port. Time and parsed messages in; requests and freed
// packets out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "sluice/base/address.h"
#include "sluice/base/time.h"

namespace sluice::neighbor {

// RFC 4861 section 7.3.2 names, used for ARP too.
enum class State : std::uint8_t { Incomplete, Reachable, Stale, Probe, Failed };
const char* to_string(State state);

struct Options {
    Duration retransmit = std::chrono::seconds(1);  // RETRANS_TIMER
    std::uint8_t attempts = 3;                      // MAX_UNICAST_SOLICIT, MAX_MULTICAST_SOLICIT
    Duration reachable = std::chrono::seconds(30);  // REACHABLE_TIME
    Duration stale = std::chrono::minutes(10);      // an unused stale entry is dropped after this
    Duration failed = std::chrono::seconds(3);      // a failed address is not asked for again during this
    std::size_t capacity = 4096;                    // entries; beyond it the least recently used is dropped
};

// What the table wants sent: an ARP request or a neighbor solicitation for target; to: the known MAC when it
// is a unicast re-check, nullopt for broadcast / solicited-node multicast.
struct Solicitation {
    IpAddress target;
    std::optional<MacAddress> to;
};

// The address became known or unreachable: packets held for it may go, or must be dropped. Every Incomplete
// entry ends in exactly one of these, also one that gives way to another because the table is full.
struct Resolution {
    IpAddress address;
    std::optional<MacAddress> mac;  // nullopt: failed
};

// Called as the last thing that a Table function does with its entries, so either may call back into the
// Table.
class Actions {
  public:
    virtual void solicit(const Solicitation& solicitation) = 0;
    virtual void resolved(const Resolution& resolution) = 0;
    // A neighbor that was known to be at `before` is at `mac` now: copies of its MAC elsewhere must follow.
    virtual void moved(const IpAddress& address, const MacAddress& before, const MacAddress& mac) = 0;

  protected:
    ~Actions() = default;
};

class Table {
  public:
    explicit Table(const Options& options);

    // `now` never goes back from call to call.
    //
    // The MAC to send to now; nullopt while unknown (a solicitation is on its way) or failed (failed()
    // tells). Use of a stale entry starts a unicast re-check and meanwhile goes on using it.
    std::optional<MacAddress> lookup(Instant now, const IpAddress& address, Actions& actions);
    bool failed(const IpAddress& address) const;

    // An answer to a request of ours: ARP reply, or solicited neighbor advertisement. Ignored when nothing
    // asked for it, and when mac cannot be a neighbor's (zero, multicast).
    void on_answer(Instant now, const IpAddress& address, const MacAddress& mac, Actions& actions);
    // An unsolicited announcement (gratuitous ARP, unsolicited advertisement with override) or the sender
    // fields of a request that was for us: updates an entry that exists, creates none (RFC 826's merge flag).
    void on_announcement(Instant now, const IpAddress& address, const MacAddress& mac, Actions& actions);

    // Does what is due: call it when next_deadline() has come; earlier does nothing.
    void on_timer(Instant now, Actions& actions);
    Instant next_deadline() const;  // kNever when nothing is pending; cheap

    struct Entry {
        IpAddress address;
        MacAddress mac;  // zero while Incomplete or Failed
        State state = State::Incomplete;
        Instant since;  // when it took this state
    };
    std::vector<Entry> entries() const;  // sorted by address
    std::size_t size() const { return index_.size(); }

  private:
    struct Record {
        Entry entry;
        Instant deadline = kNever;  // in due_
        std::uint8_t asked = 0;     // solicitations sent in this state
    };
    using Records = std::list<Record>;  // most recently used first

    void enter(Instant now, Record& record, State state, Duration until_deadline);
    void set_deadline(Record& record, Instant deadline);
    void erase(Records::iterator record);
    // Makes room for one entry; the address of one that somebody waits for, when that had to go.
    std::optional<IpAddress> make_room();
    void learn(Instant now, Record& record, const MacAddress& mac, State state, Actions& actions);
    void expire(Instant now, Records::iterator record, Actions& actions);

    const Options options_;
    Records records_;
    absl::flat_hash_map<IpAddress, Records::iterator> index_;
    std::set<std::pair<Instant, IpAddress>> due_;
};

}  // namespace sluice::neighbor
