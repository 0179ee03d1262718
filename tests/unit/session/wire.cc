#include "session/wire.h"

#include <algorithm>
#include <utility>

namespace sluice::test {

Peer::Peer(const tcp::EndpointOptions& options, std::vector<FramingOptions> codecs, const LinkOptions& link,
           std::uint64_t seed)
    : endpoint(options), out_(link, seed * 2), in_(link, seed * 2 + 1) {
    for (FramingOptions& framing : codecs) ends_.emplace_back(std::move(framing));
}

void Peer::send(const tcp::Segment& segment) {
    if (!cut_off) out_.send(now_, segment);
}

void Peer::write(Instant now, std::string_view text) {
    if (ends_.empty()) return write_raw(now, text);
    ends_.back().write(now, text);
    flush(now);
}

void Peer::finish(Instant now) {
    for (std::size_t i = ends_.size(); i-- > 0;) {
        if (i + 1 < ends_.size()) ends_[i].write(now, std::exchange(ends_[i + 1].to_send, {}));
        ends_[i].finish(now);
    }
    close_raw(now);
}

void Peer::write_raw(Instant now, std::string_view stream) {
    unsent_ += stream;
    flush(now);
}

void Peer::close_raw(Instant now) {
    wants_fin_ = true;
    flush(now);
}

void Peer::ask(Instant now) {
    ends_.front().ask();
    flush(now);
}

bool Peer::failed() const {
    return std::ranges::any_of(ends_, [](const FramedEnd& end) { return end.failed(); });
}

bool Peer::all_taken() const {
    return unsent_.empty() && endpoint.all_acknowledged() &&
           std::ranges::all_of(ends_, [](const FramedEnd& end) { return end.all_said(); });
}

void Peer::step(Instant now) {
    now_ = now;
    tcp::Segment segment;
    std::string bytes;
    while (in_.receive(now, segment, bytes)) {
        if (!cut_off) endpoint.on_segment(now, segment, *this);
    }
    if (endpoint.next_deadline() <= now) endpoint.on_timer(now, *this);
    if (!started_ && tcp::is_synchronized(endpoint.state())) {
        started_ = true;
        for (FramedEnd& end : ends_) end.start(now);
    }
    collect(now);
    flush(now);
}

void Peer::collect(Instant now) {
    while (reads && endpoint.readable() != 0) {
        const ByteView piece = endpoint.peek();
        std::string come(as_text(piece));
        endpoint.consume(now, piece.size(), *this);
        raw += come;
        for (std::size_t i = 0; i < ends_.size(); ++i) {
            ends_[i].arrive(now, come);
            if (i + 1 < ends_.size()) come = std::exchange(ends_[i].text, {});
        }
    }
    if (endpoint.at_end() && !std::exchange(told_end_, true)) {
        for (FramedEnd& end : ends_) end.end_of_stream(now);
    }
}

void Peer::flush(Instant now) {
    now_ = now;
    for (std::size_t i = ends_.size(); i-- > 1;) {
        if (!ends_[i].to_send.empty()) ends_[i - 1].write(now, std::exchange(ends_[i].to_send, {}));
    }
    if (!ends_.empty()) unsent_ += std::exchange(ends_.front().to_send, {});
    unsent_.erase(0, endpoint.write(now, as_bytes(unsent_), *this));
    const bool said = std::ranges::all_of(ends_, [](const FramedEnd& end) { return end.all_said(); });
    if (wants_fin_ && unsent_.empty() && said) endpoint.shutdown(now, *this);
}

Instant Peer::next_event() const {
    return std::min({endpoint.next_deadline(), in_.next_arrival(), out_.next_arrival()});
}

}  // namespace sluice::test
