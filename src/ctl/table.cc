#include "sluice/ctl/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sluice/base/terminal.h"

namespace sluice::ctl {
namespace {

bool begins_code_point(char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }

// Length of the UTF-8 sequence that a lead byte announces; 0 when it cannot lead.
std::size_t sequence_length(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead < 0xe0) return 2;
    if (lead >= 0xe0 && lead < 0xf0) return 3;
    if (lead >= 0xf0 && lead < 0xf5) return 4;
    return 0;
}

bool is_printable(std::string_view sequence) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
    for (std::size_t i = 1; i < sequence.size(); ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return false;
    }
    return !steers_terminal(sequence);
}

void append_padded(std::string& line, const Cell& cell, std::size_t column_width, bool right) {
    const std::size_t padding = column_width - width(cell.text);
    if (right) line.append(padding, ' ');
    line += cell.text;
    if (!right) line.append(padding, ' ');
}

}  // namespace

Table::Table(std::vector<std::string> titles) : titles_(std::move(titles)) {}

void Table::add(std::vector<Cell> row) {
    row.resize(titles_.size());
    rows_.push_back(std::move(row));
}

std::string Table::text() const {
    std::vector<std::size_t> widths;
    std::vector<bool> right;
    for (std::size_t c = 0; c < titles_.size(); ++c) {
        std::size_t widest = width(titles_[c]);
        bool numbers = !rows_.empty();
        for (const auto& row : rows_) {
            widest = std::max(widest, width(row[c].text));
            numbers = numbers && (row[c].number || row[c].text.empty());
        }
        widths.push_back(widest);
        right.push_back(numbers);
    }
    std::string out;
    const auto append_line = [&](const std::vector<Cell>& cells) {
        std::string line;
        for (std::size_t c = 0; c < cells.size(); ++c) {
            if (c != 0) line += "  ";
            append_padded(line, cells[c], widths[c], right[c]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line;
        out += '\n';
    };
    std::vector<Cell> titles;
    for (const std::string& title : titles_) titles.push_back({.text = title});
    append_line(titles);
    for (const auto& row : rows_) append_line(row);
    return out;
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, begins_code_point));
}

std::string clip(std::string_view text, std::size_t columns) {
    if (width(text) <= columns) return std::string(text);
    if (columns == 0) return "";
    std::size_t kept = 0;
    std::size_t bytes = 0;
    while (bytes < text.size() && (!begins_code_point(text[bytes]) || kept++ < columns - 1)) ++bytes;
    return std::string(text.substr(0, bytes)) + "~";
}

std::string human_bytes(double bytes) {
    constexpr std::array<std::string_view, 5> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB"};
    if (bytes < 1024) return fmt::format("{:.0f} B", bytes);
    std::size_t unit = 0;
    for (bytes /= 1024; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
    return fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string human_duration(double seconds) {
    if (seconds == 0) return "0 s";
    if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
    if (seconds < 1) return fmt::format("{:.1f} ms", seconds * 1e3);
    if (seconds < 60) return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<unsigned long long>(seconds);
    if (whole < 3600) return fmt::format("{}m {}s", whole / 60, whole % 60);
    if (whole < 86400) return fmt::format("{}h {}m", whole / 3600, whole % 3600 / 60);
    return fmt::format("{}d {}h", whole / 86400, whole % 86400 / 3600);
}

std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = sequence_length(static_cast<unsigned char>(text[i]));
        if (length != 0 && i + length <= text.size() && is_printable(text.substr(i, length))) {
            out += text.substr(i, length);
            i += length;
        } else {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
            ++i;
        }
    }
    return out;
}

}  // namespace sluice::ctl
