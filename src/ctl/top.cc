#include "sluice/ctl/top.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <thread>

#include "sluice/ctl/client.h"
#include "sluice/ctl/command_line.h"
#include "terminal.h"

namespace sluice::ctl {
namespace {

using Clock = std::chrono::steady_clock;

// Asks for one look after the other, over one connection while that lasts.
class Source {
  public:
    explicit Source(std::string socket) : socket_(std::move(socket)) {}

    // Throws NoAnswer.
    Look next() {
        try {
            if (!conversation_) conversation_ = std::make_unique<Conversation>(socket_, kSilence);
            const auto info = ask("show info");
            const auto counters = ask("show counters");
            return look(info, counters, ask("show backends"));
        } catch (const NoAnswer&) {
            conversation_.reset();
            throw;
        } catch (const nlohmann::json::exception& error) {
            conversation_.reset();
            throw NoAnswer(std::string("the daemon's answer is not as expected: ") + error.what());
        }
    }

  private:
    static constexpr Duration kSilence = 3s;

    nlohmann::ordered_json ask(const char* command) {
        auto reply = nlohmann::ordered_json::parse(conversation_->ask(command));
        if (reply.contains("error")) throw NoAnswer(reply["error"].get<std::string>());
        return reply;
    }

    std::string socket_;
    std::unique_ptr<Conversation> conversation_;
};

bool colors_wanted() {
    const char* const no = std::getenv("NO_COLOR");  // no-color.org
    return Terminal::is_there() && (no == nullptr || *no == '\0');
}

Duration interval_of(const TopOptions& options) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.interval));
}

void print(const Picture& picture, std::ostream& out) {
    for (const std::string& line : picture.lines) out << line << '\n';
    out.flush();
}

// One table after the other. Each tells of the interval before it.
int run_plain(Source& source, const TopOptions& options, std::ostream& out) {
    Frame frame{.colors = colors_wanted(), .whole = true, .problem = {}};
    if (Terminal::is_there()) frame.width = Terminal::size().width;
    History history;
    history.add(source.next());
    for (unsigned n = 0; !options.count || n < *options.count; ++n) {
        std::this_thread::sleep_for(interval_of(options));
        history.add(source.next());
        if (n != 0) out << '\n';
        print(draw(history, frame), out);
        if (!out.good()) return kExitRuntime;
    }
    return kExitGood;
}

class Live {
  public:
    Live(Source& source, const TopOptions& options) : source_(source), options_(options) {
        frame_.live = true;
        frame_.colors = colors_wanted();
        history_.add(source_.next());
    }

    // Until it is to end. The number of the signal that wants so, or 0.
    int run() {
        Terminal terminal;
        Clock::time_point due = Clock::now() + interval_of(options_);
        unsigned refreshed = 0;
        while (true) {
            show(terminal);
            if (options_.count && refreshed >= *options_.count) return 0;
            const Terminal::Event event = terminal.wait(due - Clock::now());
            if (event.signal != 0) return event.signal;
            if (event.gone || std::ranges::find(event.keys, Key::Quit) != event.keys.end()) return 0;
            move(event.keys);
            if (Clock::now() < due) continue;
            refresh();
            ++refreshed;
            due = std::max(due + interval_of(options_), Clock::now());
        }
    }

    // What is to stay on the screen that was there before.
    void print_last(std::ostream& out) {
        frame_.live = false;
        frame_.height = Frame{}.height;
        frame_.first = 0;
        print(draw(history_, frame_), out);
    }

  private:
    void refresh() {
        try {
            history_.add(source_.next());
            frame_.problem.clear();
        } catch (const NoAnswer& problem) {
            frame_.problem = problem.what();
        }
    }

    void show(Terminal& terminal) {
        const Terminal::Size size = Terminal::size();
        frame_.width = size.width;
        frame_.height = size.height;
        const Picture picture = draw(history_, frame_);
        frame_.first = picture.first;
        page_ = std::max<std::size_t>(picture.rows, 1);
        terminal.show(picture.lines);
    }

    // Beyond the end is put right by the next picture.
    void move(const std::vector<Key>& keys) {
        for (const Key key : keys) {
            switch (key) {
                case Key::Up: frame_.first -= std::min<std::size_t>(frame_.first, 1); break;
                case Key::Down: frame_.first += 1; break;
                case Key::PageUp: frame_.first -= std::min(frame_.first, page_); break;
                case Key::PageDown: frame_.first += page_; break;
                case Key::Quit: break;
            }
        }
    }

    Source& source_;
    const TopOptions& options_;
    History history_;
    Frame frame_{.problem = {}};
    std::size_t page_ = 1;
};

}  // namespace

int run_top(const std::string& socket, const TopOptions& options, std::ostream& out, std::ostream& err) {
    Source source(socket);
    try {
        if (options.plain || !Terminal::is_there()) return run_plain(source, options, out);
        Live live(source, options);
        const int signal = live.run();
        if (signal != 0) ::raise(signal);  // as if it had not been caught; but where it is ignored
        if (options.count) live.print_last(out);
        return kExitGood;
    } catch (const NoAnswer& error) {
        err << "sluicectl: " << error.what() << '\n';
        return kExitRuntime;
    }
}

}  // namespace sluice::ctl
