// A connection whose two ends are a script: no kernel and no endpoint stands behind them, so a test says what
// each end sends, packet by packet, and reads what leaves Sluice by both ports. Between them is a whole
// worker.
//
// A packet is written as a line, in packetdrill's manner, with numbers relative to the stream:
//
//     P. 0:4 ack 12 win 500 ts 3/1 sack 20:30 40:50
//
// Flags (S F R P E W and . for ACK, - for none), first byte and end of the payload, then what differs from
// the usual: `ack` is 0 unless said; `win` 500, and 0 for resets; `ts VALUE/ECHO` 0/0 where timestamps were
// agreed on (`nots`: none; resets have none unless they say so); `mss`, `scale` and `sackok` none. Sequence 0
// is the byte behind the CONNECT or CONNACK, and clock 0 that of the last packet before the splice, both on
// either leg: a packet that passes a spliced connection reads the same on both sides. What lies before 0 are
// the bytes of CONNECT and CONNACK themselves. Payload is what its place in the stream says; `garbled` is
// something else.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/packets.h"

namespace sluice::test {

enum class Side : std::uint8_t { Client, Broker };  // also Sluice's port that leads there

struct Line {
    wire::TcpFlags flags{};
    std::int32_t begin = 0;
    std::int32_t end = 0;
    std::int32_t acknowledges = 0;
    std::uint16_t window = 0;
    std::optional<std::pair<std::int32_t, std::int32_t>> clocks{};
    std::vector<std::pair<std::int32_t, std::int32_t>> sack{};
    std::optional<std::uint16_t> mss{};
    std::optional<std::uint8_t> scale{};
    bool sack_permitted = false;
    bool garbled = false;
    bool wrong_checksum = false;
};

// What one end brings along.
struct Actor {
    std::uint32_t first = 0;  // initial sequence number
    std::uint32_t clock = 0;  // TSval until the splice
    std::optional<std::uint16_t> mss = 1460;
    std::optional<std::uint8_t> scale = 7;
    bool sack = true;
    bool timestamps = true;
    bool forgets_them = false;  // in everything behind its SYN until the splice
};

struct Plot {
    Setup setup{.brokers = 1};
    Actor client{.first = 0x10000000, .clock = 0x01000000};
    Actor broker{.first = 0x20000000, .clock = 0x02000000};
    std::string id = "device";
    std::uint16_t keep_alive = 60;
    mqtt::Version version = mqtt::Version::V311;
    std::function<void(Lab&)> prepare = {};  // before the handshake
    std::optional<SocketAddress> from = {};  // the client; nullopt: on the listener's network
    Duration round_trip{0};                  // the client's, until the splice
    Duration later{0};  // after the lab's usual beginning: moves Sluice's own numbers and clocks
};

class Story {
  public:
    // Ends when Sluice has sent the CONNACK to the client: a client that acknowledges it makes the connection
    // quiet.
    explicit Story(const Plot& plot = {});

    // --- what the ends do; all that Sluice sends in answer leaves at once ---
    void says(Side side, std::string_view line);
    void client(std::string_view line) { says(Side::Client, line); }
    void broker(std::string_view line) { says(Side::Broker, line); }
    void arrives(Side side, const Frame& frame);
    // As the end would send it, from its own MAC.
    Frame frame(Side side, std::string_view line) const;

    // --- what leaves Sluice ---
    using Here = std::source_location;
    // All TCP since the last look and nothing else, oldest first on each port, clients' port first: "client
    // LINE" and "broker LINE".
    void expect(const std::vector<std::string>& lines, Here here = Here::current());
    // The line passes to the other side as it is, and nothing else leaves.
    void client_passes(std::string_view line, Here here = Here::current());
    void broker_passes(std::string_view line, Here here = Here::current());

    // --- Sluice's view ---
    std::optional<session::Phase> phase() const;  // nullopt: no such connection
    // From the end of the constructor on.
    Moved moved(std::string_view prefix) const { return counts.moved(prefix); }
    // The connection is spliced and undisturbed; the operator ends it, and both ends hear resets.
    void expect_alive(Here here = Here::current());
    // It is gone for that reason, and nothing of it is left.
    void expect_gone(Counter reason, Here here = Here::current());

    // One leg: its remote end is an actor, its local end Sluice.
    struct Leg {
        SocketAddress remote;
        SocketAddress local;
        std::uint32_t remote_zero = 0;  // sequence number of the remote end's stream at 0
        std::uint32_t local_zero = 0;
        std::uint32_t remote_clock = 0;  // TSval of the remote end at clock 0
        std::uint32_t local_clock = 0;
        MacAddress mac;       // of the remote end
        MacAddress own_mac;   // Sluice's
        std::string preface;  // what the remote end says before 0
    };
    Leg& leg(Side side) { return legs_[static_cast<std::size_t>(side)]; }
    const Leg& leg(Side side) const { return legs_[static_cast<std::size_t>(side)]; }
    Line parse(std::string_view text) const;
    std::string text(const SeenSegment& segment) const;
    static std::string text(const Line& line);
    // The payload at that place of the side's stream.
    std::string bytes(Side side, std::int32_t begin, std::int32_t end) const;

    const Plot plot;
    Lab lab;
    Tap tap;
    Counts counts{lab};

  protected:
    // The splice has happened: clocks no longer follow Sluice's own.
    void freeze() { frozen_ = true; }

  private:
    void open();
    void note();
    bool about_us(const SeenSegment& segment) const;

    std::array<Leg, 2> legs_;
    std::size_t noted_ = 0;
    bool timestamps_ = false;
    bool frozen_ = false;
};

// A Story from the splice on: the client's bare ACK of the CONNACK made it quiet.
class Spliced : public Story {
  public:
    explicit Spliced(const Plot& plot = {});
};

Plot over(bool ipv6, Plot plot = {});

// Lab::connect(), with hosts at both ends, and on to the splice.
Socket& connect_spliced(Lab& lab, const std::string& client_id);

}  // namespace sluice::test
