// Two transports with nothing between them: what one sends the other delivers at its next turn, in pieces of
// any size. For tests of what clients and brokers say to each other, under a clock of the test's.
#pragma once

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <vector>

#include "transport.h"

namespace sluice::load::test {

class PairTransport final : public Transport {
  public:
    // To be joined with another one before use.
    PairTransport(Events& events, Id capacity) : events_(events), capacity_(capacity) {}
    void join(PairTransport& other) {
        other_ = &other;
        other.other_ = this;
    }

    // At most so many bytes are delivered at a time.
    std::size_t piece = std::numeric_limits<std::size_t>::max();
    bool refuse = false;        // connections that the other side opens are refused
    bool ignore = false;        // or nothing is heard of them
    bool out_of_files = false;  // open() has no socket
    std::size_t limit = 4096;   // receive_limit()

    Id capacity() const override { return capacity_; }
    std::size_t receive_limit() const override { return limit; }

    bool open(Instant, Id id) override {
        if (out_of_files) return false;
        ends_[id] = {};
        if (other_->ignore) return true;
        push({.kind = Event::Kind::Open, .from = id});
        return true;
    }
    bool send(Instant, Id id, ByteView bytes) override {
        push({.kind = Event::Kind::Bytes, .from = id, .bytes = {bytes.begin(), bytes.end()}});
        return true;
    }
    void close(Instant, Id id) override {
        Side& end = ends_.at(id);
        if (end.closed) return;
        end.closed = true;
        push({.kind = Event::Kind::Fin, .from = id});
    }
    void abort(Instant now, Id id) override {
        push({.kind = Event::Kind::Reset, .from = id});
        finish(now, id, End::Aborted);
    }
    FourTuple tuple(Id id) const override {
        return {.local = local, .remote = {IpAddress::v4(10, 1, 0, 2), static_cast<std::uint16_t>(id + 1)}};
    }
    bool turn(Instant now) override {
        std::deque<Event> events = std::exchange(inbox_, {});
        for (const Event& event : events) on_event(now, event);
        return !events.empty();
    }
    void rest(Instant, Duration) override {}
    Totals totals() const override { return {.connections = ends_.size()}; }

    bool idle() const { return inbox_.empty(); }
    // Of all connections, what the other side is told of at once.
    void reset_all(Instant now) {
        const auto all = ends_;
        for (const auto& [id, end] : all) abort(now, id);
    }
    SocketAddress local{IpAddress::v4(10, 2, 0, 2), 1883};

  private:
    struct Side {
        Id peer = 0;
        bool open = false;
        bool closed = false;  // here
        bool peer_closed = false;
        std::vector<std::byte> kept{};
    };
    struct Event {
        enum class Kind { Open, Opened, Refused, Bytes, Fin, Reset };
        Kind kind = Kind::Open;
        Id from = 0;
        std::vector<std::byte> bytes{};
    };

    void push(Event event) {
        // A connection that the other side does not know yet is named by its opener's number.
        other_->inbox_.push_back(std::move(event));
    }
    // Ours that is joined to theirs.
    Id mine(Id theirs) const {
        for (const auto& [id, end] : ends_) {
            if (end.open && end.peer == theirs) return id;
        }
        return capacity_;
    }
    void finish(Instant now, Id id, End why) {
        ends_.erase(id);
        events_.on_end(now, id, why);
    }
    void on_open_by_peer(Instant now, Id theirs) {
        if (refuse) return push({.kind = Event::Kind::Refused, .from = theirs});
        Id id = 0;
        while (ends_.contains(id)) ++id;
        ends_[id] = {.peer = theirs, .open = true};
        other_->ends_.at(theirs).peer = id;
        push({.kind = Event::Kind::Opened, .from = id});
        events_.on_open(now, id);
    }
    void on_event(Instant now, const Event& event) {
        if (event.kind == Event::Kind::Open) {
            if (other_->ends_.contains(event.from)) on_open_by_peer(now, event.from);
            return;
        }
        if (event.kind == Event::Kind::Refused) return finish(now, event.from, End::Refused);
        if (event.kind == Event::Kind::Opened) {
            for (auto& [id, end] : ends_) {
                if (end.open || end.peer != event.from) continue;
                end.open = true;
                return events_.on_open(now, id);
            }
            return;
        }
        const Id id = mine(event.from);
        if (id == capacity_) return;
        if (event.kind == Event::Kind::Reset) return finish(now, id, End::Reset);
        if (event.kind == Event::Kind::Bytes) return deliver(now, id, event.bytes);
        Side& end = ends_.at(id);
        end.peer_closed = true;
        close(now, id);
        other_->settle(now, event.from);
        finish(now, id, End::Finished);
    }
    // The other side has closed as well.
    void settle(Instant now, Id id) {
        if (ends_.contains(id) && ends_.at(id).closed) finish(now, id, End::Finished);
    }
    void deliver(Instant now, Id id, const std::vector<std::byte>& bytes) {
        for (std::size_t at = 0; at < bytes.size();) {
            if (!ends_.contains(id)) return;
            const std::size_t size = std::min(piece, bytes.size() - at);
            std::vector<std::byte> all = std::move(ends_.at(id).kept);
            all.insert(all.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                       bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
            const std::size_t taken = events_.on_bytes(now, id, all);
            if (ends_.contains(id))
                ends_.at(id).kept.assign(all.begin() + static_cast<std::ptrdiff_t>(taken), all.end());
            at += size;
        }
    }

    Events& events_;
    const Id capacity_;
    PairTransport* other_ = nullptr;
    std::map<Id, Side> ends_;
    std::deque<Event> inbox_;
};

}  // namespace sluice::load::test
