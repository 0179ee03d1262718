#include "sluice/admin/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace sluice::admin {
namespace {

// Seconds since the epoch at which the machine was started. Reckoned once, so that it stays the same whatever
// becomes of the clock; and not read from /proc/stat, which a service need not be shown.
double boot_time() {
    static const double boot = [] {
        ::timespec up{};
        ::clock_gettime(CLOCK_BOOTTIME, &up);
        const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
        return now.count() - static_cast<double>(up.tv_sec) - static_cast<double>(up.tv_nsec) / 1e9;
    }();
    return boot;
}

}  // namespace

Process read_process(const std::string& proc) {
    Process process;
    // proc(5): fields are counted from 1, the second is the name in brackets and may hold blanks.
    std::ifstream file(proc + "/self/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
    std::string field;
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    for (int number = 3; fields >> field; ++number) {
        if (number == 14 || number == 15) process.cpu_seconds += std::stod(field) / ticks;
        if (number == 22) process.start_time_seconds = boot_time() + std::stod(field) / ticks;
        if (number == 23) process.virtual_bytes = std::stoull(field);
        if (number == 24) process.resident_bytes = std::stoull(field) * page;
    }
    std::error_code ignored;
    const std::filesystem::directory_iterator files(proc + "/self/fd", ignored);
    process.open_files = static_cast<std::uint64_t>(std::distance(begin(files), end(files)));
    ::rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) process.max_files = limit.rlim_cur;
    return process;
}

}  // namespace sluice::admin
