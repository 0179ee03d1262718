#include "sluice/admin/connection_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "json.h"

namespace sluice::admin {
namespace {

// RFC 3339, UTC, milliseconds.
std::string time_text(std::chrono::system_clock::time_point time) {
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    const std::time_t seconds = milliseconds / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[40];
    const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::string fraction = std::to_string(milliseconds % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    return std::string(text, size) + "." + fraction + "Z";
}

// Of a file that was there: a process that was killed, or a full disk, may have left a part of a line.
bool ends_within_line(int fd, const std::string& path) {
    struct ::stat facts {};
    if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size == 0) return false;
    const int reader = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader < 0) return false;
    char last = '\n';
    const bool known = ::pread(reader, &last, 1, facts.st_size - 1) == 1;
    ::close(reader);
    return known && last != '\n';
}

bool same_file(int a, int b) {
    struct ::stat first {};
    struct ::stat second {};
    return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

}  // namespace

std::string to_line(const ConnectionEnd& end) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(end.duration).count();
    Json json = {{"time", time_text(end.time)},
                 {"reason", end.reason},
                 {"listener", end.listener},
                 {"pool", text_or_null(end.pool)},
                 {"backend", text_or_null(end.backend)},
                 {"client", end.client.to_string()},
                 {"source", end.source ? Json(end.source->to_string()) : Json(nullptr)},
                 {"client_id", end.client_id},
                 {"version", text_or_null(end.version)},
                 {"keep_alive_seconds", end.keep_alive},
                 {"persistent", end.persistent},
                 {"from_client_bytes", end.bytes_from_client},
                 {"from_broker_bytes", end.bytes_from_broker},
                 {"duration_seconds", static_cast<double>(milliseconds) / 1000}};
    if (end.client_id_cut) json["client_id_cut"] = true;
    return text_of(json);
}

ConnectionLog::~ConnectionLog() {
    flush();
    close();
}

std::optional<std::string> ConnectionLog::open(const std::string& path) {
    flush();
    if (path.empty()) {
        close();
        return std::nullopt;
    }
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd < 0) return "the connection log " + path + " cannot be opened: " + std::strerror(errno);
    if (fd_ >= 0 && same_file(fd_, fd)) {
        ::close(fd);  // what is kept goes there, behind what has gone
        return std::nullopt;
    }
    close();
    fd_ = fd;
    torn_ = ends_within_line(fd, path);
    return std::nullopt;
}

// What the file has not taken is not for the next one: it may begin within a line.
void ConnectionLog::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    give_up_buffer();
}

void ConnectionLog::give_up_buffer() {
    lost_ += buffered_;
    buffer_.clear();
    buffered_ = 0;
    torn_ = std::exchange(within_line_, false) || torn_;
}

// False when that must wait.
bool ConnectionLog::end_torn_line() {
    torn_ = torn_ && ::write(fd_, "\n", 1) != 1;
    return !torn_;
}

void ConnectionLog::append(const ConnectionEnd& end) {
    if (fd_ < 0) return;
    if (buffer_.size() > kBuffer) {
        ++lost_;
        return;
    }
    buffer_.append(to_line(end)).append("\n");
    ++buffered_;
}

// A reader of a pipe that is slow, or a full disk, takes a part or nothing.
void ConnectionLog::flush() {
    if (fd_ < 0 || buffer_.empty()) return;
    const ::ssize_t n = torn_ && !end_torn_line() ? -1 : ::write(fd_, buffer_.data(), buffer_.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) return give_up_buffer();
    const auto written = static_cast<std::size_t>(n);
    buffered_ -= static_cast<std::uint64_t>(
        std::count(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(written), '\n'));
    if (written != 0) within_line_ = buffer_[written - 1] != '\n';
    buffer_.erase(0, written);
}

}  // namespace sluice::admin
