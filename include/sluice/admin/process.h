// What the kernel says of this process, as Prometheus's own clients tell it. Read from /proc; what cannot be
// read is 0.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::admin {

struct Process {
    double cpu_seconds = 0;         // user and system, of all threads
    double start_time_seconds = 0;  // since the epoch
    std::uint64_t resident_bytes = 0;
    std::uint64_t virtual_bytes = 0;
    std::uint64_t open_files = 0;
    std::uint64_t max_files = 0;
};

// proc: where /proc is.
Process read_process(const std::string& proc = "/proc");

}  // namespace sluice::admin
