#include "sluice/admin/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace sluice::admin {
namespace {

// Seconds since the epoch at which the machine was started.
double boot_time(const std::string& proc) {
    std::ifstream stat(proc + "/stat");
    for (std::string line; std::getline(stat, line);) {
        std::istringstream words(line);
        std::string name;
        double value = 0;
        if (words >> name >> value && name == "btime") return value;
    }
    return 0;
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
        if (number == 22) process.start_time_seconds = boot_time(proc) + std::stod(field) / ticks;
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
