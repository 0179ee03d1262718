#include "hardware.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "fault.h"
#include "sluice/port/dpdk_port.h"
#include "sluice/worker/rss_key.h"
#include "workers.h"

namespace sluice::daemon {
namespace {

// Frames that wait in a worker for a neighbor's address.
constexpr std::size_t kHeldPerWorker = 4096;

port::Memory memory_of(config::Memory memory) {
    switch (memory) {
        case config::Memory::Auto: return port::Memory::Auto;
        case config::Memory::Hugepages: return port::Memory::Hugepages;
        case config::Memory::Ordinary: return port::Memory::Pages;
    }
    return port::Memory::Auto;
}

void log_notes(const std::vector<std::string>& notes) {
    for (const std::string& note : notes) spdlog::warn("{}", note);
}

std::uint16_t largest_mtu(const config::Config& config) {
    return std::ranges::max_element(config.ports, {}, &config::Port::mtu)->mtu;
}

}  // namespace

Hardware::Hardware(const config::Config& config) {
    take_interfaces(config);
    start_dpdk(config);
    open_ports(config);
}

void Hardware::take_interfaces(const config::Config& config) {
    for (const config::Port& port : config.ports) {
        if (port.interface.empty()) {
            devices_.push_back(port.device);
            continue;
        }
        port::InterfaceOptions options;
        options.interface = port.interface;
        options.device = "net_af_packet" + std::to_string(devices_.size());
        options.mtu = port.mtu;
        options.queues = static_cast<std::uint16_t>(config.runtime.workers);
        std::string error;
        auto setup = port::InterfaceSetup::prepare(options, error);
        if (!setup) throw StartFault("port " + port.name + ": " + error);
        log_notes(setup->notes());
        devices_.push_back(setup->device());
        interfaces_.push_back(std::move(setup));
    }
}

void Hardware::start_dpdk(const config::Config& config) {
    const std::size_t workers = config.runtime.workers;
    port::DpdkOptions options;
    options.workers = config.runtime.workers;
    options.cpus.assign(config.runtime.cores.begin(), config.runtime.cores.end());
    options.memory = memory_of(config.runtime.memory);
    options.devices = devices_;
    options.ports = static_cast<std::uint16_t>(config.ports.size());
    options.mtu = largest_mtu(config);
    options.held_frames = workers * kHeldPerWorker + workers * (workers - 1) * Workers::kHandoverCapacity;
    options.extra = config.runtime.eal;
    options.log = [](std::string_view line) { spdlog::warn("{}", line); };
    std::string error;
    environment_ = port::DpdkEnvironment::start(options, error);
    if (!environment_) throw StartFault(error);
    log_notes(environment_->notes());
}

void Hardware::open_ports(const config::Config& config) {
    for (std::size_t i = 0; i < config.ports.size(); ++i) {
        port::DpdkPortOptions options;
        options.name = config.ports[i].name;
        options.device = devices_[i];
        options.index = static_cast<std::uint16_t>(i);
        options.mtu = config.ports[i].mtu;
        options.workers = config.runtime.workers;
        options.rss_key.assign(worker::kRssKey.begin(), worker::kRssKey.end());
        std::string error;
        auto port = port::open_dpdk_port(*environment_, options, error);
        if (!port) throw StartFault("port " + options.name + ": " + error);
        const port::PortInfo& info = port->info();
        spdlog::info("port {}: {} by {}, {}, MTU {}, {} receive queues", info.name, info.device, info.driver,
                     to_string(info.mac), info.mtu, info.rx_queues);
        ports_.push_back(std::move(port));
    }
}

std::vector<port::Port*> Hardware::ports() const {
    std::vector<port::Port*> all;
    for (const auto& port : ports_) all.push_back(port.get());
    return all;
}

std::vector<MacAddress> Hardware::macs() const {
    std::vector<MacAddress> all;
    for (const auto& port : ports_) all.push_back(port->info().mac);
    return all;
}

}  // namespace sluice::daemon
