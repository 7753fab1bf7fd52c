"""Write a chart as one self-contained SVG: tooltips through <title>, dark mode through CSS, no script."""

from __future__ import annotations

from xml.sax.saxutils import escape

from kubectl_dynamo.views.chart import Chart, Point, Series, tick_label, ticks

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 72, 20, 58, 50
TITLE_SIZE, TITLE_HEIGHT = 14, 28
BOLD_WIDTH = 0.62  # of a letter, in parts of the font's size
COLORS = ("#0891b2", "#a21caf", "#15803d", "#1d4ed8")
_CSS = (
    "svg{background:#fff}text{fill:#333}.grid{stroke:#ddd}.cloud{fill:#999;opacity:.45}.limit{stroke:#b45309;stroke-dasharray:4}"
    "@media(prefers-color-scheme:dark){svg{background:#111}text{fill:#ddd}.grid{stroke:#333}.cloud{fill:#777}}"
)


def svg(chart: Chart, title: str) -> str:
    """The chart as an SVG document, ending in a newline; without a title it begins where the picture does."""
    x_ticks, y_ticks = ticks(chart.x_top, 6), ticks(chart.y_top, 5)
    scale = _Scale(x_ticks[-1], y_ticks[-1])
    above = 0 if title else TITLE_HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {above} {WIDTH} {HEIGHT - above}" role="img" '
        f'font-family="system-ui,sans-serif" font-size="12"><title>{escape(title or "Pareto front")}</title>'
        f"<style>{_CSS}</style>",
        *([_title(title)] if title else []),
        *_grid(x_ticks, y_ticks, scale),
    ]
    parts += [f'<circle class="cloud" cx="{scale.x(x):.1f}" cy="{scale.y(y):.1f}" r="2"/>' for x, y in chart.cloud]
    for limit in chart.visible_limits:
        x = scale.x(limit.x)
        parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        side, anchor = (-4, "end") if x > WIDTH * 0.7 else (4, "start")
        parts.append(_text(x + side, TOP + 12, limit.label, anchor))
    for i, series in enumerate(chart.series):
        parts += _front(series, COLORS[i % len(COLORS)], scale)
        parts.append(_key(series, i))
    parts += _shapes(chart)
    parts.append(_text(WIDTH / 2, HEIGHT - 10, chart.x_label, "middle"))
    parts.append(_text(LEFT - 8, TOP - 12, chart.y_label, "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _title(title: str) -> str:
    """The heading, in smaller letters where it is too long for the width."""
    size = min(TITLE_SIZE, WIDTH / (BOLD_WIDTH * len(title)))
    return _text(WIDTH / 2, 20, title, "middle", f'font-size="{size:.3g}" font-weight="600"')


class _Scale:
    """Data to pixels."""

    def __init__(self, x_top: float, y_top: float) -> None:
        self._x_top, self._y_top = x_top, y_top

    def x(self, value: float) -> float:
        return LEFT + value / self._x_top * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self._y_top * (HEIGHT - TOP - BOTTOM)


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'.replace(" >", ">")


def _grid(x_ticks: list[float], y_ticks: list[float], scale: _Scale) -> list[str]:
    parts = []
    for value in x_ticks:
        x = scale.x(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(_text(x, HEIGHT - BOTTOM + 16, tick_label(value), "middle"))
    for value in y_ticks:
        y = scale.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(LEFT - 6, y + 4, tick_label(value), "end"))
    return parts


def _tooltip(point: Point) -> str:
    return f"<title>{escape(point.label)}: {point.x:,.1f} tokens/s/user, {point.y:,.0f} tokens/s/GPU</title>"


def _front(series: Series, color: str, scale: _Scale) -> list[str]:
    line = " ".join(f"{scale.x(p.x):.1f},{scale.y(p.y):.1f}" for p in series.points)
    parts = [f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{line}"/>']
    for point in series.points:
        x, y = scale.x(point.x), scale.y(point.y)
        if point.disaggregated:
            shape = f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" transform="rotate(45 {x:.1f} {y:.1f})"'
        else:
            shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"'
        name = "rect" if point.disaggregated else "circle"
        parts.append(f'{shape} fill="{color}">{_tooltip(point)}</{name}>')
    if series.pick:
        x, y = scale.x(series.pick.x), scale.y(series.pick.y)
        parts.append(
            f'<text x="{x:.1f}" y="{y + 8:.1f}" text-anchor="middle" font-size="24" '
            f'style="fill:#f59e0b;stroke:#78350f">★{_tooltip(series.pick)}</text>'
        )
    return parts


def _shapes(chart: Chart) -> list[str]:
    """What the shapes mean, of those that are drawn."""
    kinds = {point.disaggregated for point in chart.points()}
    entries = [("●", "aggregated")] * (False in kinds) + [("◆", "disaggregated")] * (True in kinds)
    entries += [("★", "pick")] * any(series.pick for series in chart.series)
    entries += [("•", "other candidates")] * bool(chart.cloud)
    text = "   ".join(f"{sign} {words}" for sign, words in entries)
    return [_text(WIDTH - RIGHT, TOP - 12, text, "end", 'xml:space="preserve"')]


def _key(series: Series, i: int) -> str:
    y = TOP + 14 + 16 * i
    x = WIDTH - RIGHT - 8
    color = COLORS[i % len(COLORS)]
    return f'<text x="{x}" y="{y}" text-anchor="end" style="fill:{color}">{escape(series.name)}</text>'
