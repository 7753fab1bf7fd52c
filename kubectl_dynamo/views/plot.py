"""Draw a chart in a terminal: braille dots (two by four to a cell), or ASCII where the terminal has no UTF-8."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from itertools import pairwise

from kubectl_dynamo.views.chart import Chart, tick_label, ticks
from kubectl_dynamo.views.style import Color, Style

SERIES_COLORS = (Color.CYAN, Color.MAGENTA, Color.GREEN, Color.BLUE)
_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


@dataclass(frozen=True)
class Glyphs:
    """The signs of one character set. `pair` is (aggregated, disaggregated); `series` one per front when several."""

    pair: tuple[str, str]
    series: tuple[str, ...]
    pick: str
    limit: str
    cloud: str
    tick: str
    side: str
    corner: str
    floor: str
    floor_tick: str


FANCY = Glyphs(("●", "◆"), ("●", "◆", "▲", "■"), "★", "┊", "⠂", "┤", "│", "└", "─", "┴")
PLAIN = Glyphs(("o", "+"), ("o", "+", "^", "#"), "*", ":", ".", "+", "|", "+", "-", "+")


@dataclass
class Canvas:
    """A grid of cells addressed in dots; a glyph covers the dots of its cell, the last colour wins."""

    width: int
    height: int
    braille: bool
    dots: dict[tuple[int, int], int] = field(default_factory=dict)
    colors: dict[tuple[int, int], Color] = field(default_factory=dict)
    glyphs: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def dot_columns(self) -> int:
        """Dots across."""
        return self.width * 2

    @property
    def dot_rows(self) -> int:
        """Dots down."""
        return self.height * 4

    def dot(self, x: int, y: int, color: Color, glyph: str) -> None:
        """One dot; in ASCII its cell shows `glyph`, where nothing else stands."""
        cell = (y // 4, x // 2)
        self.dots[cell] = self.dots.get(cell, 0) | _BRAILLE[y % 4][x % 2]
        self.colors[cell] = color
        if not self.braille and glyph:
            self.glyphs.setdefault(cell, glyph)

    def line(self, start: tuple[int, int], end: tuple[int, int], color: Color) -> None:
        """A straight line; ASCII shows the points alone."""
        (x0, y0), (x1, y1) = start, end
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for i in range(steps + 1):
            self.dot(round(x0 + (x1 - x0) * i / steps), round(y0 + (y1 - y0) * i / steps), color, "")

    def put(self, x: int, y: int, glyph: str, color: Color) -> None:
        """A sign in the cell of a dot."""
        cell = (y // 4, x // 2)
        self.glyphs[cell], self.colors[cell] = glyph, color

    def under(self, x: int, y: int, glyph: str, color: Color) -> None:
        """A sign where the cell is still empty."""
        if (y // 4, x // 2) not in self.dots and (y // 4, x // 2) not in self.glyphs:
            self.put(x, y, glyph, color)

    def rows(self, style: Style) -> list[str]:
        """The lines of the picture."""
        return [
            "".join(style.paint(self._sign((row, col)), self.colors.get((row, col))) for col in range(self.width))
            for row in range(self.height)
        ]

    def _sign(self, cell: tuple[int, int]) -> str:
        if cell in self.glyphs:
            return self.glyphs[cell]
        dots = self.dots.get(cell, 0) if self.braille else 0
        return chr(0x2800 + dots) if dots else " "


def plot(chart: Chart, style: Style) -> str:
    """The chart `style.width` columns wide, with axes, ticks and a legend."""
    glyphs = FANCY if style.unicode else PLAIN
    x_ticks, y_ticks = ticks(chart.x_top, 6), ticks(chart.y_top, 4)
    margin = max(len(tick_label(y)) for y in y_ticks) + 3
    canvas = Canvas(style.width - margin - 1, max(10, min(20, style.width // 5)), style.unicode)
    _draw(chart, canvas, glyphs, x_ticks[-1], y_ticks[-1])

    labels = {_row(canvas, y, y_ticks[-1]) // 4: tick_label(y) for y in y_ticks}
    lines = _wrapped([*_legend(chart, style, glyphs)], style)
    lines.append(style.paint(f"  {chart.y_label}", Color.DIM))
    for row, picture in enumerate(canvas.rows(style)):
        side = glyphs.tick if row in labels else glyphs.side
        lines.append(f"{labels.get(row, ''):>{margin - 1}}{side}{picture}".rstrip())
    return "\n".join([*lines, *_floor(chart, canvas, glyphs, x_ticks, margin, style)])


def _column(canvas: Canvas, x: float, top: float) -> int:
    return round(x / top * (canvas.dot_columns - 1))


def _row(canvas: Canvas, y: float, top: float) -> int:
    return round((1 - y / top) * (canvas.dot_rows - 1))


def _draw(chart: Chart, canvas: Canvas, glyphs: Glyphs, x_top: float, y_top: float) -> None:
    def at(x: float, y: float) -> tuple[int, int]:
        return _column(canvas, x, x_top), _row(canvas, y, y_top)

    for x, y in chart.cloud:
        canvas.dot(*at(x, y), Color.DIM, glyphs.cloud)
    for i, series in enumerate(chart.series):
        color = SERIES_COLORS[i % len(SERIES_COLORS)]
        dots = [at(point.x, point.y) for point in series.points]
        for start, end in pairwise(dots):
            canvas.line(start, end, color)
        for point, dot in zip(series.points, dots, strict=True):
            alone = glyphs.pair[point.disaggregated]
            canvas.put(*dot, alone if len(chart.series) == 1 else glyphs.series[i % len(glyphs.series)], color)
    for limit in chart.visible_limits:
        for row in range(canvas.height):
            canvas.under(_column(canvas, limit.x, x_top), row * 4, glyphs.limit, Color.YELLOW)
    for series in chart.series:
        if series.pick:
            canvas.put(*at(series.pick.x, series.pick.y), glyphs.pick, Color.STAR)


def _legend(chart: Chart, style: Style, glyphs: Glyphs) -> list[tuple[str, str]]:
    """(sign, words) of everything that is drawn."""
    entries: list[tuple[str, str]] = []
    if len(chart.series) == 1:
        kinds = {point.disaggregated for point in chart.points()}
        names = ("aggregated", "disaggregated")
        entries += [(style.paint(glyphs.pair[k], SERIES_COLORS[0]), names[k]) for k in sorted(kinds)]
    else:
        entries += [(_sign(i, style, glyphs), series.name) for i, series in enumerate(chart.series)]
    if any(series.pick for series in chart.series):
        entries.append((style.paint(glyphs.pick, Color.STAR), "pick"))
    for limit in chart.limits:
        words = limit.label if limit in chart.visible_limits else f"{limit.label}, off this chart at {limit.x:,.0f}"
        entries.append((style.paint(glyphs.limit, Color.YELLOW), style.plain(words)))
    if chart.cloud:
        entries.append((style.paint(glyphs.cloud, Color.DIM), "other candidates"))
    return entries


def _sign(i: int, style: Style, glyphs: Glyphs) -> str:
    return style.paint(glyphs.series[i % len(glyphs.series)], SERIES_COLORS[i % len(SERIES_COLORS)])


def _wrapped(entries: list[tuple[str, str]], style: Style) -> list[str]:
    """The legend in as many lines as it needs; a sign never leaves its words."""
    lines: list[str] = []
    line, used = "", 0
    for sign, words in entries:
        length = len(words) + 5
        if used and used + length > style.width:
            lines.append(line)
            line, used = "", 0
        line, used = f"{line}  {sign} {words} ", used + length
    return [entry.rstrip() for entry in [*lines, line]]


def _floor(chart: Chart, canvas: Canvas, glyphs: Glyphs, x_ticks: list[float], margin: int, style: Style) -> list[str]:
    """The horizontal axis, its numbers and its name."""
    axis, names = [glyphs.floor] * canvas.width, [" "] * canvas.width
    free = 0
    for x in x_ticks:
        column, text = _column(canvas, x, x_ticks[-1]) // 2, tick_label(x)
        axis[column] = glyphs.floor_tick
        start = max(0, min(column - len(text) // 2, canvas.width - len(text)))
        if start >= free:
            names[start : start + len(text)] = text
            free = start + len(text) + 1
    return [
        " " * (margin - 1) + glyphs.corner + "".join(axis),
        " " * margin + "".join(names).rstrip(),
        style.paint(textwrap.shorten(chart.x_label, style.width, placeholder="").rjust(style.width - 1), Color.DIM),
    ]
