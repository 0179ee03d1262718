#include "sluice/host/frame_output.h"

#include <algorithm>
#include <utility>

#include "sluice/neighbor/frames.h"
#include "sluice/wire/ethernet.h"

namespace sluice::host {
namespace {

constexpr std::size_t kAllocateAtOnce = 32;
constexpr std::size_t kKeepSpare = 64;

void set_destination(const port::Frame& frame, const MacAddress& mac) { wire::store_mac(frame.data, mac); }

}  // namespace

FrameOutput::PortOutput::PortOutput(FrameOutput& owner, std::uint16_t index_)
    : output(owner), index(index_), device(*owner.interfaces_[index_].port), table(owner.options_.neighbors) {
    batch.reserve(owner.options_.backlog);
}

FrameOutput::FrameOutput(std::vector<Interface> interfaces, port::FramePool& pool, const Addresses& addresses,
                         CounterSink& counters, const FrameOutputOptions& options)
    : interfaces_(std::move(interfaces)),
      options_(options),
      pool_(pool),
      addresses_(addresses),
      counters_(counters) {
    for (std::size_t i = 0; i < interfaces_.size(); ++i) {
        outputs_.push_back(std::make_unique<PortOutput>(*this, static_cast<std::uint16_t>(i)));
    }
}

FrameOutput::~FrameOutput() {
    for (const auto& output : outputs_) {
        pool_.release(output->batch);
        for (const auto& [address, frames] : output->waiting) pool_.release(frames);
        for (const Failure& failure : output->failed) pool_.release(failure.waited);
    }
    pool_.release(spare_);
}

std::optional<port::Frame> FrameOutput::allocate() {
    if (spare_.empty()) {
        spare_.resize(kAllocateAtOnce);
        spare_.resize(pool_.allocate(spare_));
        if (spare_.empty()) {
            counters_.dropped(Counter::DropNoFrame, 1);
            return std::nullopt;
        }
    }
    const port::Frame frame = spare_.back();
    spare_.pop_back();
    return frame;
}

void FrameOutput::drop(Counter why, std::span<const port::Frame> frames) {
    if (frames.empty()) return;
    counters_.dropped(why, frames.size());
    pool_.release(frames);
}

void FrameOutput::drop_backlog(const port::Frame& frame) { drop(Counter::DropTxFull, std::span(&frame, 1)); }

NextHopState FrameOutput::send_via(Instant now, const NextHop& hop, const port::Frame& frame) {
    PortOutput& to = *outputs_[hop.port];
    if (const auto mac = to.table.lookup(now, hop.neighbor, to)) {
        set_destination(frame, *mac);
        send(hop.port, frame);
        return NextHopState::Known;
    }
    if (to.table.failed(hop.neighbor)) {
        drop(Counter::DropNeighborFailed, std::span(&frame, 1));
        return NextHopState::Failed;
    }
    std::vector<port::Frame>& queue = to.waiting[hop.neighbor];
    if (queue.size() == options_.wait_per_neighbor || waiting_ == options_.wait_in_all) {
        drop(Counter::DropNeighborQueue, std::span(&frame, 1));
        return NextHopState::Asked;
    }
    queue.push_back(frame);
    ++waiting_;
    return NextHopState::Asked;
}

std::optional<MacAddress> FrameOutput::resolve(Instant now, const NextHop& hop) {
    PortOutput& to = *outputs_[hop.port];
    return to.table.lookup(now, hop.neighbor, to);
}

bool FrameOutput::flush() {
    bool left = false;
    for (const auto& output : outputs_) {
        if (output->batch.empty()) continue;
        offer(*output);
        left = left || !output->batch.empty();
    }
    if (spare_.size() > kKeepSpare) {
        pool_.release(std::span(spare_).subspan(kKeepSpare));
        spare_.resize(kKeepSpare);
    }
    return left;
}

void FrameOutput::flush_all() {
    flush();
    for (const auto& output : outputs_) {
        while (!output->batch.empty() && output->patience != 0)
            output->patience = offer(*output) == 0 ? output->patience - 1 : kPatience;
    }
}

// How many of its batch the port has taken.
std::size_t FrameOutput::offer(PortOutput& to) {
    const std::size_t sent = to.device.transmit(options_.queue, to.batch);
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < sent; ++i) bytes += to.batch[i].length;
    counters_.count(Counter::TxFrames, sent);
    counters_.count(Counter::TxBytes, bytes);
    if (sent == to.batch.size()) {
        to.batch.clear();
    } else {
        to.batch.erase(to.batch.begin(), to.batch.begin() + static_cast<std::ptrdiff_t>(sent));
    }
    return sent;
}

void FrameOutput::learn_answer(Instant now, std::uint16_t port, const IpAddress& address,
                               const MacAddress& mac) {
    outputs_[port]->table.on_answer(now, address, mac, *outputs_[port]);
}

// The table hears only of those that it was asked for; news are told of everybody.
void FrameOutput::learn_announcement(Instant now, std::uint16_t port, const IpAddress& address,
                                     const MacAddress& mac, bool to_everybody) {
    if (!mac.is_zero() && !mac.is_multicast()) {
        see({.neighbor = {.port = port, .neighbor = address}, .mac = mac, .to_everybody = to_everybody});
    }
    outputs_[port]->table.on_announcement(now, address, mac, *outputs_[port]);
}

void FrameOutput::see(const Sighting& sighting) {
    if (news_ != nullptr) news_->neighbor_seen(sighting);
}

void FrameOutput::on_timer(Instant now, FailedNeighbors& told) {
    for (const auto& output : outputs_) {
        if (output->table.next_deadline() <= now) output->table.on_timer(now, *output);
        // Whoever is told may send again and fail again, so the list is taken first.
        for (const Failure& failure : std::exchange(output->failed, {})) {
            told.neighbor_failed(now, {.port = output->index, .neighbor = failure.address}, failure.waited);
            drop(Counter::DropNeighborFailed, failure.waited);
        }
    }
}

Instant FrameOutput::next_deadline() const {
    Instant earliest = kNever;
    for (const auto& output : outputs_) {
        if (!output->failed.empty()) return Instant{};
        earliest = std::min(earliest, output->table.next_deadline());
    }
    return earliest;
}

void FrameOutput::PortOutput::solicit(const neighbor::Solicitation& solicitation) {
    const auto source = output.addresses_.asker(index, solicitation.target);
    if (!source) {
        output.counters_.count(Counter::DropNoRoute, 1);
        return;
    }
    auto frame = output.allocate();
    if (!frame) return;
    const MacAddress& own = output.interfaces_[index].mac;
    frame->length = static_cast<std::uint32_t>(
        neighbor::write_question(own, *source, solicitation.target, solicitation.to, frame->writable()));
    output.counters_.count(Counter::NeighborSolicitations, 1);
    output.send(index, *frame);
}

void FrameOutput::PortOutput::resolved(const neighbor::Resolution& resolution) {
    if (!resolution.mac) {
        output.counters_.count(Counter::NeighborFailures, 1);
        failed.push_back({.address = resolution.address, .waited = take_waiting(resolution.address)});
        return;
    }
    output.see({.neighbor = {.port = index, .neighbor = resolution.address}, .mac = *resolution.mac});
    for (const port::Frame& frame : take_waiting(resolution.address)) {
        set_destination(frame, *resolution.mac);
        output.send(index, frame);
    }
}

// The frames that wait for the address; they wait no longer.
std::vector<port::Frame> FrameOutput::PortOutput::take_waiting(const IpAddress& address) {
    const auto entry = waiting.find(address);
    if (entry == waiting.end()) return {};
    std::vector<port::Frame> frames = std::move(entry->second);
    waiting.erase(entry);
    output.waiting_ -= frames.size();
    return frames;
}

void FrameOutput::PortOutput::moved(const IpAddress& address, const MacAddress& before,
                                    const MacAddress& mac) {
    output.see({.neighbor = {.port = index, .neighbor = address}, .mac = mac, .before = before});
}

void FrameOutput::announce(std::uint16_t port, const IpAddress& address) {
    auto frame = allocate();
    if (!frame) return;
    frame->length = static_cast<std::uint32_t>(
        neighbor::write_announcement(interfaces_[port].mac, address, frame->writable()));
    send(port, *frame);
}

}  // namespace sluice::host
