// What the peer sent: in-order bytes that wait for the application, and behind them, stored in place, pieces
// that arrived early. Both the bytes and the number of pieces are bounded, whatever a peer sends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "byte_ring.h"
#include "sluice/base/bytes.h"
#include "sluice/tcp/seq.h"
#include "sluice/wire/tcp_options.h"

namespace sluice::tcp {

class Reassembly {
  public:
    static constexpr std::size_t kMaxPieces = 64;  // early pieces; one that would be the next is dropped

    // limit: most bytes held, early ones and the gaps before them included; at most 2^30.
    explicit Reassembly(std::uint32_t limit) : limit_(limit) {}

    // The first sequence number expected; nothing is held.
    void start(Seq next) { next_ = next; }
    // First byte that is missing.
    Seq next() const { return next_; }
    std::uint32_t readable() const { return readable_; }
    // Bytes from next() on that would be kept.
    std::uint32_t room() const { return limit_ - readable_; }
    bool has_gap() const { return !early_.empty(); }
    // Bytes of memory behind what is held.
    std::size_t memory_bytes() const { return ring_.capacity() + early_.capacity() * sizeof(Piece); }

    // Keeps what is new and fits, drops the rest. next() moves when the first gap is filled. What was stored
    // first stays: a retransmission that says otherwise changes nothing.
    void insert(Seq seq, ByteView bytes);
    // In-order bytes from `offset`, up to the ring's end; empty at the end.
    ByteView peek(std::uint32_t offset) const;
    // bytes is at most readable().
    void consume(std::uint32_t bytes);
    // Gives up what arrived early: nothing will fill the gap before it.
    void drop_early();
    // RFC 2018 section 4: the piece that changed last comes first. Returns the blocks written.
    std::size_t pieces() const { return early_.size(); }
    std::uint8_t sack_blocks(std::span<wire::SackBlock> out) const;

  private:
    struct Piece {
        Seq left;
        Seq right;
        std::uint32_t changed;  // value of changes_ when it was made or grew
    };

    std::size_t note_early(Seq left, Seq right);
    void store_missing(Seq left, Seq right, const std::byte* bytes);
    std::int64_t age(const Piece& piece) const { return changes_ - piece.changed; }
    std::uint32_t offset_of(Seq seq) const { return readable_ + seq.since(next_); }

    ByteRing ring_;
    std::vector<Piece> early_;  // ascending, disjoint, not touching
    Seq next_;
    std::uint32_t readable_ = 0;
    std::uint32_t limit_;
    std::uint32_t changes_ = 0;
};

}  // namespace sluice::tcp
