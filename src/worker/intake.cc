#include "worker/intake.h"

#include <algorithm>
#include <array>

namespace sluice::worker {
namespace {

constexpr std::size_t kBurst = 64;
static_assert((port::kTakeAhead & (port::kTakeAhead - 1)) == 0, "a place is a number's last bits");
static_assert(port::kTakeAhead % kBurst == 0);

std::size_t place(std::size_t number) { return number % port::kTakeAhead; }

}  // namespace

Intake::Intake(std::span<port::Port* const> ports, std::uint16_t queue, port::FramePool& pool)
    : queue_(queue), pool_(pool) {
    for (port::Port* const port : ports) {
        shelves_.push_back({.port = port, .frames = {}});
        if (port->info().take_ahead) shelves_.back().frames.resize(port::kTakeAhead);
    }
}

Intake::~Intake() {
    std::array<port::Frame, kBurst> frames;
    for (std::size_t port = 0; port < shelves_.size(); ++port) {
        if (shelves_[port].frames.empty()) continue;
        while (const std::size_t n = next(port, frames)) pool_.release(std::span(frames).first(n));
    }
}

void Intake::empty_queues() {
    for (Shelf& shelf : shelves_) {
        if (!shelf.frames.empty()) fill(shelf);
    }
}

void Intake::fill(Shelf& shelf) {
    while (shelf.end - shelf.first < port::kTakeAhead) {
        // Up to the end of the memory at most; the next round goes on at its beginning.
        const std::size_t room =
            std::min(port::kTakeAhead - (shelf.end - shelf.first), port::kTakeAhead - place(shelf.end));
        const auto free = std::span(shelf.frames).subspan(place(shelf.end), std::min(room, kBurst));
        const std::size_t n = shelf.port->receive(queue_, free);
        shelf.end += n;
        if (n < free.size()) return;
    }
}

std::size_t Intake::next(std::size_t port, std::span<port::Frame> out) {
    Shelf& shelf = shelves_[port];
    if (shelf.frames.empty()) return shelf.port->receive(queue_, out);
    const std::size_t n = std::min(out.size(), shelf.end - shelf.first);
    for (std::size_t i = 0; i < n; ++i) out[i] = shelf.frames[place(shelf.first++)];
    return n;
}

}  // namespace sluice::worker
