"""Plots as SVG, written by hand: no library, and small enough to be read in a review.

overview.svg: for each row how many times better Samsa is than Apache Kafka, on a logarithmic scale, with the spread of the rounds.
latency.svg: p50, p99 and p99.9 of the latency rows, both sides.
"""
import math
import statistics
from html import escape

from .row import is_compared, pairs

OURS, THEIRS, INK, GRID, PAPER = "#1f6feb", "#d9480f", "#1f2328", "#d0d7de", "#ffffff"
FONT = 'font-family="DejaVu Sans, Helvetica, Arial, sans-serif"'


class Canvas:
    def __init__(self, width, height):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" {FONT}>',
                      f'<rect width="{width}" height="{height}" fill="{PAPER}"/>']

    def text(self, x, y, said, size=12, anchor="start", colour=INK, weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">'
                          f'{escape(said)}</text>')

    def line(self, x1, y1, x2, y2, colour=GRID, width=1.0):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>')

    def dot(self, x, y, colour, radius=4.5):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>')

    def save(self, path):
        path.write_text("\n".join([*self.parts, "</svg>"]) + "\n")


def scale(low, high, left, right):
    def at(value):
        value = min(max(value, low), high)
        return left + (math.log10(value) - math.log10(low)) / (math.log10(high) - math.log10(low)) * (right - left)
    return at


def decades(low, high):
    return [10.0 ** power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def said(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def ratios(found):
    """[(row, measure, least, middle, most)]: times better, turn against turn. Of CPU and throughput the one that speaks
    less for Samsa."""
    lines = []
    for name, kinds in found.figures.items():
        if "samsa" not in kinds or "apache" not in kinds:
            continue
        main = found.rows[name].main
        measures = [main] if main else [next(filter(is_compared, kinds["samsa"]), ""), "MB/s"]
        lines += sorted((line for measure in measures if (line := ratio(name, kinds, measure))), key=lambda line: line[3])[:1]
    return lines


def ratio(name, kinds, measure):
    found = pairs(measure, kinds["samsa"], kinds["apache"])
    return (name, measure, min(found), statistics.median(found), max(found)) if found else None


def overview(found, path):
    lines = ratios(found)
    if not lines:
        return
    left, right, top, step = 560, 980, 70, 20
    low = min(0.5, *[line[2] for line in lines])
    ticks = decades(low, max(20.0, *[line[4] for line in lines]))
    at = scale(ticks[0], ticks[-1], left, right)
    bottom = top + step * len(lines)
    canvas = Canvas(right + 60, bottom + 30)
    canvas.text(16, 28, "How many times better than Apache Kafka 4.3.1", 17, weight="bold")
    canvas.text(16, 48, "same machine, disk and load, turns in the same state of the machine; dot: median, bar: least to most; right of the line is better", 11)
    for tick in ticks:
        canvas.line(at(tick), top - 8, at(tick), bottom, INK if tick == 1 else GRID, 1.5 if tick == 1 else 1)
        canvas.text(at(tick), bottom + 16, said(tick) + "×", 11, "middle")
    for number, (name, measure, least, middle, most) in enumerate(lines):
        y = top + step * number + step / 2
        colour = OURS if middle >= 1 else THEIRS
        canvas.text(left - 12, y + 4, f"{name}: {measure}", 11, "end")
        canvas.line(at(least), y, at(most), y, colour, 2)
        canvas.dot(at(middle), y, colour)
        canvas.text(min(at(most), right) + 8, y + 4, f"{middle:.1f}" if middle < 100 else f"{middle:.0f}", 10, colour=colour)
    canvas.save(path)


def latency(found, path):
    rows = [(name, kinds) for name, kinds in found.figures.items() if all("p99 ms" in kinds.get(kind, {}) for kind in ("samsa", "apache"))]
    if not rows:
        return
    left, right, top, step = 430, 900, 84, 44
    values = [value for _, kinds in rows for figures in kinds.values() for name in ("p50 ms", "p99 ms", "p99.9 ms") for value in figures.get(name, [])]
    ticks = decades(max(0.01, min(values)), max(values))
    at = scale(ticks[0], ticks[-1], left, right)
    bottom = top + step * len(rows)
    canvas = Canvas(right + 60, bottom + 30)
    canvas.text(16, 28, "Latency in milliseconds: p50, p99, p99.9", 17, weight="bold")
    canvas.text(16, 48, "counted from when a record was due; the small, middle and large dot of each line; medians of the rounds", 11)
    canvas.dot(right - 160, 24, OURS)
    canvas.text(right - 150, 28, "Samsa", 11)
    canvas.dot(right - 90, 24, THEIRS)
    canvas.text(right - 80, 28, "Apache Kafka", 11)
    for tick in ticks:
        canvas.line(at(tick), top - 8, at(tick), bottom)
        canvas.text(at(tick), bottom + 16, said(tick), 11, "middle")
    for number, (name, kinds) in enumerate(rows):
        canvas.text(left - 12, top + step * number + step / 2 + 4, name, 11, "end")
        for kind, colour, shift in (("samsa", OURS, -7), ("apache", THEIRS, 7)):
            y = top + step * number + step / 2 + shift
            points = [max(statistics.median(kinds[kind][measure]), ticks[0]) for measure in ("p50 ms", "p99 ms", "p99.9 ms") if kinds[kind].get(measure)]
            canvas.line(at(points[0]), y, at(points[-1]), y, colour, 2)
            for point, radius in zip(points, (3, 4.5, 6)):
                canvas.dot(at(point), y, colour, radius)
    canvas.save(path)


def write(found, directory):
    overview(found, directory / "overview.svg")
    latency(found, directory / "latency.svg")
