// Two packet transports, clients and what they connect to, joined by a wire with a virtual clock. What comes
// to pass is recorded; a test may add to it by its own functions. By one seed the wire loses, repeats and
// delays frames, so that a run can be repeated.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "packet_transport.h"
#include "sluice/base/random.h"
#include "sluice/port/memory_port.h"

namespace sluice::load::test {

// A transport on its port, and what it told.
class Side final : public Events {
  public:
    explicit Side(const MacAddress& mac, std::uint16_t index);

    void on_open(Instant now, Id id) override;
    std::size_t on_bytes(Instant now, Id id, ByteView bytes) override;
    void on_end(Instant now, Id id, End end) override;

    struct Record {
        bool open = false;
        unsigned opened = 0;
        std::string bytes;
        std::vector<End> ends;
    };
    // Instead of taking all: returns how much.
    std::function<std::size_t(Instant, Id, ByteView)> take;
    std::function<void(Instant, Id)> when_open;
    std::function<void(Instant, Id, End)> when_ended;
    bool echoes = false;
    std::map<Id, Record> records;
    std::uint64_t opened = 0;
    std::uint64_t ended = 0;

    port::HeapFramePool pool;
    port::MemoryPort port;
    std::unique_ptr<PacketTransport> transport;
};

struct Weather {
    double loss = 0;
    double duplicate = 0;
    double reorder = 0;
    Duration delay{0};
};

struct LabOptions {
    bool ipv6 = false;
    std::uint32_t capacity = 20'000;
    std::uint32_t sources = 4;
    std::uint32_t listeners = 1;
    tcp::EndpointOptions endpoint = packet_endpoint_options();
    PacketNetworkOptions network{};  // of the clients
    Weather weather{};
    std::uint64_t seed = 1;
};

class PacketLab {
  public:
    explicit PacketLab(const LabOptions& options = {});

    // Lets time pass, a millisecond at a time.
    void run(Duration duration);
    // At this instant, until nothing moves any more.
    void settle();
    // Until it holds, at most `limit`; whether it does.
    bool run_until(const std::function<bool()>& holds, Duration limit = std::chrono::seconds(30));
    void open(Id id);
    void send(Side& side, Id id, const std::string& text);
    // The other end of a client's connection; fails the test when there is none.
    Id accepted(Id client);
    // What the wire carried since the last call, from the clients and to them.
    std::vector<std::vector<std::byte>> take_seen() { return std::exchange(seen_, {}); }
    // A segment from the clients' host to theirs, whoever is there, and one in the other direction.
    void inject_to(Side& side, const FourTuple& sender, const tcp::Segment& segment);

    static constexpr MacAddress kClientMac{{0x02, 0, 0, 0, 3, 1}};
    static constexpr MacAddress kServerMac{{0x02, 0, 0, 0, 3, 2}};

    Instant now = Instant{} + std::chrono::hours(1);
    Addressing addressing;
    Side clients{kClientMac, 0};
    Side servers{kServerMac, 0};
    Weather weather;
    bool cut = false;    // everything is lost
    bool watch = false;  // take_seen() is wanted

  private:
    bool move(Side& from, Side& to);
    bool hit(double probability) {
        return static_cast<double>(random_.next() >> 11U) * 0x1p-53 < probability;
    }

    SplitMix64 random_;
    std::multimap<Instant, std::pair<Side*, std::vector<std::byte>>> on_the_way_;
    std::vector<std::vector<std::byte>> seen_;
};

}  // namespace sluice::load::test
