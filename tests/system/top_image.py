#!/usr/bin/python3
"""Makes doc/images/top.svg: `sluicectl top` as it looks while 400 clients talk, one broker is drained and one is gone.

    tests/system/top_image.py [FILE]

Needs root, as the system tests do, and what tools/build made.
"""

import pathlib
import sys
import time
from xml.sax.saxutils import escape

from lab import BUILD, ROOT, Lab, end_on_signals, wait_for
from pseudo_terminal import PseudoTerminal, styled
from swarm import Swarm

COLUMNS, ROWS = 118, 12
CELL_WIDTH, LINE_HEIGHT, MARGIN = 8, 18, 16  # pixels

FILLS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "2": "#8b949e"}


def svg(lines):
    """The lines as text of a fixed grid, whatever font the reader has."""
    width = COLUMNS * CELL_WIDTH + 2 * MARGIN
    height = len(lines) * LINE_HEIGHT + 2 * MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
           "<title>sluicectl top</title>",
           f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
           '<g font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13" fill="#e6edf3" '
           'xml:space="preserve">']
    for row, line in enumerate(lines):
        column = 0
        for text, style in styled(line):
            # Blanks need no ink, and only whole words are stretched to the grid.
            for word in text.split(" "):
                if word:
                    x, y = MARGIN + column * CELL_WIDTH, MARGIN + row * LINE_HEIGHT + 13
                    extra = f' fill="{FILLS[style]}"' if style in FILLS else ""
                    extra += ' font-weight="bold"' if style == "1" else ""
                    out.append(f'<text x="{x}" y="{y}" textLength="{len(word) * CELL_WIDTH}"{extra}>{escape(word)}</text>')
                column += len(word) + 1
            column -= 1
    return "\n".join([*out, "</g>", "</svg>", ""])


def main():
    target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "doc/images/top.svg")
    end_on_signals()
    with Lab(brokers=4, workers=2) as lab, Swarm(lab, 400, talk=0.2) as swarm, PseudoTerminal(COLUMNS, ROWS) as terminal:
        swarm.wait_all_up()
        # One pool is enough for a picture.
        sections = lab.config().partition('[[pool]]\nname = "brokers6"')[0].split("\n\n")
        lab.reload("\n\n".join(section for section in sections if '"mqtt6"' not in section))
        wait_for("the other pool to be gone", lambda: len(lab.backend_states()) == 4)
        terminal.start([BUILD / "sluicectl", "--socket", lab.socket, "top"])
        lab.admin("drain broker-3")
        lab.admin("kill connection backend=broker-3 limit=40")
        lab.broker("broker-4").stop()
        wait_for("the broker to be down", lambda: lab.backend_states()["broker-4"] == "down")
        swarm.wait_all_up()
        time.sleep(2)
        lines = terminal.pictures()[-1]
        terminal.press("q")
        terminal.wait()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(svg(lines), encoding="utf-8")
    print("\n".join("".join(text for text, _ in styled(line)) for line in lines))
    print(f"written: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
