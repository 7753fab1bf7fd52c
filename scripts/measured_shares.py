"""How far a user's measurement should spread: `profiler.points.correction`'s shares, from the estimator's own errors.

    python -m scripts.measured_shares [FOLDER]

FOLDER holds (or gets) the wheel with the public measurements; only the half that may be looked at is read. Prints, for
each metric, the shares of highest likelihood, and for the shares in use what one and three measurements of a system are
worth on its other rows: median error without and with them, the same near a measurement (its layout, and within 1.5
doublings of its load), and how many of those rows the narrowed interval holds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from profiler import hardware
from profiler.estimate import FloatArray, Points
from profiler.models import load
from profiler.points.correction import SHARES, Evidence, Place, Shares
from profiler.points.questions import Question
from scripts.fit.rows import ARCHITECTURES, Measurement, measurements
from scripts.fit.wheel import even_rows, wheel

FEWEST = 4  # rows of a system worth looking at
FURTHEST = 1.2  # log errors beyond this are saturation or speculative decoding, which no share explains
GRID = ((0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (0.0, 0.1, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5), (1, 2, 3, 4, 5))
DRAWS = 20
NEAR = 1.5  # doublings of ISL, OSL and concurrency, added up


@dataclass(frozen=True)
class System:
    """The rows of one system: where they lie and log(measured / estimated)."""

    place: Place
    errors: FloatArray

    def part(self, rows: FloatArray) -> Place:
        """The places of some rows."""
        return Place(self.place.layout[rows], self.place.load[rows])


def systems(rows: Sequence[Measurement], metric: str) -> Iterator[System]:
    """The systems with enough rows that have an estimate."""
    repositories = {architecture: name for name, architecture in reversed(ARCHITECTURES.items())}
    groups: dict[tuple[str, ...], list[Measurement]] = {}
    for row in rows:
        if row.sku in hardware.skus() and not row.speculative:
            groups.setdefault((row.architecture, row.sku, row.engine, row.quantization), []).append(row)
    for (architecture, sku, engine, quantization), members in groups.items():
        model = replace(load(repositories[architecture]), quantization=quantization)
        errors, places = [], []
        for row in members:
            experts = {"moe_ep": row.ep, "moe_tp": row.tp * row.dp / row.ep} if model.is_moe else {}
            points = Points.of(tp=row.tp, dp=row.dp, isl=row.isl, osl=row.osl, concurrency=row.concurrency, **experts)
            question = Question(model, hardware.gpu(sku), engine, "agg", row.arrival, row.admission_wait_steps)
            found = question.estimate(points)
            if found.answered[0]:
                errors.append(np.log(getattr(row, metric) / getattr(found, metric)[0]))
                places.append(Place.of(points, "agg"))
        if len(errors) >= FEWEST:
            layout, loads = (np.concatenate([getattr(place, name) for place in places]) for name in ("layout", "load"))
            yield System(Place(layout, loads), np.array(errors))


def misfit(found: Sequence[System], shares: Shares) -> float:
    """-2 log likelihood of all errors, their overall variance profiled out."""
    middle = np.median(np.concatenate([system.errors for system in found]))
    determinants, squares, count = 0.0, 0.0, 0
    for system in found:
        errors = np.clip(system.errors - middle, -FURTHEST, FURTHEST)
        kin = system.place.kinship(system.place, shares) + shares.noise * np.eye(len(errors))
        determinants += np.linalg.slogdet(kin)[1]
        squares += errors @ np.linalg.solve(kin, errors)
        count += len(errors)
    return float(determinants + count * np.log(squares / count))


@dataclass(frozen=True)
class Worth:
    """Log errors of the rows that were not taken as measured, before and after; which are near; which are held."""

    before: FloatArray
    after: FloatArray
    near: FloatArray
    held: float

    def __str__(self) -> str:
        near = self.near.astype(bool)
        parts = ((self.before, self.after), (self.before[near], self.after[near]))
        everywhere, close = (" -> ".join(f"{_percent(errors):.1f} %" for errors in pair) for pair in parts)
        return f"{everywhere}; near one {close}; interval holds {100 * self.held:.0f} %"


def worth(found: Sequence[System], shares: Shares, anchors: int) -> Worth:
    """What some measurements of each system, drawn at random, are worth on its other rows."""
    rng = np.random.default_rng(0)
    columns: list[tuple[FloatArray, ...]] = []
    for system in found:
        for _ in range(DRAWS if len(system.errors) > anchors + 1 else 0):
            order = rng.permutation(len(system.errors))
            known, others = order[:anchors], order[anchors:]
            factor, power = Evidence(system.part(known), system.errors[known], shares).at(system.part(others))
            errors = system.errors[others]
            columns.append((errors, errors - np.log(factor), power, _near(system.part(others), system.part(known))))
    before, after, power, near = (np.concatenate(column) for column in zip(*columns, strict=True))
    low, high = np.quantile(before, [0.1, 0.9])
    return Worth(before, after, near, float(np.mean((after >= low * power) & (after <= high * power))))


def _near(places: Place, known: Place) -> FloatArray:
    same = (places.layout[:, None, :] == known.layout[None, :, :]).all(axis=2)
    return (same & (np.abs(places.load[:, None, :] - known.load[None, :, :]).sum(axis=2) < NEAR)).any(axis=1)


def _percent(errors: FloatArray) -> float:
    return float(100 * np.median(np.abs(np.expm1(-errors))))


def main() -> None:
    """Print the table."""
    rows = measurements(even_rows(wheel(Path(sys.argv[1] if len(sys.argv) > 1 else ".cache"))))
    for metric, used in SHARES.items():
        found = list(systems(rows, metric))
        grid = [Shares(*shares) for shares in product(*GRID) if sum(shares[:3]) <= 0.95]
        best = min(grid, key=lambda shares: misfit(found, shares))
        print(f"{metric}: {len(found)} systems, {sum(len(s.errors) for s in found)} rows; most likely {best}")
        for anchors in (1, 3):
            print(f"  {used}, {anchors} measured: {worth(found, used, anchors)}")


if __name__ == "__main__":
    main()
