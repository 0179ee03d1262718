// What the servers of this room have in common: clients of a listening stream socket, each in a dialogue of
// requests and replies. Never blocks its thread, and its memory is bounded: a client whose reply has not been
// read is not listened to, and one that makes no progress for a while is cut off. Nobody is turned away: when
// all places are taken, a new client displaces the one that has kept the server waiting longest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "sluice/base/time.h"

namespace sluice::admin {

struct Reply {
    std::string text;
    bool last = false;  // the client is told nothing more, whatever it still sends
};

// One client's.
class Dialogue {
  public:
    virtual ~Dialogue() = default;
    // Takes the next whole request from the front of `input`, which must not grow without bound, and answers
    // it; nullopt: it has not arrived whole.
    virtual std::optional<Reply> next(std::string& input) = 0;
};

struct StreamOptions {
    std::size_t max_clients = 64;
    Duration stall_limit = 30s;     // how long a client may leave its reply unread
    bool silence_is_stall = false;  // or send no whole request
    std::function<std::unique_ptr<Dialogue>()> dialogue;
};

class StreamServer {
  public:
    // listener: a listening, non-blocking socket, borrowed. Throws std::system_error.
    StreamServer(int listener, StreamOptions options);
    ~StreamServer();
    StreamServer(const StreamServer&) = delete;
    StreamServer& operator=(const StreamServer&) = delete;

    int fd() const { return epoll_; }
    void serve(Instant now);
    std::size_t clients() const { return clients_.size(); }
    // Clients that had to give way.
    std::uint64_t displaced() const { return displaced_; }

  private:
    struct Client {
        int fd = -1;
        std::unique_ptr<Dialogue> dialogue;
        std::string input;  // an unfinished request and what came behind it
        bool input_ended = false;
        std::string output;
        std::size_t written = 0;  // of output
        std::uint64_t since = 0;  // number of the wait that it is in, for its next request or for its reading
        Instant progress;      // when output was last taken or became due; before that, the client's arrival
        bool last = false;     // output is the last that it is told
        bool leaving = false;  // has been told so
        std::size_t passed_over = 0;  // bytes that came after that
    };

    void accept_clients(Instant now);
    void make_room(Instant now);
    Client& first_to_go();
    // False when the client is to be closed.
    bool attend(Client& client, Instant now);
    bool converse(Client& client, Instant now, bool& waits);
    enum class Input : std::uint8_t { Arrived, Waiting, Ended, Failed };
    Input read_input(Client& client);
    bool write_output(Client& client, Instant now);
    bool see_off(Client& client);
    bool is_stalled(const Client& client, Instant now) const;
    void close_client(int fd);
    void begin_wait(Client& client) { client.since = ++waits_; }

    StreamOptions options_;
    int listener_;
    int epoll_;
    std::unordered_map<int, std::unique_ptr<Client>> clients_;
    std::uint64_t waits_ = 0;
    std::uint64_t displaced_ = 0;
};

}  // namespace sluice::admin
