// A host on the far side of a memory port: answers ARP and neighbor discovery, and holds TCP endpoints of the
// project's own kind as sockets. It stands in for the kernels of clients and brokers, under the test's clock.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/base/time.h"
#include "sluice/tcp/endpoint.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/ip_packet.h"

namespace sluice::test {

class Host;

// One connection of a host. What arrives is appended to `received` at once, unless `hold` keeps it in the
// endpoint.
class Socket : public tcp::Output {
  public:
    Socket(Host& host, const FourTuple& tuple, const MacAddress& gateway, const tcp::EndpointOptions& options)
        : endpoint(options), tuple(tuple), host_(host), gateway_(gateway) {}

    void send(const tcp::Segment& segment) override;  // tcp::Output
    void write(std::string_view bytes);
    void write(ByteView bytes);
    void shutdown();
    void abort();
    void collect();

    tcp::Endpoint endpoint;
    FourTuple tuple;  // local: this host's end
    std::string received;
    std::string unsent;           // what the endpoint's buffer had no room for yet
    std::size_t unsent_from = 0;  // bytes at the front of it that have gone since
    bool hold = false;

  private:
    Host& host_;
    MacAddress gateway_;
};

class Host {
  public:
    Host(MacAddress mac, std::vector<IpAddress> addresses) : mac(mac), addresses(std::move(addresses)) {}

    // Opens a connection; gateway: the MAC frames are sent to.
    Socket& connect(const SocketAddress& from, const SocketAddress& to, const MacAddress& gateway,
                    const tcp::EndpointOptions& options = {});
    // From now on SYNs to `port` are answered; on_data is called whenever a socket has received something.
    void listen(std::uint16_t port, std::function<void(Socket&)> on_data);
    // Called with each socket that a listener makes, when its handshake is complete.
    std::function<void(Socket&)> on_accept;
    void stop_listening(std::uint16_t port) { listeners_.erase(port); }

    void on_frame(Instant now, ByteView frame);
    void on_timer(Instant now);
    Instant next_deadline() const;
    void transmit(std::vector<std::byte> frame) { out.push_back(std::move(frame)); }
    // Drops the sockets that are over, TIME-WAIT included; references to them end here.
    void forget_finished();

    const MacAddress mac;
    std::vector<IpAddress> addresses;
    bool silent = false;    // receives and says nothing at all, ARP included
    bool deaf_tcp = false;  // answers ARP and NDP, but drops TCP
    std::deque<std::vector<std::byte>> out;
    std::vector<std::unique_ptr<Socket>> sockets;
    tcp::EndpointOptions accept_options;  // of sockets that listeners make
    Instant now;

  private:
    bool has(const IpAddress& address) const;
    void on_arp(ByteView payload);
    void on_solicitation(const wire::IpPacket& packet, const MacAddress& from);
    void on_tcp(const wire::IpPacket& packet, const MacAddress& from);

    std::map<std::uint16_t, std::function<void(Socket&)>> listeners_;
    std::uint32_t opened_ =
        0;  // sockets ever: each starts at a later sequence number, the first near the wrap
};

}  // namespace sluice::test
