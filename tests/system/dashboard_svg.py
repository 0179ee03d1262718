"""Draws panels of a Grafana dashboard as Grafana lays them out: its grid, its dark colors, its legends. What it draws is
the dashboard's JSON and, for each panel, named series: [(name, [(time, value)])]."""

import bisect
import math
import time
from xml.sax.saxutils import escape

COLUMN, UNIT, GAP = 50, 28, 8  # pixels: a grid's column, a grid's row, between panels
PAGE, PANEL, EDGE, GRID = "#111217", "#181b1f", "#26292f", "#26292f"
TEXT, FAINT, LINK = "#ccccdc", "#8e8e9a", "#6e9fff"
NAMED = {"green": "#73bf69", "yellow": "#fade2a", "red": "#f2495c", "blue": "#5794f2", "purple": "#b877d9", "text": TEXT}
PALETTE = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a",
           "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477", "#b7dbab", "#f4d598", "#70dbed", "#f9ba8f"]
HEAT = [(127, 39, 4), (217, 72, 1), (253, 141, 60), (253, 190, 133), (255, 245, 235)]  # few to many
LETTER = 5.9  # a letter's width, about, at the size of legends

THOUSANDS = [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")]
UNITS = {
    "short": [(1e9, " Bil"), (1e6, " Mil"), (1e3, " K"), (1, "")],
    "ops": [(factor, f" {prefix}ops/s") for factor, prefix in THOUSANDS],
    "pps": [(factor, f" {prefix}p/s") for factor, prefix in THOUSANDS],
    "Bps": [(factor, f" {prefix}B/s") for factor, prefix in THOUSANDS],
    "bytes": [(2.0 ** 30, " GiB"), (2.0 ** 20, " MiB"), (2.0 ** 10, " KiB"), (1, " B")],
    "percentunit": [(0.01, "%")],
    "s": [(1, " s"), (1e-3, " ms"), (1e-6, " µs")],
}


def scale_of(unit, value):
    """(factor, suffix) that suit a value."""
    scales = UNITS[unit or "short"]
    return next((scale for scale in scales if abs(value) >= scale[0]), scales[-1] if value else
                next((scale for scale in scales if scale[0] == 1), scales[0]))


def shown(value, unit, decimals=None):
    """Three digits that count, unless told how many behind the point."""
    factor, suffix = scale_of(unit, value)
    number = value / factor
    if decimals is None:
        decimals = max(0, 2 - math.floor(math.log10(abs(number)))) if number else 0
        text = f"{number:.{min(decimals, 2)}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text) + suffix
    return f"{number:.{decimals}f}{suffix}"


def ticks(most, unit):
    """From 0 to the first round number that is not below `most`, in two to five steps."""
    factor = scale_of(unit, most)[0]
    most = most / factor or 1
    power = 10.0 ** math.floor(math.log10(most))
    step = next(power * step for step in (0.2, 0.25, 0.5, 1, 2, 2.5, 5) if power * step * 5 >= most * 0.999)
    return [n * step * factor for n in range(math.ceil(most / step - 0.001) + 1)]


def clock(when):
    return time.strftime("%H:%M:%S", time.gmtime(when))


class Drawing:
    def __init__(self):
        self._out = []

    def add(self, element):
        self._out.append(element)

    def box(self, x, y, width, height, fill, more=""):
        self.add(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"{more}/>')

    def line(self, x1, y1, x2, y2, color):
        self.add(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{color}"/>')

    def text(self, x, y, text, size=11, fill=FAINT, anchor="start", weight=None):
        more = "" if anchor == "start" else f' text-anchor="{anchor}"'
        more += f' font-weight="{weight}"' if weight else ""
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}"{more}>{escape(text)}</text>')

    def whole(self, title, width, height):
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}">', f"<title>{escape(title)}</title>", f'<rect width="{width}" height="{height}" fill="{PAGE}"/>',
            '<g font-family="Inter, Roboto, Helvetica, Arial, DejaVu Sans, sans-serif">', *self._out, "</g>", "</svg>", ""])


def fitting(text, width):
    letters = int(width / LETTER)
    return text if len(text) <= letters else text[:max(letters - 1, 1)] + "…"


class Panel:
    """One panel: its frame and title, then by its type."""

    def __init__(self, drawing, model, series, start, end, step, top):
        grid = model["gridPos"]
        self.drawing = drawing
        self.model = model
        self.series = [(name, points) for name, points in series if points]
        self.defaults = model.get("fieldConfig", {}).get("defaults", {})
        self.unit = self.defaults.get("unit", "short")
        self.start, self.end, self.step = start, end, step
        self.x = GAP + grid["x"] * COLUMN
        self.y = GAP + (grid["y"] - top) * UNIT
        self.width = grid["w"] * COLUMN - GAP
        self.height = grid["h"] * UNIT - GAP

    def draw(self):
        if self.model["type"] == "row":
            self.drawing.text(self.x + 4, self.y + 14, "⌄", 13, TEXT)
            self.drawing.text(self.x + 20, self.y + 14, self.model["title"], 13, TEXT, weight=500)
            return
        self.drawing.box(self.x, self.y, self.width, self.height, PANEL, f' rx="2" stroke="{EDGE}"')
        self.drawing.text(self.x + 9, self.y + 18, self.model["title"], 12, TEXT, weight=500)
        {"stat": self.stat, "timeseries": self.timeseries, "state-timeline": self.states,
         "heatmap": self.heatmap}[self.model["type"]]()

    # The plot's area

    def plan(self, left, below):
        """Where things are plotted: between the title and what comes below, with room for labels at the left."""
        self.left, self.right = self.x + left, self.x + self.width - 14
        self.upper, self.lower = self.y + 32, self.y + self.height - below - 20
        most = self.width / 75
        every = next(s for s in (5, 10, 15, 30, 60, 120, 300, 600) if (self.end - self.start) / s <= most)
        for when in range(math.ceil(self.start / every) * every, math.floor(self.end) + 1, every):
            self.drawing.line(self.across(when), self.upper, self.across(when), self.lower, GRID)
            if self.left + 20 < self.across(when) < self.right - 16:
                self.drawing.text(self.across(when), self.lower + 14, clock(when), 10, anchor="middle")

    def across(self, when):
        return self.left + (when - self.start) / (self.end - self.start) * (self.right - self.left)

    def up(self, value, most):
        return self.lower - value / most * (self.lower - self.upper)

    def curve(self, points):
        """A path's data, in parts where there are gaps, without points that lie on a straight line anyway."""
        parts = []
        for n, (x, y, when) in enumerate(points):
            if n == 0 or when - points[n - 1][2] > 1.5 * self.step:
                parts.append([(x, y)])
            elif len(parts[-1]) > 1 and parts[-1][-1][1] == parts[-1][-2][1] == y:
                parts[-1][-1] = (x, y)
            else:
                parts[-1].append((x, y))
        return parts

    def area(self, points, most, color, opacity, floor=None):
        """One line and what lies below it, down to `floor`: time -> value."""
        placed = [(round(self.across(when), 1), round(self.up(value, most), 1), when) for when, value in points]
        for part in self.curve(placed):
            data = "M" + "L".join(f"{x:g} {y:g}" for x, y in part)
            if opacity:
                base = [(x, y) for x, y, when in
                        ((round(self.across(when), 1), round(self.up((floor or {}).get(when, 0), most), 1), when)
                         for when, _ in reversed(points)) if part[0][0] <= x <= part[-1][0]]
                base = base if floor else [base[0], base[-1]]
                below = "L".join(f"{x:g} {y:g}" for x, y in base)
                self.drawing.add(f'<path d="{data}L{below}Z" fill="{color}" fill-opacity="{opacity}"/>')
            self.drawing.add(f'<path d="{data}" fill="none" stroke="{color}" stroke-width="1.2"/>')

    # The types

    def stat(self):
        _, points = self.series[0]
        value = points[-1][1]
        steps = self.defaults["thresholds"]["steps"]
        color = NAMED[[s["color"] for s in steps if s["value"] is None or value >= s["value"]][-1]]
        self.left, self.right = self.x + 1, self.x + self.width - 1
        self.upper, self.lower = self.y + self.height - 24, self.y + self.height - 1
        self.area(points, max(value for _, value in points) or 1, color, 0.15)
        self.drawing.text(self.x + self.width / 2, self.y + self.height * 0.66,
                          shown(value, self.unit, self.defaults.get("decimals")), 28, color, "middle", 500)

    def timeseries(self):
        custom = self.defaults["custom"]
        colors = {name: PALETTE[n % len(PALETTE)] for n, (name, _) in enumerate(self.series)}
        stacked = custom["stacking"]["mode"] == "normal"
        floors = self.stack() if stacked else {}
        tops = [value + floors.get(name, {}).get(when, 0) for name, points in self.series for when, value in points]
        marks = ticks(max(tops, default=0), self.unit)
        if "max" in self.defaults:
            marks = ticks(self.defaults["max"], self.unit)
        rows = len(self.series) if len(self.series) <= 5 else 4
        labels = [self.label(mark, marks) for mark in marks]
        self.plan(16 + LETTER * max(map(len, labels)), 20 + 14 * rows)
        for mark, label in zip(marks, labels):
            y = self.up(mark, marks[-1])
            self.drawing.line(self.left, y, self.right, y, GRID)
            self.drawing.text(self.left - 6, y + 3.5, label, 10, anchor="end")
        for name, points in self.series:
            raised = [(when, value + floors.get(name, {}).get(when, 0)) for when, value in points]
            self.area(raised, marks[-1], colors[name], custom["fillOpacity"] / 100, floors.get(name))
        self.legend(colors, rows)

    def label(self, mark, marks):
        """All labels of an axis in the unit of its end."""
        factor, suffix = scale_of(self.unit, marks[-1])
        step = marks[1] / factor
        decimals = next(d for d in range(4) if d == 3 or abs(step * 10 ** d - round(step * 10 ** d)) < 1e-6)
        return f"{mark / factor:.{decimals}f}{suffix}"

    def stack(self):
        """Series -> time -> the sum of those below it."""
        sums, floors = {}, {}
        for name, points in self.series:
            floors[name] = {when: sums.get(when, 0) for when, _ in points}
            sums.update({when: sums.get(when, 0) + value for when, value in points})
        return floors

    def legend(self, colors, rows):
        """A table below the plot, as high as there is room."""
        order = [(name, points[-1][1], max(value for _, value in points)) for name, points in self.series]
        if self.model["options"]["legend"].get("sortBy") == "Max":
            order.sort(key=lambda row: -row[2])
        y = self.lower + 31
        last, most = self.right - 76, self.right
        self.drawing.text(self.x + 9, y, "Name", 10, LINK)
        self.drawing.text(last, y, "Last *", 10, LINK, "end")
        self.drawing.text(most, y, "Max", 10, LINK, "end")
        for n, (name, now, peak) in enumerate(order[:rows]):
            at = y + 14 * (n + 1)
            self.drawing.box(self.x + 10, at - 5, 12, 3, colors[name], ' rx="1"')
            self.drawing.text(self.x + 27, at, fitting(name, last - 70 - self.x - 27), 11, TEXT)
            self.drawing.text(last, at, shown(now, self.unit), 11, TEXT, "end")
            self.drawing.text(most, at, shown(peak, self.unit), 11, TEXT, "end")

    def states(self):
        mapping = self.defaults["mappings"][0]["options"]
        self.plan(18 + LETTER * max(len(name) for name, _ in self.series), 18)
        row = (self.lower - self.upper) / len(self.series)
        for n, (name, points) in enumerate(self.series):
            y = self.upper + row * (n + 0.05)
            self.drawing.text(self.left - 8, y + row * 0.45 + 4, name, 11, anchor="end")
            for begin, until, value in self.stretches(points):
                width = self.across(until) - self.across(begin)
                state = mapping[f"{value:g}"]
                self.drawing.box(self.across(begin), y, width, row * 0.9, NAMED[state["color"]], ' fill-opacity="0.8"')
                if width > 7 * len(state["text"]) + 8:
                    self.drawing.text(self.across(begin) + 6, y + row * 0.45 + 4, state["text"], 11, PAGE, weight=500)
        x = self.x + 10
        for key in sorted({f"{value:g}" for _, points in self.series for _, value in points}):
            self.drawing.box(x, self.lower + 25, 12, 3, NAMED[mapping[key]["color"]], ' rx="1"')
            self.drawing.text(x + 17, self.lower + 31, mapping[key]["text"], 11, TEXT)
            x += 36 + LETTER * len(mapping[key]["text"])

    def stretches(self, points):
        """(from, to, value) where the value stays the same."""
        merged = []
        for when, value in points:
            if merged and merged[-1][2] == value:
                merged[-1][1] = min(when + self.step, self.end)
            else:
                if merged:
                    merged[-1][1] = when
                merged.append([when, min(when + self.step, self.end), value])
        return merged

    def heatmap(self):
        """Buckets that hold all below them become buckets of their own."""
        buckets = sorted((math.inf if bound == "+Inf" else float(bound), dict(points)) for bound, points in self.series)
        times = sorted({when for _, points in buckets for when in points})
        cells = [(n, when, points.get(when, 0) - (buckets[n - 1][1].get(when, 0) if n else 0))
                 for n, (_, points) in enumerate(buckets) for when in times]
        cells = [cell for cell in cells if cell[2] > 1e-9]
        most = max((count for _, _, count in cells), default=1)
        unit = self.model["options"]["yAxis"]["unit"]
        self.plan(58, 20)
        row = (self.lower - self.upper) / len(buckets)
        for n, (bound, _) in enumerate(buckets):
            y = self.lower - row * (n + 1)
            if n % 3 == 0:
                label = "+Inf" if bound == math.inf else shown(bound, unit)
                self.drawing.text(self.left - 6, y + row / 2 + 3.5, label, 10, anchor="end")
        for n, when, count in cells:
            x = max(self.across(when - self.step), self.left)
            if when > self.start:
                self.drawing.box(x + 0.5, self.lower - row * (n + 1) + 0.5, self.across(when) - x - 1, row - 1,
                                 heat(count / most))
        self.heat_scale(most)

    def heat_scale(self, most):
        y = self.lower + 22
        for n in range(40):
            self.drawing.box(self.left + n * 4, y, 4, 8, heat((n + 0.5) / 40))
        self.drawing.text(self.left - 6, y + 8, "0", 10, anchor="end")
        self.drawing.text(self.left + 166, y + 8, shown(most, "short"), 10)


def heat(share):
    """Few are dark, many are bright; the root of the share, so that few can be seen."""
    place = math.sqrt(share) * (len(HEAT) - 1)
    low = min(bisect.bisect_right(range(len(HEAT)), place) - 1, len(HEAT) - 2)
    return "#" + "".join(f"{round(a + (b - a) * (place - low)):02x}" for a, b in zip(HEAT[low], HEAT[low + 1]))


def draw(title, panels, start, end, step):
    """`panels`: (model, series). The whole picture, from the first panel's row down."""
    drawing = Drawing()
    top = min(model["gridPos"]["y"] for model, _ in panels)
    for model, series in panels:
        Panel(drawing, model, series, start, end, step, top).draw()
    bottom = max(model["gridPos"]["y"] + model["gridPos"]["h"] for model, _ in panels) - top
    return drawing.whole(title, 24 * COLUMN + GAP, bottom * UNIT + GAP)
