// The terminal of a program that fills it: a screen of its own, keys as they are pressed, and all of it given
// back as it was however the program ends, but by SIGKILL.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <termios.h>

#include "sluice/base/time.h"

namespace sluice::ctl {

enum class Key : std::uint8_t { Quit, Up, Down, PageUp, PageDown };

// Takes the keys that are whole from the front of what was typed; what is no key is passed over.
std::vector<Key> take_keys(std::string& typed);

class Terminal {
  public:
    // Standard output is a terminal that can place text.
    static bool is_there();
    struct Size {
        std::size_t width;
        std::size_t height;
    };
    // Of standard output; 80 by 24 where it does not say.
    static Size size();

    // Takes it over; from now on signals wait for wait().
    Terminal();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    // Replaces what is there. The lines fit the size.
    void show(const std::vector<std::string>& lines);

    struct Event {
        bool redraw = false;    // the size may have changed, or others have written here
        bool gone = false;      // nobody is there any more
        int signal = 0;         // that is to end the program; 0: none
        std::vector<Key> keys;  // in the order in which they were pressed
    };
    // Until something happens, or `limit` has passed.
    Event wait(Duration limit);

  private:
    void enter();
    void leave();
    void hear_signals(Event& event);
    void hear_keys(Event& event);
    void write(const std::string& text);

    ::sigset_t mask_before_{};
    int signals_ = -1;  // signalfd
    bool has_keys_ = false;
    ::termios keys_before_{};
    std::string typed_;
    bool broken_ = false;
};

}  // namespace sluice::ctl
