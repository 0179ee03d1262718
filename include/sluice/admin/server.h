// The admin socket: a unix stream socket that takes lines and gives lines. It never blocks its thread and its
// memory is bounded: a client whose reply has not been read is not listened to, and one that reads nothing
// for kStallLimit is cut off.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sluice/base/time.h"

namespace sluice::admin {

// The socket could not be had; what() says why and what to do.
class SocketError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class Server {
  public:
    static constexpr std::size_t kMaxLine = 4096;  // bytes, newline excluded
    static constexpr std::size_t kMaxClients = 64;
    static constexpr Duration kStallLimit = 30s;

    // Takes a line without its newline, returns the reply without one.
    using Handler = std::function<std::string(std::string_view line)>;

    // Listens at `path` with mode 0660. A socket file that nobody listens on is replaced; a live one, or a
    // file that is no socket, is left alone. Throws SocketError.
    Server(std::string path, Handler handler);
    // Closes all clients and removes the socket file, if it is still this server's.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Readable when serve() has something to do (an epoll descriptor; may itself be polled).
    int fd() const { return epoll_; }
    // Does what can be done without waiting. To be called when fd() is readable, and every few seconds.
    void serve(Instant now);

    std::size_t clients() const { return clients_.size(); }

  private:
    struct Client {
        int fd = -1;
        std::string input;      // an unfinished line and what came behind it
        bool skipping = false;  // the rest of a line that was too long is passed over
        bool input_ended = false;
        std::string output;
        std::size_t written = 0;  // of output
        Instant progress;         // when output was last taken, or became due
    };

    void bind_path();
    bool remove_stale_socket();
    void accept_clients();
    // False when the client is to be closed.
    bool attend(Client& client, Instant now);
    std::optional<std::string> next_reply(Client& client);
    enum class Input : std::uint8_t { Arrived, Waiting, Ended, Failed };
    Input read_input(Client& client);
    bool write_output(Client& client, Instant now);
    void watch(const Client& client);
    void close_client(int fd);

    std::string path_;
    Handler handler_;
    int listener_ = -1;
    int epoll_ = -1;
    ::dev_t device_ = 0;  // of the socket file, to know it again
    ::ino_t inode_ = 0;
    std::unordered_map<int, std::unique_ptr<Client>> clients_;
};

}  // namespace sluice::admin
