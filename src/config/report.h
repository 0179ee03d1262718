// Where something stands in the file, and the list of what is wrong there.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/config/reader.h"

namespace sluice::config {

struct FilePosition {
    unsigned line = 0;
    unsigned column = 0;
    std::string key;  // dotted path
};

template <typename T>
struct Located {
    T value;
    FilePosition place;
};

class Report {
  public:
    explicit Report(std::string_view file) : file_(file) {}

    void add(const FilePosition& place, std::string message, std::string remedy);
    std::size_t count() const { return problems_.size(); }
    // The problems in line order; leaves the report empty.
    std::vector<Problem> take();

  private:
    std::string file_;
    std::vector<Problem> problems_;
};

// The text in double quotes, made fit for one line of a message: control characters escaped, cut when long.
std::string quoted(std::string_view text);
// "a, b and c".
std::string listed(const std::vector<std::string>& words);
// "line 12".
std::string on_line(const FilePosition& place);

}  // namespace sluice::config
