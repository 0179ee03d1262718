// The connection log: one line of JSON for each connection that has ended, appended to a file. Kept in memory
// until a flush() at which the file takes them, so that nobody waits for a disk: a disk that is full, a pipe
// without a reader, a folder that is not there may all be mended later. What exceeds the memory is lost and
// counted. Whoever uses it ignores SIGPIPE and SIGXFSZ.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "sluice/admin/view.h"

namespace sluice::admin {

// Its pool is empty where no CONNECT was read.
struct ConnectionEnd : ConnectionDescription {
    std::chrono::system_clock::time_point time;
    std::string reason;  // name of the counter that says why
};

// Without a newline. Text from clients is made valid UTF-8.
std::string to_line(const ConnectionEnd& end);

class ConnectionLog {
  public:
    // Lines that are kept, in bytes.
    static constexpr std::size_t kBuffer = 4U << 20U;

    ConnectionLog() = default;
    ~ConnectionLog();
    ConnectionLog(const ConnectionLog&) = delete;
    ConnectionLog& operator=(const ConnectionLog&) = delete;

    // Appends to the file at `path` from now on, made with mode 0640 where it is not there; empty: closes,
    // and what is kept is lost. A file that was moved away is left, so this is how logs are rotated. While
    // the file cannot be had, it goes on with the one before, and each flush() tries again.
    void open(const std::string& path);
    void append(const ConnectionEnd& end);
    void flush();

    // Why the file is not written as it should be, to be read behind its path; empty: nothing is wrong.
    const std::string& fault() const { return open_fault_.empty() ? write_fault_ : open_fault_; }
    std::uint64_t kept() const { return buffered_; }  // lines
    std::uint64_t lost() const { return lost_; }      // lines

  private:
    void try_to_open();
    void leave_file();
    void give_up_line();
    bool end_torn_line();
    void write();

    std::string path_;  // that it should append to; empty: none
    std::string open_fault_;
    std::string write_fault_;
    int fd_ = -1;
    bool within_line_ = false;  // the file has the first part of what is in buffer_
    bool torn_ = false;         // the file ends within a line whose rest is lost
    std::string buffer_;
    std::uint64_t buffered_ = 0;  // lines in buffer_
    std::uint64_t lost_ = 0;
};

}  // namespace sluice::admin
