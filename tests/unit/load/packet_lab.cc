#include "packet_lab.h"

#include <gtest/gtest.h>

#include "sluice/tcp/frame.h"

namespace sluice::load::test {
namespace {

IpAddress address(bool ipv6, const std::string& v4, const std::string& v6, std::uint32_t offset) {
    IpAddress at = *IpAddress::parse(ipv6 ? v6 : v4);
    for (std::uint32_t i = 0; i < offset; ++i) at = at.next();
    return at;
}

std::vector<IpAddress> sources(const LabOptions& options) {
    std::vector<IpAddress> all;
    for (std::uint32_t i = 0; i < options.sources; ++i)
        all.push_back(address(options.ipv6, "10.0.1.1", "fd00::1:1", i));
    return all;
}

std::vector<SocketAddress> listeners(const LabOptions& options) {
    std::vector<SocketAddress> all;
    for (std::uint32_t i = 0; i < options.listeners; ++i)
        all.push_back({.address = address(options.ipv6, "10.0.2.1", "fd00::2:1", i), .port = 1883});
    return all;
}

}  // namespace

Side::Side(const MacAddress& mac, std::uint16_t index)
    : pool(200'000), port({.index = index, .mac = mac}, pool) {}

void Side::on_open(Instant now, Id id) {
    Record& record = records[id];
    EXPECT_FALSE(record.open);
    record = {.open = true, .opened = record.opened + 1, .bytes = {}, .ends = record.ends};
    ++opened;
    if (when_open) when_open(now, id);
}

std::size_t Side::on_bytes(Instant now, Id id, ByteView bytes) {
    EXPECT_TRUE(records[id].open);
    EXPECT_FALSE(bytes.empty());
    const std::size_t taken = take ? take(now, id, bytes) : bytes.size();
    records[id].bytes += as_text(bytes.first(taken));
    if (echoes && records[id].open) {
        EXPECT_TRUE(transport->send(now, id, bytes.first(taken)));
    }
    return taken;
}

void Side::on_end(Instant now, Id id, End end) {
    Record& record = records[id];
    record.open = false;
    record.ends.push_back(end);
    ++ended;
    if (when_ended) when_ended(now, id, end);
}

PacketLab::PacketLab(const LabOptions& options)
    : addressing(sources(options), listeners(options), 1024, 65535),
      weather(options.weather),
      random_(options.seed) {
    PacketTransportOptions transport{.network = options.network,
                                     .endpoint = options.endpoint,
                                     .key = {options.seed, 7},
                                     .capacity = options.capacity};
    clients.transport =
        std::make_unique<PacketTransport>(now, transport, addressing, clients.port, clients.pool, clients);
    transport.key = {options.seed, 8};
    transport.network = {};
    servers.transport = std::make_unique<PacketTransport>(now, transport, listeners(options), servers.port,
                                                          servers.pool, servers);
}

bool PacketLab::move(Side& from, Side& to) {
    std::vector<std::vector<std::byte>> frames = from.port.take();
    for (std::vector<std::byte>& frame : frames) {
        if (watch) seen_.push_back(frame);
        if (cut || hit(weather.loss)) continue;
        const int copies = hit(weather.duplicate) ? 2 : 1;
        for (int i = 0; i < copies; ++i) {
            const Duration late = hit(weather.reorder) ? Duration(7ms) : Duration(0);
            on_the_way_.emplace(now + weather.delay + late, std::pair(&to, frame));
        }
    }
    return !frames.empty();
}

void PacketLab::settle() {
    bool busy = true;
    while (busy) {
        busy = clients.transport->turn(now);
        busy = servers.transport->turn(now) || busy;
        busy = move(clients, servers) || busy;
        busy = move(servers, clients) || busy;
        while (!on_the_way_.empty() && on_the_way_.begin()->first <= now) {
            auto& [side, frame] = on_the_way_.begin()->second;
            side->port.inject(frame);
            on_the_way_.erase(on_the_way_.begin());
            busy = true;
        }
    }
}

void PacketLab::run(Duration duration) {
    const Instant until = now + duration;
    settle();
    while (now < until) {
        now += 1ms;
        settle();
    }
}

bool PacketLab::run_until(const std::function<bool()>& holds, Duration limit) {
    const Instant until = now + limit;
    settle();
    while (!holds() && now < until) {
        now += 1ms;
        settle();
    }
    return holds();
}

void PacketLab::open(Id id) { EXPECT_TRUE(clients.transport->open(now, id)); }

void PacketLab::send(Side& side, Id id, const std::string& text) {
    EXPECT_TRUE(side.transport->send(now, id, as_bytes(text)));
}

Id PacketLab::accepted(Id client) {
    const FourTuple wanted = addressing.tuple(client);
    for (const auto& [id, record] : servers.records) {
        if (record.open && servers.transport->tuple(id).remote == wanted.local &&
            servers.transport->tuple(id).local == wanted.remote) {
            return id;
        }
    }
    ADD_FAILURE() << "nobody accepted client " << client;
    return 0;
}

void PacketLab::inject_to(Side& side, const FourTuple& sender, const tcp::Segment& segment) {
    std::vector<std::byte> frame(2000);
    frame.resize(tcp::write_segment(sender, &side == &clients ? kServerMac : kClientMac,
                                    &side == &clients ? kClientMac : kServerMac, segment, frame));
    side.port.inject(frame);
}

}  // namespace sluice::load::test
