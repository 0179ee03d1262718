#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "sluice/ctl/table.h"
#include "sluice/ctl/top.h"

namespace sluice::ctl {
namespace {

enum class Tint { None, Bold, Faint, Good, Warning, Bad };

std::string_view code(Tint tint) {
    switch (tint) {
        case Tint::None: return "";
        case Tint::Bold: return "\x1b[1m";
        case Tint::Faint: return "\x1b[2m";
        case Tint::Good: return "\x1b[32m";
        case Tint::Warning: return "\x1b[33m";
        case Tint::Bad: return "\x1b[31m";
    }
    return "";
}

std::string tinted(const std::string& text, Tint tint, bool colors) {
    if (!colors || tint == Tint::None || text.empty()) return text;
    return std::string(code(tint)) + text + "\x1b[0m";
}

// --- what stands in a cell ---

struct TintedCell {
    std::string text;
    Tint tint = Tint::None;
};

// Three digits and a power of 1000.
std::string compact(double value) {
    static constexpr std::array<const char*, 5> kPowers{"", "k", "M", "G", "T"};
    std::size_t power = 0;
    while (value >= 999.5 && power + 1 < kPowers.size()) {
        value /= 1000;
        ++power;
    }
    const bool fraction = value < 9.95 && value != 0;
    return fmt::format("{:.{}f}{}", value, fraction ? 1 : 0, kPowers[power]);
}

std::string compact(const std::optional<double>& value) { return value ? compact(*value) : "-"; }

std::string seconds_text(double seconds) {
    if (seconds < 1e-3) return fmt::format("{:.3g}us", seconds * 1e6);
    if (seconds < 1) return fmt::format("{:.3g}ms", seconds * 1e3);
    return fmt::format("{:.3g}s", seconds);
}

std::string bucket_text(const std::optional<Bucket>& bucket) {
    if (!bucket) return "-";
    if (std::isinf(bucket->up_to)) return ">" + seconds_text(bucket->above);
    return "<=" + seconds_text(bucket->up_to);
}

constexpr std::string_view kAccepted = "0x00";

std::uint64_t accepted(const BrokerFigures& figures) {
    const auto found = figures.connacks.find(std::string(kAccepted));
    return found == figures.connacks.end() ? 0 : found->second;
}

std::string refusals(const BrokerFigures& figures) {
    std::string text;
    for (const auto& [answer, count] : figures.connacks) {
        if (answer == kAccepted) continue;
        if (!text.empty()) text += ", ";
        text += fmt::format("{}: {}", printable(answer), count);
    }
    return text.empty() ? "-" : text;
}

Tint state_tint(const std::string& state) {
    if (state == "up") return Tint::Good;
    if (state == "down" || state == "removed") return Tint::Bad;
    return Tint::Warning;
}

TintedCell ports_cell(const BrokerLook& look) {
    if (look.leases == 0) return {"-"};
    const double percent = 100 * static_cast<double>(look.leases_used) / static_cast<double>(look.leases);
    const Tint tint = percent >= 90 ? Tint::Bad : percent >= 75 ? Tint::Warning : Tint::None;
    return {compact(percent), tint};
}

// --- the table ---

struct Column {
    std::string_view title;
    bool number;
    // What gives way in a narrow frame: columns are narrowed to `least`, then those of the highest rank are
    // left out; 0 stays.
    std::size_t least;
    int rank;
    TintedCell (*cell)(const BrokerLook& look, const BrokerFigures& figures);
};

constexpr std::size_t kBroker = 0;
constexpr std::size_t kRigid = static_cast<std::size_t>(-1);

constexpr std::array kColumns{
    Column{"BROKER", false, 10, 0,
           [](const BrokerLook& look, const BrokerFigures&) -> TintedCell { return {printable(look.name)}; }},
    Column{"STATE", false, kRigid, 0,
           [](const BrokerLook& look, const BrokerFigures&) -> TintedCell {
               return {printable(look.state), state_tint(look.state)};
           }},
    Column{"WEIGHT", true, kRigid, 3,
           [](const BrokerLook& look, const BrokerFigures&) -> TintedCell {
               return {std::to_string(look.weight)};
           }},
    Column{"CONNS", true, kRigid, 0,
           [](const BrokerLook& look, const BrokerFigures&) -> TintedCell {
               return {std::to_string(look.connections)};
           }},
    Column{"NEW/S", true, kRigid, 0,
           [](const BrokerLook&, const BrokerFigures& figures) -> TintedCell {
               return {compact(figures.connects)};
           }},
    Column{"IN B/S", true, kRigid, 0,
           [](const BrokerLook&, const BrokerFigures& figures) -> TintedCell {
               return {compact(figures.bytes_in)};
           }},
    Column{"OUT B/S", true, kRigid, 0,
           [](const BrokerLook&, const BrokerFigures& figures) -> TintedCell {
               return {compact(figures.bytes_out)};
           }},
    Column{"ACCEPTED", true, kRigid, 4,
           [](const BrokerLook&, const BrokerFigures& figures) -> TintedCell {
               return {std::to_string(accepted(figures))};
           }},
    Column{"REFUSED", false, 8, 2,
           [](const BrokerLook&, const BrokerFigures& figures) -> TintedCell {
               const std::string text = refusals(figures);
               return {text, text == "-" ? Tint::None : Tint::Warning};
           }},
    Column{"P50", true, kRigid, 6,
           [](const BrokerLook&, const BrokerFigures& figures) -> TintedCell {
               return {bucket_text(quantile(figures.connack_latency, 0.5))};
           }},
    Column{"P99", true, kRigid, 5,
           [](const BrokerLook&, const BrokerFigures& figures) -> TintedCell {
               return {bucket_text(quantile(figures.connack_latency, 0.99))};
           }},
    Column{"PORTS%", true, kRigid, 1,
           [](const BrokerLook& look, const BrokerFigures&) { return ports_cell(look); }},
    Column{"LAST FAILURE", false, 12, 7,
           [](const BrokerLook& look, const BrokerFigures&) -> TintedCell {
               return {look.last_failure.empty() ? "-" : printable(look.last_failure)};
           }},
};

constexpr std::size_t kGap = 2;

class Grid {
  public:
    Grid(const Look& look, const Figures& figures, std::size_t columns) {
        const bool one_pool = std::ranges::all_of(
            look.brokers, [&](const BrokerLook& broker) { return broker.pool == look.brokers.front().pool; });
        for (std::size_t c = 0; c < kColumns.size(); ++c) widths_[c] = width(kColumns[c].title);
        for (std::size_t b = 0; b < look.brokers.size(); ++b) {
            std::array<TintedCell, kColumns.size()> row;
            for (std::size_t c = 0; c < kColumns.size(); ++c) {
                row[c] = kColumns[c].cell(look.brokers[b], figures.brokers[b]);
                if (c == kBroker && !one_pool) {
                    row[c].text = printable(look.brokers[b].pool) + "/" + row[c].text;
                }
                widths_[c] = std::max(widths_[c], width(row[c].text));
            }
            rows_.push_back(std::move(row));
        }
        shown_.fill(true);
        fit(columns);
    }

    std::string titles(bool colors) const {
        std::array<TintedCell, kColumns.size()> row;
        for (std::size_t c = 0; c < kColumns.size(); ++c) row[c].text = kColumns[c].title;
        std::string text = line(row, false);
        return tinted(text, Tint::Bold, colors);
    }
    std::string row(std::size_t index, bool colors) const { return line(rows_[index], colors); }
    std::size_t size() const { return rows_.size(); }
    // Titles of the columns that found no room.
    std::string left_out() const {
        std::string text;
        for (std::size_t c = 0; c < kColumns.size(); ++c) {
            if (!shown_[c]) text.append(text.empty() ? "" : ", ").append(kColumns[c].title);
        }
        return text;
    }

  private:
    void fit(std::size_t columns) {
        while (needed() > columns) {
            const std::size_t excess = needed() - columns;
            std::size_t spare = 0;
            for (std::size_t c = 0; c < kColumns.size(); ++c) spare += shown_[c] ? slack(c) : 0;
            if (spare >= excess) return narrow(excess);
            const auto last =
                std::ranges::max_element(kColumns, {}, [&](const Column& c) { return rank(c); });
            if (rank(*last) == 0) return cut(columns);
            shown_[index(*last)] = false;
        }
    }

    // Not even what matters most has room.
    void cut(std::size_t columns) {
        for (std::size_t c = kColumns.size(); c-- > kBroker + 1 && needed() > columns;) shown_[c] = false;
        widths_[kBroker] -= std::min(widths_[kBroker], needed() - std::min(needed(), columns));
    }

    // The widest first, so that all of them stay readable.
    void narrow(std::size_t excess) {
        for (; excess > 0; --excess) {
            std::size_t widest = kColumns.size();
            for (std::size_t c = 0; c < kColumns.size(); ++c) {
                if (!shown_[c] || slack(c) == 0) continue;
                if (widest == kColumns.size() || widths_[c] > widths_[widest]) widest = c;
            }
            if (widest == kColumns.size()) return;
            --widths_[widest];
        }
    }

    static std::size_t index(const Column& column) {
        return static_cast<std::size_t>(&column - kColumns.data());
    }
    int rank(const Column& column) const { return shown_[index(column)] ? column.rank : 0; }
    std::size_t slack(std::size_t c) const {
        return kColumns[c].least < widths_[c] ? widths_[c] - kColumns[c].least : 0;
    }
    std::size_t needed() const {
        std::size_t sum = 0;
        for (std::size_t c = 0; c < kColumns.size(); ++c) {
            if (shown_[c]) sum += widths_[c] + (sum == 0 ? 0 : kGap);
        }
        return sum;
    }

    std::string line(const std::array<TintedCell, kColumns.size()>& row, bool colors) const {
        std::string text;
        std::size_t gap = 0;  // blanks that are due before the next cell
        for (std::size_t c = 0; c < kColumns.size(); ++c) {
            if (!shown_[c]) continue;
            const std::string cell = clip(row[c].text, widths_[c]);
            const std::size_t padding = widths_[c] - width(cell);
            text.append(gap + (kColumns[c].number ? padding : 0), ' ');
            text += tinted(cell, row[c].tint, colors);
            gap = kGap + (kColumns[c].number ? 0 : padding);
        }
        return text;
    }

    std::vector<std::array<TintedCell, kColumns.size()>> rows_;
    std::array<std::size_t, kColumns.size()> widths_{};
    std::array<bool, kColumns.size()> shown_{};
};

// --- the lines around it ---

std::vector<std::string> wrapped(const std::vector<std::string>& pieces, std::size_t columns) {
    std::vector<std::string> lines(1);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const std::string piece = pieces[i] + (i + 1 < pieces.size() ? "," : "");
        if (lines.back().empty()) {
            lines.back() = piece;
        } else if (width(lines.back()) + 1 + width(piece) <= columns) {
            lines.back() += " " + piece;
        } else {
            lines.push_back(piece);
        }
    }
    for (std::string& line : lines) line = clip(line, columns);
    return lines;
}

std::vector<std::string> head(const Look& look, const Figures& figures, const Frame& frame) {
    std::vector<std::string> pieces{"sluice " + printable(look.version),
                                    "up " + human_duration(look.uptime),
                                    fmt::format("{} connections", look.connections),
                                    fmt::format("{} spliced", look.spliced),
                                    compact(figures.connects) + " connects/s",
                                    compact(figures.drops) + " drops/s"};
    if (look.draining) pieces.emplace_back("draining");
    std::vector<std::string> lines = wrapped(pieces, frame.width);
    for (std::string& line : lines) line = tinted(line, Tint::Bold, frame.colors);
    if (!frame.problem.empty()) {
        lines.push_back(tinted(clip(printable(frame.problem), frame.width), Tint::Bad, frame.colors));
    }
    const std::string span =
        figures.span ? fmt::format("in the last {:.0f} s", *figures.span) : "since the daemon's start";
    const std::string text = "CONNACKs (accepted, refused by code, latency): " + span;
    lines.push_back(tinted(clip(text, frame.width), Tint::Faint, frame.colors));
    lines.emplace_back();
    return lines;
}

std::string foot(const Grid& grid, const Picture& picture, std::size_t columns) {
    std::string text = "q quits";
    if (picture.rows < grid.size()) {
        text += fmt::format("; brokers {} to {} of {}, arrows and PageUp/PageDown move", picture.first + 1,
                            picture.first + picture.rows, grid.size());
    }
    const std::string missing = grid.left_out();
    if (!missing.empty()) text += "; not shown: " + missing;
    return clip(text, columns);
}

}  // namespace

Picture draw(const History& history, const Frame& frame) {
    const Look& look = history.newest();
    const Figures figures = history.figures(frame.whole);
    const Grid grid(look, figures, frame.width);
    Picture picture{.lines = head(look, figures, frame)};
    picture.lines.push_back(grid.titles(frame.colors));
    const std::size_t around = picture.lines.size() + (frame.live ? 1 : 0);
    const std::size_t room = frame.height > around ? frame.height - around : 0;
    picture.rows = std::min(room, grid.size());
    picture.first = std::min(frame.first, grid.size() - picture.rows);
    for (std::size_t i = 0; i < picture.rows; ++i) {
        picture.lines.push_back(grid.row(picture.first + i, frame.colors));
    }
    if (frame.live) {
        picture.lines.push_back(tinted(foot(grid, picture, frame.width), Tint::Faint, frame.colors));
    }
    if (picture.lines.size() > frame.height) picture.lines.resize(frame.height);
    return picture;
}

}  // namespace sluice::ctl
