// Two endpoints joined by two links, each with an application that writes a known stream and checks the one
// it reads, byte for byte. Time is virtual: the loop jumps to the next arrival, deadline or reading.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "link.h"
#include "monitor.h"
#include "sluice/tcp/endpoint.h"

namespace sluice::tcp::kit {

struct SideOptions {
    EndpointOptions endpoint;
    std::uint64_t bytes = 0;            // to write
    std::size_t write_chunk = 16384;    // most a write() is given
    Duration write_interval{0};         // 0: writes as soon as there is room; else a chunk at a time
    std::size_t read_chunk = SIZE_MAX;  // most that is consumed at a time
    Duration read_interval{0};          // 0: reads as soon as something is there
    Duration first_read{0};             // nothing is read before
    bool sleeps = false;                // whenever it is quiet, another endpoint takes its place
};

struct SimulationOptions {
    SideOptions client;  // connects
    SideOptions server;  // listens
    LinkOptions up;      // client to server
    LinkOptions down;
    std::uint64_t seed = 1;
    bool simultaneous_open = false;  // the server connects as well
    Duration stall_limit = 120s;     // without a byte read or a change of state
};

class Simulation {
  public:
    explicit Simulation(const SimulationOptions& options);

    // Runs until both streams are complete and both endpoints are Closed. What went wrong, or empty.
    std::string run();

    const Endpoint& client() const { return sides_[0].endpoint; }
    const Endpoint& server() const { return sides_[1].endpoint; }
    Duration transfer_time() const { return transferred_at_ - start_; }  // until the last byte was read
    std::uint64_t lost() const { return links_[0].lost() + links_[1].lost(); }
    std::uint32_t retransmits() const {
        return client().statistics().retransmits + server().statistics().retransmits;
    }
    std::uint64_t sleeps() const { return sides_[0].slept + sides_[1].slept; }
    std::uint64_t segments() const { return links_[0].sent() + links_[1].sent(); }

  private:
    struct Side final : Output {
        Side(const SideOptions& side_options, Link& out_link, std::uint64_t expected, const Instant& clock)
            : options(side_options),
              endpoint(side_options.endpoint),
              monitor(side_options.endpoint),
              link(out_link),
              to_read(expected),
              now(clock) {}
        void send(const Segment& segment) override;

        SideOptions options;
        Endpoint endpoint;
        Monitor monitor;
        Link& link;
        std::uint64_t to_read;
        const Instant& now;
        std::uint64_t written = 0;
        std::uint64_t read = 0;
        Instant next_read{};
        Instant next_write{};
        std::uint64_t slept = 0;
        std::uint32_t unaccepted = 0;  // segments, as counted when it was last looked
        Instant awake_until{};
        bool saw_end = false;
        std::vector<Segment> fresh;  // sent during the call; their bytes are not looked at
    };

    // Each returns what went wrong, or empty.
    std::string open();
    std::string step();
    std::string deliver(Side& receiver, Link& link);
    std::string run_timers(Side& side);
    std::string serve_application(std::size_t index);
    std::string write_some(std::size_t index);
    std::string read_some(std::size_t index);
    std::string put_to_sleep(Side& side);
    std::string look(Side& side);  // the monitor, after a call
    std::string check_progress();
    Instant next_event() const;
    bool finished() const;
    std::string describe(const std::string& wrong) const;

    SimulationOptions options_;
    Instant start_;
    Instant now_;
    Instant transferred_at_;
    Instant last_progress_;
    std::uint64_t progress_mark_ = 0;
    std::array<Link, 2> links_;
    std::array<Side, 2> sides_;
};

}  // namespace sluice::tcp::kit
