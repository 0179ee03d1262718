// A probe and a broker over a wire under the test's clock. The broker is an endpoint of the project's own and
// what the test says it does.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sluice/health/probe.h"
#include "sluice/tcp/endpoint.h"
#include "tcp/netsim/link.h"

namespace sluice::health {

inline const Instant kStart = Instant{} + 10s;
inline constexpr tcp::Seq kIss{0xfffffff0};

class Exchange {
  public:
    explicit Exchange(std::unique_ptr<Probe> probe_, const tcp::kit::LinkOptions& wire = {.delay = 1ms},
                      std::uint64_t seed = 1)
        : probe(std::move(probe_)), server(server_options()), up_(wire, seed), down_(wire, ~seed) {
        server.listen(tcp::Seq(0xffffff00));
    }

    // Called whenever the broker has heard or seen something; `heard` is all its bytes.
    std::function<void(Exchange&)> serve = [](Exchange&) {};
    // True for segments that are lost, by their number from 0: the probe's, and the broker's.
    std::function<bool(int)> lose_up = [](int) { return false; };
    std::function<bool(int)> lose_down = [](int) { return false; };
    bool deaf = false;  // the broker's host does not even answer SYNs

    void say(std::string_view bytes) { server.write(now, as_bytes(bytes), broker_); }
    void hang_up() { server.shutdown(now, broker_); }
    void reset() { server.abort(now, broker_); }

    void start() { probe->start(now, prober_); }
    void run(Duration duration) {
        const Instant end = now + duration;
        settle();
        while (now < end) {
            now = std::min({end, probe->next_deadline(), server.next_deadline(), up_.next_arrival(),
                            down_.next_arrival()});
            settle();
        }
    }
    // Until nothing is left to do.
    Exchange& finish() {
        start();
        run(1h);
        return *this;
    }
    void abandon() { probe->abandon(now, prober_); }

    bool sent_reset() const { return sent(&wire::TcpFlags::rst) != 0; }
    bool sent_fin() const { return sent(&wire::TcpFlags::fin) != 0; }
    // Segments of the probe with this flag.
    int sent(bool wire::TcpFlags::*flag) const {
        int n = 0;
        for (const wire::TcpFlags& f : flags_) n += f.*flag ? 1 : 0;
        return n;
    }

    Instant now = kStart;
    std::unique_ptr<Probe> probe;
    tcp::Endpoint server;
    std::string heard;
    bool server_was_reset = false;
    Instant decided = kNever;  // when the probe knew its result
    Instant over = kNever;

  private:
    struct Out final : tcp::Output {
        explicit Out(std::function<void(const tcp::Segment&)> to_) : to(std::move(to_)) {}
        void send(const tcp::Segment& s) override { to(s); }
        std::function<void(const tcp::Segment&)> to;
    };

    static tcp::EndpointOptions server_options() {
        tcp::EndpointOptions o;
        o.receive_mss = 1400;
        o.window_scale = 5;
        o.timestamps = false;
        o.min_rto = 50ms;
        return o;
    }

    void settle() {
        for (bool any = true; any;) {
            any = false;
            tcp::Segment segment;
            std::string bytes;
            while (up_.receive(now, segment, bytes)) {
                any = true;
                if (deaf) continue;
                server.on_segment(now, segment, broker_);
                while (server.readable() != 0) {
                    const ByteView piece = server.peek();
                    heard += as_text(piece);
                    server.consume(now, piece.size(), broker_);
                }
                if (server.failure() == tcp::Failure::Reset) server_was_reset = true;
                serve(*this);
            }
            while (down_.receive(now, segment, bytes)) {
                any = true;
                probe->on_segment(now, segment, prober_);
            }
            if (probe->next_deadline() <= now) probe->on_timer(now, prober_);
            if (server.next_deadline() <= now) server.on_timer(now, broker_);
        }
        if (probe->status() != Probe::Status::Pending) decided = std::min(decided, now);
        if (probe->over()) over = std::min(over, now);
    }

    tcp::kit::Link up_;
    tcp::kit::Link down_;
    std::vector<wire::TcpFlags> flags_;  // of the probe's segments
    int answers_ = 0;
    Out prober_{[this](const tcp::Segment& s) {
        const auto n = static_cast<int>(flags_.size());
        flags_.push_back(s.flags);
        if (!lose_up(n)) up_.send(now, s);
    }};
    Out broker_{[this](const tcp::Segment& s) {
        if (!lose_down(answers_++)) down_.send(now, s);
    }};
};

}  // namespace sluice::health
