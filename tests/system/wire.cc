// A bad wire for the system tests: it passes frames between two network interfaces, loses some on the way and
// lets some fall behind later ones. A frame that falls behind follows 1 to 8 later frames, or comes 2 ms
// after its time where fewer follow. A long wire delays all others by the same time, in their order.
//
// What happens to the n-th frame of a direction depends on the seed, the direction and n alone. One line of
// JSON for each direction is printed at the end, which SIGTERM brings.

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Frame = std::span<const std::byte>;

constexpr unsigned kFarthestBehind = 8;
constexpr Clock::duration kLongestDelay = std::chrono::milliseconds(2);
constexpr std::size_t kMostHeld = 64;  // more would fall behind: they pass in their turn
constexpr unsigned kNever = std::numeric_limits<unsigned>::max();  // frames that a delayed one lets pass
constexpr std::size_t kBatch = 32;
constexpr int kReceiveBuffer =
    16 << 20;  // the wire loses what it is told to lose, and nothing for being slow

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// A socket on one interface, which sees every frame that arrives there and none that leaves.
class Interface {
  public:
    explicit Interface(std::string name)
        : name_(std::move(name)), socket_(::socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))) {
        if (socket_ < 0) fail("socket");
        const auto index = ::if_nametoindex(name_.c_str());
        if (index == 0) fail(name_);
        set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
        set(SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBuffer);
        packet_mreq everything{};
        everything.mr_ifindex = static_cast<int>(index);
        everything.mr_type = PACKET_MR_PROMISC;
        set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, everything);
        sockaddr_ll here{};
        here.sll_family = AF_PACKET;
        here.sll_protocol = htons(ETH_P_ALL);
        here.sll_ifindex = static_cast<int>(index);
        // The address types of the socket API are told apart by their first member.
        if (::bind(socket_, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0)
            fail("bind " + name_);
        ifreq request{};
        name_.copy(static_cast<char*>(request.ifr_name), IFNAMSIZ - 1);
        if (::ioctl(socket_, SIOCGIFMTU, &request) != 0) fail("MTU of " + name_);
        largest_ = static_cast<std::size_t>(request.ifr_mtu) + ETHER_HDR_LEN;
    }

    Interface(const Interface&) = delete;
    Interface& operator=(const Interface&) = delete;
    ~Interface() { ::close(socket_); }

    const std::string& name() const { return name_; }
    int descriptor() const { return socket_; }
    std::size_t largest_frame() const { return largest_; }

    bool send(Frame frame) const { return ::send(socket_, frame.data(), frame.size(), 0) >= 0; }

    // Frames that the kernel dropped because we read too slowly, since the last call.
    unsigned missed() const {
        tpacket_stats statistics{};
        socklen_t size = sizeof statistics;
        if (::getsockopt(socket_, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) fail("statistics");
        return statistics.tp_drops;
    }

  private:
    template <typename Value>
    void set(int level, int option, const Value& value) const {
        if (::setsockopt(socket_, level, option, &value, sizeof value) != 0) fail("an option of " + name_);
    }

    std::string name_;
    int socket_;
    std::size_t largest_ = 0;
};

struct Badness {
    double loss = 0;     // of 1
    double reorder = 0;  // of 1
    std::chrono::milliseconds delay{0};
    std::uint64_t seed = 1;
};

// One direction: what arrives at `from` leaves at `to`, or does not.
class Direction {
  public:
    Direction(const Interface& from, const Interface& to, const Badness& badness, std::uint64_t number)
        : from_(from), to_(to), badness_(badness), random_(2 * badness.seed + number) {
        const std::size_t room = from.largest_frame() + 1;  // a frame that fills it is too large
        for (std::size_t n = 0; n < kBatch; ++n) {
            buffers_.at(n).resize(room);
            parts_.at(n) = {buffers_.at(n).data(), room};
            messages_.at(n).msg_hdr.msg_iov = &parts_.at(n);
            messages_.at(n).msg_hdr.msg_iovlen = 1;
        }
    }

    Direction(const Direction&) = delete;  // the messages point into it
    Direction& operator=(const Direction&) = delete;

    void receive() {
        const int count = ::recvmmsg(from_.descriptor(), messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
        if (count < 0 && errno != EAGAIN && errno != EINTR) fail("receive from " + from_.name());
        const auto now = Clock::now();
        for (int n = 0; n < count; ++n) {
            const auto slot = static_cast<std::size_t>(n);
            on_frame(Frame(buffers_.at(slot)).first(messages_.at(slot).msg_len), now);
        }
    }

    // Sends what has waited long enough.
    void on_time(Clock::time_point now) {
        release([now](const Held& held) { return held.due <= now; });
    }

    std::optional<Clock::time_point> next_due() const {
        if (held_.empty()) return std::nullopt;
        return std::ranges::min(held_, {}, &Held::due).due;
    }

    nlohmann::json counts() const {
        return {{"from", from_.name()},  {"to", to_.name()},        {"frames", frames_},
                {"lost", lost_},         {"behind", behind_},       {"too_large", too_large_},
                {"not_sent", not_sent_}, {"missed", from_.missed()}};
    }

  private:
    struct Held {
        std::vector<std::byte> frame;
        unsigned later;  // frames that still pass it
        Clock::time_point due;
    };

    void on_frame(Frame frame, Clock::time_point now) {
        ++frames_;
        // Two draws for every frame, so that none depends on the fate of those before.
        const double fate = std::uniform_real_distribution<double>()(random_);
        const auto later = std::uniform_int_distribution<unsigned>(1, kFarthestBehind)(random_);
        if (frame.size() > from_.largest_frame()) {
            ++too_large_;
        } else if (fate < badness_.loss) {
            ++lost_;
        } else if (fate < badness_.loss + badness_.reorder && held_.size() < kMostHeld) {
            ++behind_;
            held_.push_back({{frame.begin(), frame.end()}, later, now + badness_.delay + kLongestDelay});
        } else if (badness_.delay.count() != 0) {
            held_.push_back({{frame.begin(), frame.end()}, kNever, now + badness_.delay});
        } else {
            send(frame);
            release([](Held& held) { return --held.later == 0; });
        }
    }

    void release(auto&& ready) {
        std::erase_if(held_, [&](Held& held) {
            if (!ready(held)) return false;
            send(held.frame);
            return true;
        });
    }

    void send(Frame frame) {
        if (!to_.send(frame)) ++not_sent_;
    }

    const Interface& from_;
    const Interface& to_;
    Badness badness_;
    std::mt19937_64 random_;
    std::vector<Held> held_;
    std::array<std::vector<std::byte>, kBatch> buffers_;
    std::array<iovec, kBatch> parts_{};
    std::array<mmsghdr, kBatch> messages_{};
    std::uint64_t frames_ = 0, lost_ = 0, behind_ = 0, too_large_ = 0, not_sent_ = 0;
};

volatile std::sig_atomic_t ended = 0;

// SIGTERM and SIGINT wait until we wait, so that none is missed between a look at `ended` and the wait. The
// mask to wait with is returned.
sigset_t hold_back_signals() {
    struct sigaction action {};
    action.sa_handler = [](int) { ended = 1; };
    sigset_t held;
    sigset_t before;
    ::sigemptyset(&held);
    for (const int number : {SIGTERM, SIGINT}) {
        ::sigaction(number, &action, nullptr);
        ::sigaddset(&held, number);
    }
    ::sigprocmask(SIG_BLOCK, &held, &before);
    return before;
}

std::optional<timespec> time_until(std::optional<Clock::time_point> due) {
    if (!due) return std::nullopt;
    const auto left = std::max(*due - Clock::now(), Clock::duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    return timespec{seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
}

void run(std::span<Direction, 2> directions, const std::array<int, 2>& descriptors) {
    const auto waiting_mask = hold_back_signals();
    std::array<pollfd, 2> polled{pollfd{descriptors[0], POLLIN, 0}, pollfd{descriptors[1], POLLIN, 0}};
    while (ended == 0) {
        const auto first = directions[0].next_due();
        const auto second = directions[1].next_due();
        const auto timeout = time_until(first && second ? std::min(first, second) : std::max(first, second));
        if (::ppoll(polled.data(), polled.size(), timeout ? &*timeout : nullptr, &waiting_mask) < 0) {
            if (errno == EINTR) continue;
            fail("poll");
        }
        for (std::size_t n = 0; n < 2; ++n) {
            if (polled.at(n).revents != 0) directions[n].receive();
            directions[n].on_time(Clock::now());
        }
    }
}

int start(int argc, char** argv) {
    CLI::App app("A bad wire between two network interfaces");
    Badness badness;
    std::vector<std::string> names;
    app.add_option("--loss", badness.loss, "Percent of the frames that are lost, each way")
        ->check(CLI::Range(0, 100));
    app.add_option("--reorder", badness.reorder,
                   "Percent of the frames that fall behind later ones, each way")
        ->check(CLI::Range(0, 100));
    int delay = 0;
    app.add_option("--delay", delay, "Milliseconds that every frame takes, each way")
        ->check(CLI::Range(0, 10000));
    app.add_option("--seed", badness.seed, "Another seed, other frames");
    app.add_option("interfaces", names, "Two interfaces of this network namespace")->required()->expected(2);
    CLI11_PARSE(app, argc, argv);
    badness.loss /= 100;
    badness.reorder /= 100;
    badness.delay = std::chrono::milliseconds(delay);
    const Interface left(names.at(0));
    const Interface right(names.at(1));
    std::array<Direction, 2> directions{Direction(left, right, badness, 0),
                                        Direction(right, left, badness, 1)};
    std::puts("ready");
    std::fflush(stdout);
    run(directions, {left.descriptor(), right.descriptor()});
    for (const auto& direction : directions) std::puts(direction.counts().dump().c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return start(argc, argv);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "wire: %s\n", failure.what());
        return 1;
    }
}
