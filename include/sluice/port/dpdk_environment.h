// DPDK's process-wide part: the EAL with its memory and threads, and the pool of packet buffers that all
// ports and workers share. Knows no DPDK type, so that who starts it need not either.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/port/frame.h"

struct rte_mempool;

namespace sluice::port {

enum class Memory : std::uint8_t {
    Auto,       // hugepages when enough are free, else ordinary pages and a note
    Hugepages,  // or an error
    Pages,      // ordinary pages
};

struct DpdkOptions {
    std::string program = "sluiced";     // name in EAL's own messages
    std::string file_prefix = "sluice";  // names the runtime folder, where the telemetry socket is
    std::uint32_t workers = 1;
    std::vector<std::uint32_t> cpus{};  // worker i runs on cpus[i]; empty: workers float over all CPUs
    Memory memory = Memory::Auto;
    // The `device` of every port: PCI devices must be named before the EAL starts. Others may be missing.
    std::vector<std::string> devices{};
    // For the size of the pool: ports, the largest MTU of them, and frames that workers may hold
    // beside those in the ports' queues (handover, frames that wait for a neighbor).
    std::uint16_t ports = 1;
    std::uint16_t mtu = 1500;
    std::size_t held_frames = 4096;
    std::vector<std::string> extra{};  // further EAL arguments; those about memory replace Sluice's own
    // Receives EAL's warnings and errors, a line each without newline, from any thread. Unset: stderr.
    std::function<void(std::string_view)> log{};
};

// One per process, ever: the EAL cannot start twice.
class DpdkEnvironment {
  public:
    // nullptr, with a sentence for the operator in `error`, when it cannot start. Worker threads inherit the
    // caller's signal mask. The caller becomes the main lcore, floating over all CPUs of its affinity.
    static std::unique_ptr<DpdkEnvironment> start(const DpdkOptions& options, std::string& error);
    // All ports must be closed and all frames be back. Joins the workers.
    ~DpdkEnvironment();
    DpdkEnvironment(const DpdkEnvironment&) = delete;
    DpdkEnvironment& operator=(const DpdkEnvironment&) = delete;

    std::uint32_t workers() const;
    // Frames of all DPDK ports. Any worker and the main thread may use it at once.
    FramePool& frames();
    bool uses_hugepages() const;
    // What the operator should know, such as that ordinary pages are used and what to do about it.
    const std::vector<std::string>& notes() const;

    // Runs a function on the thread of worker `index` (below workers()), which must be idle. It must not
    // throw.
    void launch(std::uint32_t index, std::function<void()> run);
    // Waits until all launched functions have returned.
    void join();

    // For the ports.
    rte_mempool* mempool() const;

  private:
    struct Impl;
    explicit DpdkEnvironment(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::port
