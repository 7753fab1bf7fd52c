"""Split-conformal 80 % bounds: quantiles of the errors of rows that the fit did not see."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.fit.groups import Column, sku
from scripts.fit.rows import Measurement

LEVEL = 0.8
METRICS = ("itl", "ttft")
# How much wider a GPU that nothing was measured of makes the logarithm of the bounds: a judgement.
TRANSFERRED = {"same_family": 1.2, "other_family": 1.6}
# Where its operations were measured, and GPUs of its family end to end: the bounds come from just such GPUs. Outside of
# such a family what leaving a family out shows, but no less than the first exponent above: Hopper and Blackwell, which
# that leaves out, have more in common than either has with what is beyond them.
SAME_FAMILY_BY_OPERATION = 1.0


@dataclass(frozen=True)
class HeldOut:
    """log(measured / estimated) of rows while they were held out, as columns beside their rows."""

    rows: tuple[Measurement, ...]
    itl: Column
    ttft: Column

    def of(self, metric: str) -> Column:
        """The errors of one metric."""
        return self.itl if metric == "itl" else self.ttft

    def take(self, which: NDArray[np.bool_]) -> HeldOut:
        """Some of the rows."""
        rows = tuple(row for row, keep in zip(self.rows, which, strict=True) if keep)
        return HeldOut(rows, self.itl[which], self.ttft[which])


@dataclass(frozen=True)
class Intervals:
    """Held-out rows of known deployments, of known models on other GPUs or families of them, and of left-out models."""

    known: HeldOut
    related: HeldOut
    far: HeldOut
    new: HeldOut

    @classmethod
    def of(cls, held: Mapping[str, HeldOut]) -> Intervals:
        """From the schemes of the cross-validation."""
        return cls(held["random"], related(held["gpu"]), held["family"], held["model"])

    def coverage(self) -> dict[str, list[tuple[float, float]]]:
        """Share of rows inside bounds that were made without their group, and high over low, by tier and metric."""
        cases = {
            "known": (self.known, lambda row: str(row.configuration), False),
            "related": (self.related, lambda row: row.sku, True),
            "new": (self.new, lambda row: row.architecture, True),
        }
        return {name: [_covered(*case, metric) for metric in METRICS] for name, case in cases.items()}

    def as_document(self) -> dict[str, Any]:
        """Bounds as factors."""
        engines = np.array([row.engine for row in self.known.rows])
        return {
            "known": {
                metric: {
                    engine: bounds(self.known.of(metric)[engines == engine]) for engine in ("vllm", "sglang", "trtllm")
                }
                for metric in METRICS
            },
            "related": {metric: bounds(self.related.of(metric), _evenly(self.related)) for metric in METRICS},
            "new": {metric: bounds(self.new.of(metric), _evenly(self.new)) for metric in METRICS},
            "by_operation": {
                "meaning": "exponent on the factors for a GPU of which single operations were measured, by whether "
                "end-to-end rows saw its family; the latter from rows of families left out of the fit",
                "same_family": SAME_FAMILY_BY_OPERATION,
                "other_family": self.widening(),
            },
            "transferred": {
                "meaning": "exponent on the factors for a GPU of which nothing was measured, by whether its family "
                "was seen; a judgement",
                **TRANSFERRED,
            },
        }

    def widening(self) -> float:
        """The exponent by which bounds of related and new deployments cover LEVEL of a family that was left out."""
        places: dict[str, set[str]] = {}
        for row in self.far.rows:
            places.setdefault(row.architecture_and_engine, set()).add(sku(row.sku).family)
        seen = np.array([len(places[row.architecture_and_engine]) > 1 for row in self.far.rows])
        exponents = []
        for metric in METRICS:
            errors = self.far.of(metric)
            near, away = (np.log(bounds(held.of(metric), _evenly(held))) for held in (self.related, self.new))
            low, high = np.where(seen, near[0], away[0]), np.where(seen, near[1], away[1])
            exponents.append(float(np.quantile(errors / np.where(errors > 0, high, low), LEVEL)))
        return round(max(TRANSFERRED["same_family"], *exponents), 2)


def _covered(held: HeldOut, group: Callable[[Measurement], str], evenly: bool, metric: str) -> tuple[float, float]:
    groups = (
        [zlib.crc32(group(row).encode()) % 10 for row in held.rows] if not evenly else [group(row) for row in held.rows]
    )
    engines = np.array(["" if evenly else row.engine for row in held.rows])
    inside, widths = 0, []
    for name in sorted(set(groups)):
        mine = np.array([other == name for other in groups])
        for engine in sorted(set(engines[mine])):
            rest, judged = held.take(~mine & (engines == engine)), held.take(mine & (engines == engine))
            low, high = bounds(rest.of(metric), _evenly(rest) if evenly else None)
            errors = np.exp(judged.of(metric))
            inside += int(((errors >= low) & (errors <= high)).sum())
            widths.append(high / low)
    return inside / len(held.rows), float(np.median(widths))


def related(held: HeldOut) -> HeldOut:
    """Rows whose architecture was measured under the same engine on another GPU too."""
    places: dict[str, set[str]] = {}
    for row in held.rows:
        places.setdefault(row.architecture_and_engine, set()).add(row.sku)
    return held.take(np.array([len(places[row.architecture_and_engine]) > 1 for row in held.rows]))


def bounds(errors: Column, weights: Column | None = None) -> list[float]:
    """Factors on an estimate between which LEVEL of the measurements lie, as many below as above."""
    weights = np.ones(len(errors)) if weights is None else weights
    order = np.argsort(errors, kind="stable")
    below = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    slack = 0.5 / len(errors)
    tails = max(0.0, (1 - LEVEL) / 2 - slack), min(1.0, (1 + LEVEL) / 2 + slack)
    low, high = (float(np.interp(tail, below, errors[order])) for tail in tails)
    return [float(f"{exp(min(low, 0.0)):.4g}"), float(f"{exp(max(high, 0.0)):.4g}")]


def _evenly(held: HeldOut) -> Column:
    """Weights by which every architecture under every engine counts the same, however often it was measured."""
    names: Sequence[str] = [row.architecture_and_engine for row in held.rows]
    counts = {name: names.count(name) for name in set(names)}
    return np.array([1 / counts[name] for name in names])
