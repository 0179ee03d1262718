#include "dpdk_hardware.h"

#include <sys/random.h>
#include <unistd.h>

#include <iostream>
#include <stdexcept>
#include <thread>

#include "sluice/port/dpdk_port.h"

namespace sluice::load {
namespace {

constexpr unsigned kPrefixV4 = 24;
constexpr unsigned kPrefixV6 = 64;
constexpr std::size_t kHeldFrames = 16'384;  // that wait for neighbors, or for a full port

SipKey random_key() {
    SipKey key{};
    if (getrandom(&key, sizeof key, 0) != static_cast<ssize_t>(sizeof key))
        throw std::runtime_error("cannot get random numbers");
    return key;
}

PacketNetworkOptions network_of(const Options& options) {
    PacketNetworkOptions network;
    for (const IpAddress& address : options.network.sources) {
        const unsigned usual = address.is_v4() ? kPrefixV4 : kPrefixV6;
        const unsigned length = options.network.prefix == 0 ? usual : options.network.prefix;
        network.networks.push_back({address, static_cast<std::uint8_t>(length)});
    }
    for (const IpAddress& gateway : options.network.gateways) {
        (gateway.is_v4() ? network.gateway_v4 : network.gateway_v6) = gateway;
    }
    return network;
}

// A port that is made of shared memory finds its peer a moment later; what is sent before is lost.
void wait_for_link(const port::Port& port) {
    for (int i = 0; i < 500 && !port.link().up; ++i) std::this_thread::sleep_for(10ms);
}

}  // namespace

DpdkHardware::DpdkHardware(const Options& options) {
    const Network& network = options.network;
    const auto tell = [](const std::vector<std::string>& notes) {
        for (const std::string& note : notes) std::cerr << "sluice-load: " << note << "\n";
    };
    std::string error;
    std::string device = port::with_rings(network.device, network.mtu);
    if (!network.interface.empty()) {
        interface_ =
            port::InterfaceSetup::prepare({.interface = network.interface, .mtu = network.mtu}, error);
        if (!interface_) throw std::runtime_error(error);
        tell(interface_->notes());
        device = interface_->device();
    }
    port::DpdkOptions dpdk{.program = "sluice-load",
                           .file_prefix = "sluice-load-" + std::to_string(::getpid())};
    dpdk.memory = network.ordinary_pages ? port::Memory::Pages : port::Memory::Auto;
    dpdk.devices = {device};
    dpdk.mtu = network.mtu;
    dpdk.held_frames = kHeldFrames;
    dpdk.extra = network.eal;
    dpdk.log = [](std::string_view line) { std::cerr << "sluice-load: " << line << "\n"; };
    environment_ = port::DpdkEnvironment::start(dpdk, error);
    if (!environment_) throw std::runtime_error(error);
    tell(environment_->notes());
    port_ =
        port::open_dpdk_port(*environment_, {.name = "load", .device = device, .mtu = network.mtu}, error);
    if (!port_) throw std::runtime_error(error);
    wait_for_link(*port_);
}

void DpdkHardware::run(const std::function<void()>& function) {
    std::exception_ptr thrown;
    environment_->launch(0, [&] {
        try {
            function();
        } catch (...) {
            thrown = std::current_exception();
        }
    });
    environment_->join();
    if (thrown) std::rethrow_exception(thrown);
}

std::unique_ptr<PacketTransport> DpdkHardware::transport(const Options& options, Events& events,
                                                         Instant now) {
    const PacketTransportOptions packets{
        .network = network_of(options), .key = random_key(), .capacity = options.capacity};
    port::FramePool& pool = environment_->frames();
    if (options.broker)
        return std::make_unique<PacketTransport>(now, packets, options.addresses, *port_, pool, events);
    addressing_ = std::make_unique<Addressing>(options.network.sources, options.addresses,
                                               options.network.first_port, options.network.last_port);
    return std::make_unique<PacketTransport>(now, packets, *addressing_, *port_, pool, events);
}

}  // namespace sluice::load
