#include "worker/frame_output.h"

#include <algorithm>

#include "sluice/neighbor/frames.h"
#include "sluice/wire/ethernet.h"

namespace sluice::worker {
namespace {

constexpr std::size_t kAllocateAtOnce = 32;
constexpr std::size_t kKeepSpare = 64;

void set_destination(const port::Frame& frame, const MacAddress& mac) { wire::store_mac(frame.data, mac); }

}  // namespace

FrameOutput::Way::Way(FrameOutput& output_, std::uint16_t index_, port::Port& device_)
    : output(output_), index(index_), device(device_), table(neighbor::Options{}) {}

FrameOutput::FrameOutput(WorkerContext& context)
    : topology_(context.topology),
      pool_(context.frames),
      counters_(context.counters),
      queue_(context.queue()) {
    for (std::size_t i = 0; i < context.ports.size(); ++i) {
        ways_.push_back(std::make_unique<Way>(*this, static_cast<std::uint16_t>(i), *context.ports[i]));
        ways_.back()->batch.reserve(kBacklog);
    }
}

FrameOutput::~FrameOutput() {
    for (const auto& way : ways_) {
        pool_.release(way->batch);
        for (const auto& [address, frames] : way->waiting) pool_.release(frames);
    }
    pool_.release(spare_);
}

std::optional<port::Frame> FrameOutput::allocate() {
    if (spare_.empty()) {
        spare_.resize(kAllocateAtOnce);
        spare_.resize(pool_.allocate(spare_));
        if (spare_.empty()) {
            counters_.add(Counter::DropNoFrame);
            return std::nullopt;
        }
    }
    const port::Frame frame = spare_.back();
    spare_.pop_back();
    return frame;
}

void FrameOutput::release(std::span<const port::Frame> frames) { pool_.release(frames); }

void FrameOutput::drop_backlog(const port::Frame& frame) {
    counters_.add(Counter::DropTxFull);
    release(std::span(&frame, 1));
}

FrameOutput::Fate FrameOutput::send_via(Instant now, const NextHop& hop, const port::Frame& frame) {
    Way& way = *ways_[hop.port];
    if (const auto mac = way.table.lookup(now, hop.neighbor, way)) {
        set_destination(frame, *mac);
        send(hop.port, frame);
        return Fate::Sent;
    }
    if (way.table.failed(hop.neighbor)) {
        counters_.add(Counter::DropNeighborFailed);
        release(std::span(&frame, 1));
        return Fate::Failed;
    }
    std::vector<port::Frame>& queue = way.waiting[hop.neighbor];
    if (queue.size() == kWaitPerNeighbor || waiting_ == kWaitInAll) {
        counters_.add(Counter::DropNeighborQueue);
        release(std::span(&frame, 1));
        return Fate::Waiting;
    }
    queue.push_back(frame);
    ++waiting_;
    return Fate::Waiting;
}

std::optional<MacAddress> FrameOutput::resolve(Instant now, const NextHop& hop) {
    Way& way = *ways_[hop.port];
    return way.table.lookup(now, hop.neighbor, way);
}

bool FrameOutput::flush() {
    bool left = false;
    for (const auto& way : ways_) {
        if (way->batch.empty()) continue;
        offer(*way);
        left = left || !way->batch.empty();
    }
    if (spare_.size() > kKeepSpare) {
        release(std::span(spare_).subspan(kKeepSpare));
        spare_.resize(kKeepSpare);
    }
    return left;
}

void FrameOutput::flush_all() {
    flush();
    for (const auto& way : ways_) {
        while (!way->batch.empty() && way->patience != 0)
            way->patience = offer(*way) == 0 ? way->patience - 1 : kPatience;
    }
}

// How many of its batch the port has taken.
std::size_t FrameOutput::offer(Way& way) {
    const std::size_t sent = way.device.transmit(queue_, way.batch);
    counters_.add(Counter::TxFrames, sent);
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < sent; ++i) bytes += way.batch[i].length;
    counters_.add(Counter::TxBytes, bytes);
    if (sent == way.batch.size()) {
        way.batch.clear();
    } else {
        way.batch.erase(way.batch.begin(), way.batch.begin() + static_cast<std::ptrdiff_t>(sent));
    }
    return sent;
}

void FrameOutput::learn_answer(Instant now, std::uint16_t port, const IpAddress& address,
                               const MacAddress& mac) {
    ways_[port]->table.on_answer(now, address, mac, *ways_[port]);
}

// The table hears only of those that it was asked for; news are told of everybody.
void FrameOutput::learn_announcement(Instant now, std::uint16_t port, const IpAddress& address,
                                     const MacAddress& mac, bool to_everybody) {
    if (news_ != nullptr && !mac.is_zero() && !mac.is_multicast()) {
        news_->neighbor_seen(
            {.neighbor = {.port = port, .neighbor = address}, .mac = mac, .to_everybody = to_everybody});
    }
    ways_[port]->table.on_announcement(now, address, mac, *ways_[port]);
}

void FrameOutput::on_timer(Instant now, FailedNeighbors& told) {
    for (const auto& way : ways_) {
        if (way->table.next_deadline() <= now) way->table.on_timer(now, *way);
        // Whoever is told may send again and fail again, so the list is taken first.
        for (const IpAddress& address : std::exchange(way->failed, {})) {
            told.neighbor_failed(now, {.port = way->index, .neighbor = address});
        }
    }
}

Instant FrameOutput::next_deadline() const {
    Instant earliest = kNever;
    for (const auto& way : ways_) {
        if (!way->failed.empty()) return Instant{};
        earliest = std::min(earliest, way->table.next_deadline());
    }
    return earliest;
}

void FrameOutput::Way::solicit(const neighbor::Solicitation& solicitation) {
    const auto source = output.topology_.interface_address(index, solicitation.target);
    if (!source) {
        output.counters_.add(Counter::DropNoRoute);
        return;
    }
    auto frame = output.allocate();
    if (!frame) return;
    const MacAddress& own = output.topology_.ports()[index].mac;
    frame->length = static_cast<std::uint32_t>(
        neighbor::write_question(own, *source, solicitation.target, solicitation.to, frame->writable()));
    output.counters_.add(Counter::NeighborSolicitations);
    output.send(index, *frame);
}

void FrameOutput::Way::resolved(const neighbor::Resolution& resolution) {
    if (!resolution.mac) {
        output.counters_.add(Counter::NeighborFailures);
        failed.push_back(resolution.address);
    } else if (output.news_ != nullptr) {
        output.news_->neighbor_seen(
            {.neighbor = {.port = index, .neighbor = resolution.address}, .mac = *resolution.mac});
    }
    const auto entry = waiting.find(resolution.address);
    if (entry == waiting.end()) return;
    const std::vector<port::Frame> frames = std::move(entry->second);
    waiting.erase(entry);
    output.waiting_ -= frames.size();
    if (!resolution.mac) {
        output.counters_.add(Counter::DropNeighborFailed, frames.size());
        output.release(frames);
        return;
    }
    for (const port::Frame& frame : frames) {
        set_destination(frame, *resolution.mac);
        output.send(index, frame);
    }
}

void FrameOutput::Way::moved(const IpAddress& address, const MacAddress& before, const MacAddress& mac) {
    if (output.news_ == nullptr) return;
    output.news_->neighbor_seen(
        {.neighbor = {.port = index, .neighbor = address}, .mac = mac, .before = before});
}

void FrameOutput::announce(std::uint16_t port, const IpAddress& address) {
    auto frame = allocate();
    if (!frame) return;
    frame->length = static_cast<std::uint32_t>(
        neighbor::write_announcement(topology_.ports()[port].mac, address, frame->writable()));
    send(port, *frame);
}

}  // namespace sluice::worker
