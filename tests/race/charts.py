"""Bar charts as SVG: a bar for each peer with its median, a whisker from the smallest to the largest round."""

from xml.sax.saxutils import escape

from page import number

COLOURS = {"sluice": "#1f6feb", "sluice-xdp": "#54aeff", "haproxy": "#8b949e", "haproxy-hash": "#b1bac4",
           "nginx": "#57606a", "direct": "#d0d7de"}
WIDTH, LABEL, VALUE, BAR, GAP, TOP = 640, 120, 110, 24, 12, 64

CHARTS = {
    "messages-core": ("Messages per CPU-second of the balancer's CPU", "200 clients, QoS 1, flat out; more is better",
                      "flat_out", "per_core_second"),
    "messages": ("Messages per second", "200 clients, QoS 1, flat out; more is better", "flat_out", "messages"),
    "machine": ("CPU time of the whole machine for a message, us", "clients and brokers included; less is better",
                "flat_out", "machine_us"),
    "latency-p50": ("Median latency at light load, us", "1,000 messages/s, PUBLISH to PUBACK; less is better", "light",
                    "p50"),
    "latency-p99": ("p99 latency at light load, us", "1,000 messages/s, PUBLISH to PUBACK; less is better", "light",
                    "p99"),
    "connects": ("Connections per second", "200 clients come and go; more is better", "churn", "connects"),
    "restart": ("Until all are back after the balancer's restart, s", "less is better", "restart", "back_seconds"),
}
MEMORY = "Memory for a connection, bytes"


def title_of(name):
    return CHARTS[name][0] if name in CHARTS else MEMORY


def chart(title, subtitle, bars):
    """`bars`: (peer, its title, value, smallest, largest, text)."""
    height = TOP + len(bars) * (BAR + GAP) + 8
    largest = max([bar[4] for bar in bars] + [1e-9])
    scale = (WIDTH - LABEL - VALUE) / largest
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
           'font-family="system-ui, sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
           f'<text x="12" y="24" font-size="16" font-weight="600" fill="#1f2328">{escape(title)}</text>',
           f'<text x="12" y="44" fill="#59636e">{escape(subtitle)}</text>']
    for row, (peer, name, value, low, high, text) in enumerate(bars):
        y = TOP + row * (BAR + GAP)
        middle = y + BAR / 2
        out.append(f'<text x="{LABEL - 8}" y="{middle + 4.5}" text-anchor="end" fill="#1f2328">{escape(name)}</text>')
        out.append(f'<rect x="{LABEL}" y="{y}" width="{max(1.0, value * scale):.1f}" height="{BAR}" rx="3" '
                   f'fill="{COLOURS.get(peer, "#8b949e")}"/>')
        if high > low:
            left, right = LABEL + low * scale, LABEL + high * scale
            out.append(f'<path d="M{left:.1f} {middle}H{right:.1f}M{left:.1f} {middle - 5}v10'
                       f'M{right:.1f} {middle - 5}v10" stroke="#1f2328" fill="none"/>')
        out.append(f'<text x="{LABEL + max(value, high) * scale + 8:.1f}" y="{middle + 4.5}" fill="#1f2328">'
                   f'{escape(text)}</text>')
    return "\n".join([*out, "</svg>", ""])


def all_of(results):
    """Name -> SVG, of every chart that there are figures for."""
    out = {}
    for name, (title, subtitle, step, key) in CHARTS.items():
        bars = []
        for peer in results.peers(step):
            values = results.values(step, peer, key)
            if values:
                value = results.median(step, peer, key)
                name_of_peer = results.about["peers"][peer]["title"]
                bars.append((peer, name_of_peer, value, min(values), max(values), number(value)))
        if bars:
            out[name] = chart(title, subtitle, bars)
    held = max(results.about["scale"]["held"])
    memory = [(peer, results.memory(peer, held)) for peer in results.peers("memory") if peer != "direct"]
    bars = [(peer, results.about["peers"][peer]["title"], *[max(0, m["all"])] * 3, number(m["all"]))
            for peer, m in memory if m]
    if bars:
        out["memory"] = chart(MEMORY, f"process and kernel, {held:,} held; less is better", bars)
    return out
