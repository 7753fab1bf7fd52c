"""How far a user's measurement reaches: what it says about the deployment that was measured, and about its neighbours.

The estimate of a deployment errs by a factor. Some of that factor belongs to the system (model, format of its weights,
GPU, engine) and is the same in every layout and under every load; some belongs to the layout, some to the load, the
rest is noise. `SHARES` says how much, as parts of the variance of the logarithm. From that follows everything else, as
the best linear prediction of a Gaussian field (kriging; Rasmussen & Williams 2006, eq. 2.25 and 2.26):

* a measurement d = log(measured / estimated) shifts another point of its system by a share of d: the system's, the
  layout's where the layout is the same, and the load's, less with every doubling of ISL, OSL or concurrency between;
* more measurements shift further, and outvote a lone outlier;
* the interval narrows by what is then known. Another system is not shifted at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from profiler.estimate import Estimates, FloatArray, Points
from profiler.points.questions import MODES, Mode

OUTLIER: Final = math.log(1.5)  # offsets further than this from the median of their system are pulled to it


class Shares(NamedTuple):
    """Parts of the variance of log(measured / estimated) that belong to the system, the layout and the load.

    `reach` is how many doublings of ISL, OSL and concurrency together halve the load's part.
    """

    system: float
    layout: float
    load: float
    reach: float

    @property
    def noise(self) -> float:
        """The rest: what a second run, another version or an option that nobody states would change."""
        return 1.0 - self.system - self.layout - self.load


# Near the maximum likelihood of the estimator's errors on the public measurements that its coefficients were fitted to
# (scripts/measured_shares.py), and on the careful side of it: no further than helps the other rows of a system, with
# intervals that still hold.
SHARES: Final = {"ttft_ms": Shares(0.05, 0.1, 0.5, 2), "itl_ms": Shares(0.25, 0.1, 0.4, 4)}


@dataclass(frozen=True)
class Place:
    """Where points lie: their layouts with the mode (n, 6), their loads as log2 of ISL, OSL and concurrency (n, 3)."""

    layout: FloatArray
    load: FloatArray

    @classmethod
    def of(cls, points: Points, mode: Mode) -> Place:
        """The place of each point. Values that no estimate has (below 1) count as 1."""
        kind = np.full(len(points), float(MODES.index(mode)))
        layout = np.stack([points.tp, points.pp, points.dp, points.moe_tp, points.moe_ep, kind], axis=1)
        load = np.stack([points.isl, points.osl, points.concurrency], axis=1)
        return cls(layout, np.log2(np.maximum(load, 1.0)))

    @classmethod
    def stack(cls, parts: Sequence[Place]) -> Place:
        """All places, in order."""
        return cls(np.concatenate([part.layout for part in parts]), np.concatenate([part.load for part in parts]))

    def kinship(self, other: Place, shares: Shares) -> FloatArray:
        """What the errors at these places (rows) and at those (columns) share."""
        same = (self.layout[:, None, :] == other.layout[None, :, :]).all(axis=2)
        doublings = np.abs(self.load[:, None, :] - other.load[None, :, :]).sum(axis=2)
        result: FloatArray = shares.system + shares.layout * same + shares.load * 2.0 ** (-doublings / shares.reach)
        return result


@dataclass(frozen=True)
class Evidence:
    """Measurements of one metric on one system: their places and log(measured / estimated)."""

    place: Place
    offsets: FloatArray
    shares: Shares

    def at(self, place: Place) -> tuple[FloatArray, FloatArray]:
        """For each point: the factor on the estimate, and the power that the interval's factors are raised to."""
        middle = np.median(self.offsets)
        offsets = np.clip(self.offsets, middle - OUTLIER, middle + OUTLIER)
        known = self.place.kinship(self.place, self.shares) + self.shares.noise * np.eye(len(offsets))
        kin = place.kinship(self.place, self.shares)
        weights = np.linalg.solve(known, kin.T).T
        left = 1.0 - (weights * kin).sum(axis=1)
        return np.exp(weights @ offsets), np.sqrt(np.clip(left, 0.0, 1.0))


@dataclass(frozen=True)
class Correction:
    """What was measured of one system, by metric; empty where nothing was."""

    evidence: Mapping[str, Evidence]

    def apply(self, estimates: Estimates, points: Points, mode: Mode = "agg") -> Estimates:
        """The estimates of `points`, shifted towards what was measured, with narrower intervals.

        Throughput follows from the times; memory stays. Rows without an answer stay as they are.
        """
        if not self.evidence:
            return estimates
        place = Place.of(points, mode)
        one = np.ones(len(points))
        ttft, ttft_power = self.evidence["ttft_ms"].at(place) if "ttft_ms" in self.evidence else (one, one)
        itl, itl_power = self.evidence["itl_ms"].at(place) if "itl_ms" in self.evidence else (one, one)
        e = estimates
        shifted = replace(
            e,
            ttft_ms=e.ttft_ms * ttft,
            ttft_p90_ms=e.ttft_p90_ms * ttft,
            ttft_low=e.ttft_ms * ttft * _ratio(e.ttft_low, e.ttft_ms) ** ttft_power,
            ttft_high=e.ttft_ms * ttft * _ratio(e.ttft_high, e.ttft_ms) ** ttft_power,
            itl_ms=e.itl_ms * itl,
            itl_low=e.itl_ms * itl * _ratio(e.itl_low, e.itl_ms) ** itl_power,
            itl_high=e.itl_ms * itl * _ratio(e.itl_high, e.itl_ms) ** itl_power,
            calibrated=True,
        )
        return _with_rates(e, shifted, points, mode)


def _with_rates(before: Estimates, after: Estimates, points: Points, mode: Mode) -> Estimates:
    """Rates in proportion to the time that a request takes (Little's law at a given concurrency)."""

    def taken(ttft: FloatArray, itl: FloatArray) -> FloatArray:
        first = ttft if mode != "decode" else 0.0 * ttft
        rest = (points.osl - 1) * itl if mode == "agg" else itl
        return first + rest

    usual = _ratio(taken(before.ttft_ms, before.itl_ms), taken(after.ttft_ms, after.itl_ms))
    slow = _ratio(taken(before.ttft_high, before.itl_high), taken(after.ttft_high, after.itl_high))
    fast = _ratio(taken(before.ttft_low, before.itl_low), taken(after.ttft_low, after.itl_low))
    return replace(
        after,
        requests_per_s=before.requests_per_s * usual,
        throughput_per_gpu=before.throughput_per_gpu * usual,
        throughput_low=np.minimum(before.throughput_low * slow, before.throughput_per_gpu * usual),
        throughput_high=np.maximum(before.throughput_high * fast, before.throughput_per_gpu * usual),
    )


def _ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    """a / b, 1 where there is nothing to divide (no answer, or a mode without this metric)."""
    empty = (a <= 0) | (b <= 0)
    result: FloatArray = np.where(empty, 1.0, a) / np.where(empty, 1.0, b)
    return result
