#include "eal_arguments.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string_view>

#include "sluice/port/dpdk_port.h"
#include "sluice/port/packet_ring.h"

namespace sluice::port {
namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;
// mbuf header, mempool object header and trailer, and what cache-line padding adds.
constexpr std::uint64_t kBufferOverhead = 320;
// The EAL's and the drivers' own needs beside the pool.
constexpr std::uint64_t kOwnMemory = 64 * kMebibyte;

std::uint64_t needed_bytes(const DpdkOptions& options) {
    const std::uint64_t buffer = pool_room(options.mtu) + kHeadroom + kBufferOverhead;
    return pool_frames(options) * buffer + kOwnMemory;
}

std::uint64_t mebibytes(std::uint64_t bytes) { return (bytes + kMebibyte - 1) / kMebibyte; }

// DPDK tells a buffer's size, headroom included, in 16 bits.
std::string mtu_fault(const DpdkOptions& options) {
    if (pool_room(options.mtu) + kHeadroom <= std::numeric_limits<std::uint16_t>::max()) return {};
    return "an MTU of " + std::to_string(options.mtu) + " needs larger packet buffers than DPDK has";
}

// An argument by which the operator decides about memory himself.
bool decides_memory(std::string_view argument) {
    static constexpr std::array<std::string_view, 8> kNames{"-m",
                                                            "--no-huge",
                                                            "--in-memory",
                                                            "--socket-mem",
                                                            "--huge-dir",
                                                            "--legacy-mem",
                                                            "--single-file-segments",
                                                            "--huge-unlink"};
    const std::string_view name = argument.substr(0, argument.find('='));
    return std::ranges::find(kNames, name) != kNames.end();
}

// "0@(0,1),1@(0,1)": lcore 0 is the main one, worker i is lcore i + 1.
std::string lcores(const DpdkOptions& options, const MachineFacts& machine) {
    std::string all;
    for (const std::uint32_t cpu : machine.cpus) all += (all.empty() ? "" : ",") + std::to_string(cpu);
    std::string out = "0@(" + all + ")";
    for (std::uint32_t worker = 0; worker < options.workers; ++worker) {
        const std::string cpus = options.cpus.empty() ? all : std::to_string(options.cpus[worker]);
        out += "," + std::to_string(worker + 1) + "@(" + cpus + ")";
    }
    return out;
}

std::string cpu_fault(const DpdkOptions& options, const MachineFacts& machine) {
    if (machine.cpus.empty()) return "cannot tell which CPUs this process may run on";
    if (options.workers == 0) return "at least one worker is needed";
    if (options.cpus.empty()) return {};
    if (options.cpus.size() != options.workers) {
        return std::to_string(options.workers) + " workers cannot be spread over " +
               std::to_string(options.cpus.size()) + " named CPUs; name one for each";
    }
    for (const std::uint32_t cpu : options.cpus) {
        if (std::ranges::find(machine.cpus, cpu) == machine.cpus.end())
            return "CPU " + std::to_string(cpu) + " does not exist or is not allowed to this process";
    }
    return {};
}

void plan_memory(const DpdkOptions& options, const MachineFacts& machine, EalPlan& plan) {
    const auto own = std::ranges::find_if(options.extra, decides_memory);
    if (own != options.extra.end()) {
        plan.hugepages = std::ranges::find(options.extra, "--no-huge") == options.extra.end();
        return;
    }
    const std::uint64_t needed = needed_bytes(options);
    const bool enough = machine.free_hugepage_bytes >= needed;
    const std::string hint = std::to_string(mebibytes(needed)) + " MiB of them are needed, " +
                             std::to_string(mebibytes(machine.free_hugepage_bytes)) +
                             " MiB are free; reserve more with `sysctl vm.nr_hugepages=" +
                             std::to_string((mebibytes(needed) + 1) / 2) + "` (of 2 MiB each)";
    if (options.memory == Memory::Hugepages && !enough) {
        plan.error = "not enough hugepages: " + hint;
        return;
    }
    if (options.memory != Memory::Pages && enough) {
        plan.hugepages = true;
        plan.arguments.emplace_back("--in-memory");
        return;
    }
    if (options.memory == Memory::Auto)
        plan.notes.push_back("using ordinary pages, which are slower than hugepages: " + hint);
    plan.arguments.insert(plan.arguments.end(),
                          {"--no-huge", "--no-shconf", "-m", std::to_string(mebibytes(needed))});
}

}  // namespace

MachineFacts machine_facts() {
    MachineFacts facts;
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        for (std::uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (CPU_ISSET(cpu, &allowed)) facts.cpus.push_back(cpu);
        }
    }
    std::error_code ignored;
    // One folder a page size: hugepages-2048kB.
    for (const auto& size : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", ignored)) {
        std::uint64_t pages = 0;
        std::ifstream(size.path() / "free_hugepages") >> pages;
        const std::string name = size.path().filename().string();
        const auto digits = name.find_first_of("0123456789");
        if (digits != std::string::npos)
            facts.free_hugepage_bytes += pages * std::stoull(name.substr(digits)) * 1024;
    }
    return facts;
}

std::uint32_t pool_room(std::uint16_t mtu) { return packet_ring(mtu).frame_size; }

std::size_t pool_frames(const DpdkOptions& options) {
    // A port has at most one queue pair a worker. Packet sockets have their own memory for what is in their
    // rings.
    std::size_t queued = 0;
    for (std::uint16_t i = 0; i < options.ports; ++i) {
        const std::string driver = i < options.devices.size() ? driver_of(options.devices[i]) : "";
        if (driver == kPacketDriver) continue;
        queued += options.workers *
                  (std::size_t{kDescriptors} + (driver == kXdpDriver ? kXdpBuffers : kDescriptors));
    }
    const std::size_t cached = (std::size_t{options.workers} + 1) * kPoolCache * 3 / 2;
    // One below a power of two is the size that a mempool's ring holds without waste.
    return std::bit_ceil(queued + cached + options.held_frames) - 1;
}

EalPlan plan_eal(const DpdkOptions& options, const MachineFacts& machine) {
    EalPlan plan;
    plan.error = cpu_fault(options, machine);
    if (plan.error.empty()) plan.error = mtu_fault(options);
    if (!plan.error.empty()) return plan;
    plan.arguments = {options.program, "--lcores=" + lcores(options, machine), "--main-lcore=0",
                      "--iova-mode=va", "--file-prefix=" + options.file_prefix};
    // Telemetry warns of a socket for old clients that nobody wants.
    plan.arguments.insert(plan.arguments.end(), {"--log-level=warning", "--log-level=lib.telemetry:error"});
    plan_memory(options, machine, plan);
    bool pci = false;
    for (const std::string& device : options.devices) {
        if (!is_pci_device(device)) continue;
        pci = true;
        plan.arguments.insert(plan.arguments.end(), {"-a", device});
    }
    // Without this the EAL would take every NIC that is bound to a user-space driver.
    if (!pci) plan.arguments.emplace_back("--no-pci");
    plan.arguments.insert(plan.arguments.end(), options.extra.begin(), options.extra.end());
    return plan;
}

}  // namespace sluice::port
