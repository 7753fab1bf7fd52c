"""A scatter chart with fronts, as data. `plot` draws it in a terminal, `svg` as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, log10


@dataclass(frozen=True)
class Point:
    """One configuration: tokens/s/user, tokens/s/GPU, what it is, and whether it is disaggregated."""

    x: float
    y: float
    label: str = ""
    disaggregated: bool = False


@dataclass(frozen=True)
class Series:
    """A front: its points by ascending x, and the one that was picked."""

    name: str
    points: tuple[Point, ...]
    pick: Point | None = None


@dataclass(frozen=True)
class Limit:
    """A vertical line at `x`; what lies left of it misses the target."""

    x: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Fronts over a cloud of other candidates."""

    series: tuple[Series, ...]
    cloud: tuple[tuple[float, float], ...]
    limits: tuple[Limit, ...]
    x_label: str
    y_label: str

    @property
    def visible_limits(self) -> tuple[Limit, ...]:
        """The limits near enough to be drawn: one far beyond all points would squeeze them together."""
        return tuple(limit for limit in self.limits if limit.x <= 1.5 * self._x_points)

    @property
    def x_top(self) -> float:
        """The largest x that is drawn."""
        return max([self._x_points, *(limit.x for limit in self.visible_limits)])

    @property
    def _x_points(self) -> float:
        return max([*(p.x for p in self.points()), *(x for x, _ in self.cloud)], default=1.0)

    @property
    def y_top(self) -> float:
        """The largest y that is drawn."""
        return max([*(p.y for p in self.points()), *(y for _, y in self.cloud)], default=1.0)

    def points(self) -> Iterable[Point]:
        """Every point of every front, picks included."""
        for series in self.series:
            yield from series.points
            if series.pick:
                yield series.pick


def ticks(high: float, count: int) -> list[float]:
    """Round values from zero up to at least `high`, about `count` steps apart."""
    if high <= 0:
        return [0.0, 1.0]
    raw = high / count
    base = 10.0 ** floor(log10(raw))
    step = next(multiple * base for multiple in (1, 2, 2.5, 5, 10) if multiple * base >= raw * (1 - 1e-9))
    return [step * i for i in range(int(-(-high * (1 - 1e-9) // step)) + 1)]


def tick_label(value: float) -> str:
    """`1,500`, `2.5`, `0`."""
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:g}"
