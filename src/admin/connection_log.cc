#include "sluice/admin/connection_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

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

}  // namespace

std::string to_line(const ConnectionEnd& end) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(end.age).count();
    Json json = {{"time", time_text(end.time)}, {"reason", end.reason}};
    add_identity(json, end);
    json["persistent"] = end.persistent;
    json["from_client_bytes"] = end.bytes_from_client;
    json["from_broker_bytes"] = end.bytes_from_broker;
    json["duration_seconds"] = static_cast<double>(milliseconds) / 1000;
    if (end.client_id_cut) json["client_id_cut"] = true;
    return text_of(json);
}

ConnectionLog::~ConnectionLog() {
    flush();
    leave_file();
}

void ConnectionLog::open(const std::string& path) {
    flush();
    path_ = path;
    open_fault_.clear();
    if (!path.empty()) return try_to_open();
    leave_file();
    lost_ += buffered_;
    buffered_ = 0;
    buffer_.clear();
    write_fault_.clear();
}

void ConnectionLog::try_to_open() {
    const int fd = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd < 0) {
        open_fault_ = std::string("cannot be opened: ") + std::strerror(errno);
        return;
    }
    open_fault_.clear();
    if (fd_ >= 0 && same_file(fd_, fd)) {
        ::close(fd);  // what is kept goes there, behind what has gone
        return;
    }
    leave_file();
    fd_ = fd;
    torn_ = ends_within_line(fd, path_);
}

// What it has not taken may go to the next one, but for a line of which it has a part.
void ConnectionLog::leave_file() {
    if (within_line_) give_up_line();
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    torn_ = false;
    write_fault_.clear();
}

void ConnectionLog::give_up_line() {
    buffer_.erase(0, buffer_.find('\n') + 1);
    --buffered_;
    ++lost_;
    within_line_ = false;
    torn_ = true;
}

// False when that must wait.
bool ConnectionLog::end_torn_line() {
    torn_ = torn_ && ::write(fd_, "\n", 1) != 1;
    return !torn_;
}

void ConnectionLog::append(const ConnectionEnd& end) {
    if (path_.empty()) return;
    if (buffer_.size() > kBuffer) {
        ++lost_;
        return;
    }
    buffer_.append(to_line(end)).append("\n");
    ++buffered_;
}

void ConnectionLog::flush() {
    if (!open_fault_.empty()) try_to_open();
    if (fd_ >= 0 && !buffer_.empty()) write();
}

// A reader of a pipe that is slow, or a full disk, takes a part or nothing.
void ConnectionLog::write() {
    const ::ssize_t n = torn_ && !end_torn_line() ? -1 : ::write(fd_, buffer_.data(), buffer_.size());
    if (n < 0 && errno == EINTR) return;
    if (n < 0 && errno == EAGAIN) return write_fault_.clear();
    if (n < 0) {
        write_fault_ = std::string("cannot be written: ") + std::strerror(errno);
        // The reader of a pipe has gone, and the next one has not seen how the line began.
        if (errno == EPIPE && within_line_) give_up_line();
        return;
    }
    write_fault_.clear();
    const auto written = static_cast<std::size_t>(n);
    buffered_ -= static_cast<std::uint64_t>(
        std::count(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(written), '\n'));
    if (written != 0) within_line_ = buffer_[written - 1] != '\n';
    buffer_.erase(0, written);
}

}  // namespace sluice::admin
