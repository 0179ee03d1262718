// The rules that hold on the wire in every state. They are taken from the segments alone, except for what
// only the handshake knows (the agreed options), which position() tells.
#include "monitor.h"

namespace sluice::tcp::kit {

std::size_t Monitor::options_size(const wire::TcpOptions& options) {
    std::size_t size = 0;
    if (options.mss) size += 4;
    if (options.window_scale) size += 3;
    if (options.sack_permitted) size += 2;
    if (options.timestamps) size += 10;
    if (options.sack_count != 0) size += 2 + 8 * std::size_t{options.sack_count};
    return size;
}

void Monitor::on_input(const Segment& segment) {
    pending_.reset();
    if (segment.flags.rst) return;
    if (segment.flags.syn) {
        if (started_) {
            grant(iss_.advance(1).advance(segment.window));
        } else {
            raw_syn_window_ = std::max<std::uint32_t>(raw_syn_window_.value_or(0), segment.window);
        }
    } else if (segment.flags.ack && started_ && !segment.ack.after(highest_sent_)) {
        pending_ = Grant{segment.ack, segment.window};
    }
}

void Monitor::grant(Seq edge) { peer_edge_ = peer_edge_ ? later(*peer_edge_, edge) : edge; }

void Monitor::settle_input(const Endpoint& endpoint) {
    if (!pending_) return;
    const std::uint8_t scale = is_synchronized(endpoint.state()) ? endpoint.position().send_scale : 0;
    grant(pending_->ack.advance(static_cast<std::uint32_t>(pending_->window) << scale));
    pending_.reset();
}

std::string Monitor::check_options(const Segment& segment) const {
    const wire::TcpOptions& options = segment.options;
    if (options.sack_count > wire::kMaxSackBlocks) return "more SACK blocks than an option can hold";
    if (options_size(options) > 40) return "options do not fit 40 bytes";
    if (!segment.flags.syn && (options.mss || options.window_scale || options.sack_permitted)) {
        return "MSS, window scale or SACK-permitted outside a SYN";
    }
    if (segment.flags.syn && options.sack_count != 0) return "SACK blocks in a SYN";
    if (options.window_scale && *options.window_scale > wire::kMaxWindowScale) return "window scale over 14";
    for (std::size_t i = 0; i < options.sack_count; ++i) {
        const Seq left(options.sack[i].left);
        const Seq right(options.sack[i].right);
        if (!left.before(right)) return "empty or inverted SACK block";
        if (left.at_or_before(segment.ack)) return "SACK block touches the cumulative acknowledgement";
        // What lies beyond the window but fits the buffer may be kept; nothing can lie beyond both.
        if (right.after(segment.ack.advance(options_.receive_buffer))) return "SACK block beyond the buffer";
    }
    return {};
}

std::string Monitor::check_sequence(const Segment& segment, const Endpoint& endpoint) {
    if (segment.flags.syn) {
        if (segment.flags.fin || segment.payload_size() != 0) return "SYN with FIN or data";
        if (!started_) {
            started_ = true;
            iss_ = segment.seq;
            highest_sent_ = segment.end();
            if (raw_syn_window_) peer_edge_ = iss_.advance(1 + *raw_syn_window_);
        } else if (segment.seq != iss_) {
            return "SYN sent with another initial sequence number";
        }
        return {};
    }
    if (!started_) return "segment sent before our SYN";
    if (segment.seq.after(highest_sent_)) return "a gap in the numbers sent";
    if (segment.payload_size() != 0) {
        const Seq last = segment.seq.advance(segment.payload_size());
        // RFC 9293 section 3.8.6.1: a probe may carry one byte beyond the window.
        if (!peer_edge_ || last.after(peer_edge_->advance(1))) return "data beyond the peer's window";
        if (fin_ && last.after(*fin_)) return "data after our FIN";
        if (segment.payload_size() + (options_size(segment.options) + 3) / 4 * 4 > options_.send_mss_limit) {
            return "payload and options exceed the segment size limit";
        }
        if (is_synchronized(endpoint.state()) && segment.payload_size() > endpoint.position().send_mss) {
            return "payload over the effective send MSS";
        }
    }
    if (segment.flags.fin) {
        const Seq fin = segment.seq.advance(segment.payload_size());
        if (fin_ && *fin_ != fin) return "our FIN moved";
        if (fin.before(highest_sent_) && !fin_) return "FIN inside data already sent";
        fin_ = fin;
    }
    highest_sent_ = later(highest_sent_, segment.end());
    return {};
}

std::string Monitor::check_acknowledgement(const Segment& segment, const Endpoint& endpoint) {
    if (!segment.flags.ack) return segment.flags.syn ? "" : "no ACK bit after the handshake began";
    if (last_ack_ && segment.ack.before(*last_ack_)) return "acknowledgement went back";
    last_ack_ = segment.ack;
    // Before the handshake is over nobody outside can tell how our window is scaled.
    if (!segment.flags.syn && !is_synchronized(endpoint.state())) return {};
    const std::uint8_t scale = segment.flags.syn ? std::uint8_t{0} : endpoint.position().receive_scale;
    own_granularity_ = 1U << scale;
    last_window_ = static_cast<std::uint32_t>(segment.window) << scale;
    const Seq edge = segment.ack.advance(last_window_);
    // RFC 7323 section 2.4: with scaling, rounding may take back less than one unit; RFC 9293 section 3.8.6:
    // otherwise a window is not shrunk.
    if (own_edge_ && edge.advance(own_granularity_ - 1).before(*own_edge_)) return "right edge retreated";
    own_edge_ = own_edge_ ? later(*own_edge_, edge) : edge;
    return {};
}

std::string Monitor::check_timestamps(const Segment& segment, const Endpoint& endpoint) {
    if (segment.flags.syn || !is_synchronized(endpoint.state())) return {};
    timestamps_agreed_ = endpoint.position().timestamps;
    if (segment.options.timestamps) {
        if (!timestamps_agreed_) return "timestamps that were not agreed";
        const std::uint32_t value = segment.options.timestamps->value;
        if (last_timestamp_ && static_cast<std::int32_t>(value - *last_timestamp_) < 0) {
            return "timestamp went back";
        }
        last_timestamp_ = value;
    } else if (timestamps_agreed_) {
        return "agreed timestamps are missing";  // RFC 7323 section 3.2
    }
    return {};
}

std::string Monitor::on_output(const Segment& segment, const Endpoint& endpoint) {
    if (segment.flags.rst) {
        if (segment.flags.syn || segment.flags.fin || segment.payload_size() != 0) return "RST with more";
        return check_options(segment);
    }
    settle_input(endpoint);
    std::string wrong = check_options(segment);
    if (wrong.empty()) wrong = check_sequence(segment, endpoint);
    if (wrong.empty()) wrong = check_acknowledgement(segment, endpoint);
    if (wrong.empty()) wrong = check_timestamps(segment, endpoint);
    return wrong;
}

std::string Monitor::on_idle(const Endpoint& endpoint) {
    settle_input(endpoint);
    if (endpoint.readable() > options_.receive_buffer + own_granularity_) {
        return "more held than receive_buffer";
    }
    if (endpoint.send_queue() > options_.send_buffer) return "more queued than send_buffer";
    if (!is_synchronized(endpoint.state())) return {};
    const Seq next = endpoint.position().receive_next;
    if (own_edge_ && last_ack_) {
        // What may still arrive, and what is held, fit the buffer (one unit of rounding aside).
        const std::uint32_t open = own_edge_->after(next) ? own_edge_->since(next) : 0;
        if (open + endpoint.readable() > std::size_t{options_.receive_buffer} + own_granularity_) {
            return "window and held bytes exceed receive_buffer";
        }
    }
    return {};
}

}  // namespace sluice::tcp::kit
