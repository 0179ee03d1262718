// A network in a test's hands: connections exist because the test says so, bytes come in as the test cuts
// them, and what was sent lies there for the test to read. It holds its user to the rules of Transport.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/bytes.h"
#include "transport.h"

namespace sluice::load::test {

class FakeTransport final : public Transport {
  public:
    explicit FakeTransport(Id capacity, std::size_t receive_limit = 4096)
        : capacity_(capacity), receive_limit_(receive_limit) {}

    // Who is told of what happens; once, before anything does.
    void set_events(Events& events) { events_ = &events; }

    // --- what the network does ---

    // A connection from `remote` arrives at `local`, under the lowest number that is free.
    Id accept(Instant now, const SocketAddress& local, const SocketAddress& remote = kClient) {
        Id id = 0;
        while (connections_.contains(id)) ++id;
        EXPECT_LT(id, capacity_);
        connections_[id] = Connection{.tuple = {local, remote}, .open = true};
        events_->on_open(now, id);
        return id;
    }
    // The other side answers to what open() began.
    void establish(Instant now, Id id) {
        ASSERT_TRUE(is_opening(id));
        connections_[id].open = true;
        events_->on_open(now, id);
    }
    // Bytes arrive in one piece; what was not taken earlier comes again in front of them.
    void arrive(Instant now, Id id, std::string_view bytes) {
        if (!connections_.contains(id)) return;
        const ByteView raw = as_bytes(bytes);
        std::vector<std::byte>& pending = connections_[id].pending;
        pending.insert(pending.end(), raw.begin(), raw.end());
        // Bytes of their own, so that a sanitizer sees who reads past them or keeps them.
        const std::vector<std::byte> all = pending;
        const std::size_t taken = events_->on_bytes(now, id, all);
        ASSERT_LE(taken, all.size());
        const auto at = connections_.find(id);
        if (at == connections_.end()) return;
        at->second.pending.assign(all.begin() + static_cast<std::ptrdiff_t>(taken), all.end());
        EXPECT_LT(at->second.pending.size(), receive_limit_) << "takes nothing of a full buffer";
    }
    // The same in pieces of so many bytes.
    void arrive_in_pieces(Instant now, Id id, std::string_view bytes, std::size_t piece) {
        for (std::size_t at = 0; at < bytes.size(); at += piece) arrive(now, id, bytes.substr(at, piece));
    }
    // The connection ends by the other side or the network, whatever is under way.
    void end(Instant now, Id id, End how) {
        ASSERT_EQ(connections_.erase(id), 1U);
        events_->on_end(now, id, how);
    }
    // The other side stops reading, or goes on: so many bytes are still taken by send().
    void set_room(Id id, std::size_t bytes) { connections_.at(id).room = bytes; }
    // No connection can be begun, as if ports were used up.
    void set_exhausted(bool exhausted) { exhausted_ = exhausted; }

    // --- what its user did ---

    // What was sent since the last call.
    std::string take_sent(Id id) {
        const auto at = sent_.find(id);
        if (at == sent_.end()) return {};
        std::string bytes = std::move(at->second);
        sent_.erase(at);
        return bytes;
    }
    bool exists(Id id) const { return connections_.contains(id); }
    bool is_opening(Id id) const { return exists(id) && !connections_.at(id).open; }
    bool is_closed(Id id) const { return exists(id) && connections_.at(id).closed; }  // by its user
    std::size_t pending(Id id) const { return connections_.at(id).pending.size(); }   // not taken yet
    std::size_t size() const { return connections_.size(); }

    // --- Transport ---

    Id capacity() const override { return capacity_; }
    std::size_t receive_limit() const override { return receive_limit_; }
    bool open(Instant, Id id) override {
        EXPECT_LT(id, capacity_);
        EXPECT_FALSE(exists(id)) << "the number " << id << " is in use";
        if (exhausted_) return false;
        connections_[id] = Connection{.tuple = {kClient, kServer}};
        return true;
    }
    bool send(Instant, Id id, ByteView bytes) override {
        EXPECT_TRUE(exists(id) && connections_.at(id).open && !connections_.at(id).closed)
            << "send() on " << id << ", which is not open";
        if (!exists(id)) return true;
        Connection& connection = connections_.at(id);
        if (bytes.size() > connection.room) return false;
        connection.room -= bytes.size();
        sent_[id] += as_text(bytes);
        totals_.bytes_out += bytes.size();
        return true;
    }
    void close(Instant, Id id) override {
        EXPECT_TRUE(exists(id));
        if (exists(id)) connections_.at(id).closed = true;
    }
    void abort(Instant now, Id id) override {
        EXPECT_EQ(connections_.erase(id), 1U);
        events_->on_end(now, id, End::Aborted);
    }
    FourTuple tuple(Id id) const override { return connections_.at(id).tuple; }
    bool turn(Instant) override { return false; }
    void rest(Instant, Duration) override {}
    Totals totals() const override {
        Totals totals = totals_;
        totals.connections = connections_.size();
        return totals;
    }

    inline static const SocketAddress kClient{IpAddress::v4(10, 0, 0, 9), 40000};
    inline static const SocketAddress kServer{IpAddress::v4(10, 0, 0, 1), 1883};

  private:
    struct Connection {
        FourTuple tuple = {};
        std::vector<std::byte> pending = {};
        std::size_t room = SIZE_MAX;
        bool open = false;
        bool closed = false;
    };

    Id capacity_;
    std::size_t receive_limit_;
    Events* events_ = nullptr;
    bool exhausted_ = false;
    std::map<Id, Connection> connections_;
    std::map<Id, std::string> sent_;  // outlives the connection
    Totals totals_;
};

}  // namespace sluice::load::test
