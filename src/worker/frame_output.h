// The way out of a worker: buffers to write frames into, one transmit batch per port, and the neighbors that
// frames wait for while ARP or NDP asks for their MAC.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/neighbor/table.h"
#include "sluice/port/port.h"
#include "worker/context.h"

namespace sluice::worker {

// Told when an address that frames waited for did not answer.
class FailedNeighbors {
  public:
    virtual void neighbor_failed(Instant now, const NextHop& neighbor) = 0;

  protected:
    ~FailedNeighbors() = default;
};

// What was heard of a neighbor, asked for or not.
struct Sighting {
    NextHop neighbor;
    MacAddress mac;
    std::optional<MacAddress> before{};  // where the table of neighbors knew it to be until now
    bool to_everybody = false;           // its owner said so of its own accord, to all who may care
};

// Told where a neighbor is, whenever that may have changed.
class NeighborNews {
  public:
    virtual void neighbor_seen(const Sighting& sighting) = 0;

  protected:
    ~NeighborNews() = default;
};

class FrameOutput {
  public:
    explicit FrameOutput(WorkerContext& context);
    ~FrameOutput();
    FrameOutput(const FrameOutput&) = delete;
    FrameOutput& operator=(const FrameOutput&) = delete;

    // An empty frame; nullopt (counted) when the pool has none. The caller gives it to send(), send_via() or
    // discard().
    std::optional<port::Frame> allocate();
    void discard(const port::Frame& frame) { spare_.push_back(frame); }
    // A finished frame, its destination MAC included.
    void send(std::uint16_t port, const port::Frame& frame) {
        std::vector<port::Frame>& batch = ways_[port]->batch;
        if (batch.size() == kBacklog) [[unlikely]] {
            return drop_backlog(frame);
        }
        batch.push_back(frame);
    }
    // The port has not taken what was sent before: what need not be sent had better not be.
    bool crowded(std::uint16_t port) const { return ways_[port]->batch.size() >= kBacklog / 2; }
    // Another length than the frame has, set where it lies: a changed copy would be copied once more.
    void send(std::uint16_t port, const port::Frame& frame, std::uint32_t length) {
        std::vector<port::Frame>& batch = ways_[port]->batch;
        const std::size_t before = batch.size();
        send(port, frame);
        if (batch.size() > before) batch.back().length = length;
    }
    enum class Fate : std::uint8_t { Sent, Waiting, Failed };
    // A frame that lacks only its destination MAC: sent now, or when the neighbor has answered. Failed: the
    // neighbor is known not to answer, the frame was dropped.
    Fate send_via(Instant now, const NextHop& hop, const port::Frame& frame);
    // The neighbor's MAC, as send_via() would fill it in; nullopt while it is asked for or does not answer.
    std::optional<MacAddress> resolve(Instant now, const NextHop& hop);
    // At most one; must outlive this.
    void tell(NeighborNews& news) { news_ = &news; }
    // Hands the batches to the ports. What a full port does not take is offered again at the next flush; true
    // when something is left.
    bool flush();
    // For the end, when there is no next flush: a full port is waited for, as long as it goes on taking
    // frames.
    void flush_all();

    // What was learned from the wire, on the port where it was. to_everybody: as in Sighting.
    void learn_answer(Instant now, std::uint16_t port, const IpAddress& address, const MacAddress& mac);
    void learn_announcement(Instant now, std::uint16_t port, const IpAddress& address, const MacAddress& mac,
                            bool to_everybody);
    void on_timer(Instant now, FailedNeighbors& listener);
    Instant next_deadline() const;
    const neighbor::Table& neighbors(std::uint16_t port) const { return ways_[port]->table; }

    // Gratuitous ARP or unsolicited neighbor advertisement: tells the network where an own address lives now.
    void announce(std::uint16_t port, const IpAddress& address);

  private:
    static constexpr std::size_t kBacklog = 1024;  // frames a port's batch may hold
    // Offers that a port may refuse before it counts as one that takes nothing any more; up to a second.
    static constexpr std::uint32_t kPatience = 1'000'000;
    static constexpr std::size_t kWaitPerNeighbor = 128;
    static constexpr std::size_t kWaitInAll = 4096;

    // One port: its batch, its neighbors, and the frames that wait for them.
    struct Way final : neighbor::Actions {
        Way(FrameOutput& output, std::uint16_t index, port::Port& device);
        void solicit(const neighbor::Solicitation& solicitation) override;
        void resolved(const neighbor::Resolution& resolution) override;
        void moved(const IpAddress& address, const MacAddress& before, const MacAddress& mac) override;

        FrameOutput& output;
        std::uint16_t index;
        port::Port& device;
        neighbor::Table table;
        std::vector<port::Frame> batch;
        std::uint32_t patience = kPatience;  // of flush_all()
        absl::flat_hash_map<IpAddress, std::vector<port::Frame>> waiting;
        std::vector<IpAddress> failed;  // told to the FailedNeighbors at the next chance
    };

    void release(std::span<const port::Frame> frames);
    std::size_t offer(Way& way);
    void drop_backlog(const port::Frame& frame);

    const Topology& topology_;
    port::FramePool& pool_;
    CounterSet& counters_;
    std::uint16_t queue_;
    std::vector<std::unique_ptr<Way>> ways_;  // by port
    std::vector<port::Frame> spare_;          // allocated, unused
    std::size_t waiting_ = 0;                 // over all neighbors
    NeighborNews* news_ = nullptr;
};

}  // namespace sluice::worker
