#include "file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::config {
namespace {

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

std::string unreadable() { return std::string("cannot be read: ") + std::strerror(errno); }

bool same(const struct stat& a, const struct stat& b) {
    return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
           a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

std::string read_file(const std::string& path, std::size_t limit, std::string& out) {
    constexpr const char* kNoFile = "is not a regular file";
    struct stat before {};
    // First by its name: there are devices that begin to do something when they are opened.
    if (::stat(path.c_str(), &before) != 0) return unreadable();
    if (!S_ISREG(before.st_mode)) return kNoFile;
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.get() < 0 || ::fstat(file.get(), &before) != 0) return unreadable();
    if (!S_ISREG(before.st_mode)) return kNoFile;

    std::string text;
    std::array<char, 16384> block{};
    while (text.size() <= limit) {
        const ::ssize_t got = ::read(file.get(), block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return unreadable();
        if (got == 0) break;
        text.append(block.data(), static_cast<std::size_t>(got));
    }
    if (text.size() > limit) return "holds more than " + std::to_string(limit) + " bytes";
    struct stat after {};
    if (::fstat(file.get(), &after) != 0) return unreadable();
    if (!same(before, after)) return "was changed while it was read; try again when it is complete";
    out = std::move(text);
    return "";
}

}  // namespace sluice::config
