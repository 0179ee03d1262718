// The connection log: one line of JSON for each connection that has ended, appended to a file. Kept in memory
// until flush(); what the file does not take then is lost and counted, so that nobody waits for a disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/address.h"
#include "sluice/base/time.h"

namespace sluice::admin {

struct ConnectionEnd {
    std::chrono::system_clock::time_point time;
    std::string reason;  // name of the counter that says why
    std::string listener;
    std::string pool;     // empty where no CONNECT was read
    std::string backend;  // empty where it never had one
    SocketAddress client;
    std::optional<SocketAddress> source;
    std::string client_id;  // as sent, perhaps cut
    bool client_id_cut = false;
    std::string version;           // "3.1", "3.1.1", "5"; empty where no CONNECT was read
    std::uint16_t keep_alive = 0;  // seconds
    bool persistent = false;
    std::uint64_t bytes_from_client = 0;
    std::uint64_t bytes_from_broker = 0;
    Duration duration{0};
};

// Without a newline. Text from clients is made valid UTF-8.
std::string to_line(const ConnectionEnd& end);

class ConnectionLog {
  public:
    // Lines that are kept until the next flush(), in bytes.
    static constexpr std::size_t kBuffer = 4U << 20U;

    ConnectionLog() = default;
    ~ConnectionLog();
    ConnectionLog(const ConnectionLog&) = delete;
    ConnectionLog& operator=(const ConnectionLog&) = delete;

    // Appends to the file at `path` from now on, made with mode 0640 where it is not there; empty: closes. A
    // file that was moved away is left, so this is how logs are rotated. nullopt, or why it cannot be had.
    std::optional<std::string> open(const std::string& path);
    void append(const ConnectionEnd& end);
    void flush();
    std::uint64_t lost() const { return lost_; }  // lines

  private:
    void close();
    void give_up_buffer();
    bool end_torn_line();

    int fd_ = -1;
    bool within_line_ = false;  // the file has the first part of what is in buffer_
    bool torn_ = false;         // the file ends within a line whose rest is lost
    std::string buffer_;
    std::uint64_t buffered_ = 0;  // lines in buffer_
    std::uint64_t lost_ = 0;
};

}  // namespace sluice::admin
