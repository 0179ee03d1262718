// Aligned columns and units for people's eyes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::ctl {

struct Cell {
    std::string text;
    bool number = false;  // a column of nothing but numbers is aligned to the right
};

class Table {
  public:
    explicit Table(std::vector<std::string> titles);

    // Fewer cells than titles: the rest is empty. More: ignored.
    void add(std::vector<Cell> row);
    // Title line and rows, each ended by a newline; no blanks at the end of a line. Width is counted in code
    // points.
    std::string text() const;

  private:
    std::vector<std::string> titles_;
    std::vector<std::vector<Cell>> rows_;
};

// Columns on a terminal: code points.
std::size_t width(std::string_view text);
// At most so many columns; '~' stands for what was cut off.
std::string clip(std::string_view text, std::size_t columns);

// "1.5 KiB"; whole bytes below 1024.
std::string human_bytes(double bytes);
// "250 us", "1.2 ms", "3.5 s", "4m 10s", "2h 5m", "3d 4h".
std::string human_duration(double seconds);
// Control characters as \xNN, so that a client ID cannot speak to the terminal. Text that is no UTF-8 is
// treated byte by byte in the same way.
std::string printable(std::string_view text);

}  // namespace sluice::ctl
