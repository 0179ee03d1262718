#include "terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace sluice::ctl {
namespace {

// A screen of its own and no cursor, and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

struct Sequence {
    std::string_view bytes;
    Key key;
};
// As terminals send them, in either mode of the cursor keys.
constexpr std::array kSequences{Sequence{"q", Key::Quit},         Sequence{"Q", Key::Quit},
                                Sequence{"\x1b[A", Key::Up},      Sequence{"\x1bOA", Key::Up},
                                Sequence{"\x1b[B", Key::Down},    Sequence{"\x1bOB", Key::Down},
                                Sequence{"\x1b[5~", Key::PageUp}, Sequence{"\x1b[6~", Key::PageDown}};

::sigset_t watched_signals() {
    ::sigset_t set{};
    ::sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH}) {
        ::sigaddset(&set, number);
    }
    return set;
}

}  // namespace

std::vector<Key> take_keys(std::string& typed) {
    std::vector<Key> keys;
    while (!typed.empty()) {
        const auto whole = std::ranges::find_if(
            kSequences, [&](const Sequence& sequence) { return typed.starts_with(sequence.bytes); });
        if (whole != kSequences.end()) {
            keys.push_back(whole->key);
            typed.erase(0, whole->bytes.size());
            continue;
        }
        const bool begun = std::ranges::any_of(
            kSequences, [&](const Sequence& sequence) { return sequence.bytes.starts_with(typed); });
        if (begun) break;
        typed.erase(0, 1);
    }
    return keys;
}

bool Terminal::is_there() {
    const char* const type = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && type != nullptr && std::string_view(type) != "dumb";
}

Terminal::Size Terminal::size() {
    ::winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return {80, 24};
    return {size.ws_col, size.ws_row};
}

Terminal::Terminal() {
    const ::sigset_t watched = watched_signals();
    ::sigprocmask(SIG_BLOCK, &watched, &mask_before_);
    signals_ = ::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    has_keys_ = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &keys_before_) == 0;
    enter();
}

Terminal::~Terminal() {
    leave();
    ::close(signals_);
    ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

void Terminal::enter() {
    if (has_keys_) {
        ::termios keys = keys_before_;
        keys.c_lflag &= ~static_cast<::tcflag_t>(ICANON | ECHO);  // ISIG stays: Ctrl-C is a signal
        keys.c_cc[VMIN] = 0;
        keys.c_cc[VTIME] = 0;
        ::tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    write(std::string(kEnter));
}

void Terminal::leave() {
    write(std::string(kLeave));
    if (has_keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &keys_before_);
}

void Terminal::show(const std::vector<std::string>& lines) {
    std::string text(kHome);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        text.append(i == 0 ? "" : "\r\n").append(kClearLine).append(lines[i]);
    }
    write(text.append(kClearBelow));
}

Terminal::Event Terminal::wait(Duration limit) {
    Event event;
    std::array<::pollfd, 2> waits{{{signals_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
    const auto milliseconds =
        std::chrono::ceil<std::chrono::milliseconds>(std::max(limit, Duration{0})).count();
    ::poll(waits.data(), has_keys_ ? 2 : 1, static_cast<int>(milliseconds));
    if ((waits[0].revents & POLLIN) != 0) hear_signals(event);
    if (waits[1].revents != 0) hear_keys(event);
    event.gone = event.gone || broken_;
    return event;
}

void Terminal::hear_signals(Event& event) {
    ::signalfd_siginfo info{};
    while (::read(signals_, &info, sizeof info) == static_cast<::ssize_t>(sizeof info)) {
        switch (info.ssi_signo) {
            case SIGWINCH: event.redraw = true; break;
            case SIGTSTP:
                leave();
                ::raise(SIGSTOP);
                [[fallthrough]];  // somebody continued us
            case SIGCONT:
                enter();
                event.redraw = true;
                break;
            default: event.signal = static_cast<int>(info.ssi_signo); break;
        }
    }
}

void Terminal::hear_keys(Event& event) {
    std::array<char, 256> buffer{};
    const ::ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n > 0) {
        typed_.append(buffer.data(), static_cast<std::size_t>(n));
        event.keys = take_keys(typed_);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        event.gone = true;
    }
}

void Terminal::write(const std::string& text) {
    for (std::size_t written = 0; written < text.size() && !broken_;) {
        const ::ssize_t n = ::write(STDOUT_FILENO, text.data() + written, text.size() - written);
        if (n > 0) {
            written += static_cast<std::size_t>(n);
        } else if (n < 0 && errno == EAGAIN) {
            ::pollfd wait{STDOUT_FILENO, POLLOUT, 0};
            ::poll(&wait, 1, 1000);
        } else if (n < 0 && errno != EINTR) {
            broken_ = true;
        }
    }
}

}  // namespace sluice::ctl
