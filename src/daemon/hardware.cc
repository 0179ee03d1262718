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

port::KernelDriver driver_of(config::InterfaceDriver driver) {
    switch (driver) {
        case config::InterfaceDriver::AfPacket: return port::KernelDriver::AfPacket;
        case config::InterfaceDriver::AfXdp: return port::KernelDriver::AfXdp;
    }
    return port::KernelDriver::AfPacket;
}

// Ports whose queues workers empty ahead of their work.
std::size_t kernel_ports(const std::vector<std::string>& devices) {
    return static_cast<std::size_t>(std::ranges::count_if(
        devices, [](const std::string& device) { return port::shares_rings(port::driver_of(device)); }));
}

// One line of what a port has to catch a burst with, and what that costs.
std::string describe_queues(const port::PortInfo& info) {
    std::string text = std::to_string(info.rx_queues) + " receive queues";
    if (info.rx_slots != 0) text += " of " + std::to_string(info.rx_slots) + " frames";
    if (info.ring_bytes != 0) text += ", " + std::to_string(info.ring_bytes >> 20U) + " MiB of rings";
    return text;
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
            devices_.push_back(port::with_rings(port.device, port.mtu));
            continue;
        }
        port::InterfaceOptions options;
        options.interface = port.interface;
        options.driver = driver_of(port.driver);
        options.number = static_cast<std::uint32_t>(devices_.size());
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
    options.held_frames = workers * kHeldPerWorker +
                          workers * (workers - 1) * Workers::handover_capacity(workers) +
                          workers * kernel_ports(devices_) * port::kTakeAhead;
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
        spdlog::info("port {}: {} by {}, {}, MTU {}, {}", info.name, info.device, info.driver,
                     to_string(info.mac), info.mtu, describe_queues(info));
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
