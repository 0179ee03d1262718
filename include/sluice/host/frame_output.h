// The way out of a host: buffers to write frames into, one transmit batch per port, and the neighbors that
// frames wait for while ARP or NDP asks for their MAC.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/host/interface.h"
#include "sluice/neighbor/table.h"
#include "sluice/port/port.h"

namespace sluice::host {

// Told when an address that frames waited for did not answer.
class FailedNeighbors {
  public:
    // waited: the frames, which are dropped after this call.
    virtual void neighbor_failed(Instant now, const NextHop& neighbor,
                                 std::span<const port::Frame> waited) = 0;

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

// What is known of a next hop.
enum class NextHopState : std::uint8_t {
    Known,
    Asked,   // its MAC is being asked for
    Failed,  // it does not answer
};

struct FrameOutputOptions {
    std::uint16_t queue = 0;              // transmit queue on every port
    std::size_t backlog = 1024;           // frames that a port's batch may hold
    std::size_t wait_per_neighbor = 128;  // frames that wait for one neighbor
    std::size_t wait_in_all = 4096;       // and for all of them
    neighbor::Options neighbors{};        // of each port
};

class FrameOutput {
  public:
    // pool, addresses, counters: borrowed.
    FrameOutput(std::vector<Interface> interfaces, port::FramePool& pool, const Addresses& addresses,
                CounterSink& counters, const FrameOutputOptions& options);
    ~FrameOutput();
    FrameOutput(const FrameOutput&) = delete;
    FrameOutput& operator=(const FrameOutput&) = delete;

    const std::vector<Interface>& interfaces() const { return interfaces_; }

    // An empty frame; nullopt (counted) when the pool has none. The caller gives it to send(), send_via() or
    // discard().
    std::optional<port::Frame> allocate();
    void discard(const port::Frame& frame) { spare_.push_back(frame); }
    // A finished frame, its destination MAC included.
    void send(std::uint16_t port, const port::Frame& frame) {
        std::vector<port::Frame>& batch = outputs_[port]->batch;
        if (batch.size() == options_.backlog) [[unlikely]] {
            return drop_backlog(frame);
        }
        batch.push_back(frame);
    }
    // Another length than the frame has, set where it lies: a changed copy would be copied once more.
    void send(std::uint16_t port, const port::Frame& frame, std::uint32_t length) {
        std::vector<port::Frame>& batch = outputs_[port]->batch;
        const std::size_t before = batch.size();
        send(port, frame);
        if (batch.size() > before) batch.back().length = length;
    }
    // Frames in the port's batch.
    std::size_t batched(std::uint16_t port) const { return outputs_[port]->batch.size(); }
    // The port has not taken what was sent before: what need not be sent had better not be.
    bool crowded(std::uint16_t port) const { return batched(port) >= options_.backlog / 2; }
    // A frame that lacks only its destination MAC: sent now, or when the neighbor has answered. Of a neighbor
    // that does not answer, or that too many wait for, it is dropped, and counted.
    NextHopState send_via(Instant now, const NextHop& hop, const port::Frame& frame);
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
    const neighbor::Table& neighbors(std::uint16_t port) const { return outputs_[port]->table; }

    // Gratuitous ARP or unsolicited neighbor advertisement: tells the network where an own address lives now.
    void announce(std::uint16_t port, const IpAddress& address);

  private:
    // Offers that a port may refuse before it counts as one that takes nothing any more; up to a second.
    static constexpr std::uint32_t kPatience = 1'000'000;

    // An address that did not answer, and the frames that waited for it.
    struct Failure {
        IpAddress address;
        std::vector<port::Frame> waited;
    };
    // One port: its batch, its neighbors, and the frames that wait for them.
    struct PortOutput final : neighbor::Actions {
        PortOutput(FrameOutput& owner, std::uint16_t index);
        void solicit(const neighbor::Solicitation& solicitation) override;
        void resolved(const neighbor::Resolution& resolution) override;
        void moved(const IpAddress& address, const MacAddress& before, const MacAddress& mac) override;
        std::vector<port::Frame> take_waiting(const IpAddress& address);

        FrameOutput& output;
        std::uint16_t index;
        port::Port& device;
        neighbor::Table table;
        std::vector<port::Frame> batch;
        std::uint32_t patience = kPatience;  // of flush_all()
        absl::flat_hash_map<IpAddress, std::vector<port::Frame>> waiting;
        std::vector<Failure> failed;  // told to the FailedNeighbors at the next chance
    };

    std::size_t offer(PortOutput& to);
    void drop(Counter why, std::span<const port::Frame> frames);
    void drop_backlog(const port::Frame& frame);
    void see(const Sighting& sighting);

    const std::vector<Interface> interfaces_;
    const FrameOutputOptions options_;
    port::FramePool& pool_;
    const Addresses& addresses_;
    CounterSink& counters_;
    std::vector<std::unique_ptr<PortOutput>> outputs_;  // by port
    std::vector<port::Frame> spare_;                    // allocated, unused
    std::size_t waiting_ = 0;                           // over all neighbors
    NeighborNews* news_ = nullptr;
};

}  // namespace sluice::host
