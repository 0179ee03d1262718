// Clients and brokers of a Bench: hosts of the worker's tests on the other end of its one port.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "bench.h"
#include "mqtt/packets.h"
#include "worker/host.h"

namespace sluice::daemon {

class Clients {
  public:
    explicit Clients(Bench& bench) : bench_(bench) {}

    // From now on somebody is at the address and takes connections to port 1883, and says this to whoever
    // says something.
    void serve(const IpAddress& address, const std::string& answer = "") {
        brokers_.addresses.push_back(address);
        brokers_.listen(1883, [answer](test::Socket& socket) { socket.write(std::string_view(answer)); });
    }
    // A connection, and the packet on it.
    test::Socket& connect(const SocketAddress& from, const SocketAddress& to, std::string_view packet) {
        if (std::ranges::find(clients_.addresses, from.address) == clients_.addresses.end()) {
            clients_.addresses.push_back(from.address);
        }
        clients_.now = bench_.now;
        test::Socket& socket = clients_.connect(from, to, Bench::kMac);
        settle();
        socket.write(packet);
        settle();
        return socket;
    }
    // Frames reach their ends; no time passes.
    void settle() {
        for (bool any = true; any;) {
            any = false;
            for (test::Host* const host : {&clients_, &brokers_}) {
                while (!host->out.empty()) {
                    bench_.memory_ports[0]->inject(host->out.front());
                    host->out.pop_front();
                    any = true;
                }
            }
            bench_.step();
            for (const std::vector<std::byte>& frame : bench_.memory_ports[0]->take()) {
                clients_.on_frame(bench_.now, frame);
                brokers_.on_frame(bench_.now, frame);
                any = true;
            }
        }
    }
    // In steps of 10 ms.
    void pass(Duration time) {
        for (const Instant end = bench_.now + time; bench_.now < end; bench_.now += 10ms) {
            settle();
            bench_.controller.turn(bench_.now);
        }
        bench_.controller.turn(bench_.now);
        settle();
    }

  private:
    Bench& bench_;
    test::Host clients_{MacAddress{{2, 0, 0, 0, 9, 1}}, {}};
    test::Host brokers_{MacAddress{{2, 0, 0, 0, 9, 2}}, {}};
};

}  // namespace sluice::daemon
