"""Prefill and decode in pools of their own: which pools fit together, and how they perform.

The decode pool runs at its concurrency and so sets the rate; a prefill pool is sized to sustain that rate with some
head-room, and the time a prompt waits for it follows from its utilisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from profiler.search.columns import Engines, FloatColumn, IntColumn
from profiler.search.packing import replicas
from profiler.search.queueing import prefill_ms

if TYPE_CHECKING:
    from profiler.request import Hardware
    from profiler.search.layouts import Shape

# Decode engines in one unit: all small counts, then coarser, since a ratio of pools is what counts.
DECODE_COUNTS: Final = np.array([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32])
# Prefill pools are sized for these utilisations; beyond 0.9 a queue grows without bound on the least disturbance.
UTILISATIONS: Final = (0.9, 0.75, 0.5)
# A planner adds prefill engines by load, so one is judged at a load that leaves it time to react.
PLANNER_UTILISATION: Final = 0.6


@dataclass(frozen=True)
class Units:
    """What is replicated: one engine, or pools of prefill and decode engines that keep each other busy. Columns.

    `engine` and `prefill` are rows of the tables they were made of; an aggregated unit has no `prefill` (-1).
    """

    prefill: IntColumn
    engine: IntColumn
    prefill_workers: IntColumn
    workers: IntColumn
    gpus: IntColumn
    fit: IntColumn  # how many of the unit the nodes hold
    rate: FloatColumn  # requests/s that all its engines sustain
    ttft_ms: FloatColumn
    itl_ms: FloatColumn

    def take(self, rows: NDArray[Any]) -> Units:
        """The units of these rows (indices or a mask)."""
        return Units(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})

    def shifted(self, engine: int, prefill: int) -> Units:
        """The same units in terms of a table in which their engines start at these rows."""
        aggregated = self.prefill < 0
        return replace(self, engine=self.engine + engine, prefill=np.where(aggregated, -1, self.prefill + prefill))

    def with_fit(self, fit: IntColumn) -> Units:
        """The same units, so many of which fit."""
        return replace(self, fit=fit)

    def with_ttft(self, ttft_ms: FloatColumn) -> Units:
        """The same units with another TTFT."""
        return replace(self, ttft_ms=ttft_ms)

    @classmethod
    def stack(cls, parts: Sequence[Units]) -> Units:
        """All rows of all parts, in order."""
        return cls(**{c.name: np.concatenate([getattr(part, c.name) for part in parts]) for c in fields(cls)})


def pairs(prefill: Engines, decode: Engines, hardware: Hardware, *, equal_tp: bool = False) -> Units:
    """Every decode engine with every prefill engine, in all counts that fit the nodes and sustain one rate.

    The decode engines run at their concurrency; `ttft_ms` holds the wait and the prefill. `equal_tp`: only engines that
    split attention alike.
    """
    d, p = _together(prefill, decode, equal_tp)
    d, p, n_d = np.repeat(d, len(DECODE_COUNTS)), np.repeat(p, len(DECODE_COUNTS)), np.tile(DECODE_COUNTS, len(d))
    room = n_d * decode.gpus[d] + prefill.gpus[p] <= hardware.total_gpus
    d, p, n_d = d[room], p[room], n_d[room]
    busy = n_d * decode.requests_per_s[d] / prefill.requests_per_s[p]  # prefill engines it would keep wholly busy
    counts = [np.maximum(np.ceil(busy / rho), 1).astype(np.int64) for rho in UTILISATIONS]
    kept = []
    for i, n_p in enumerate(counts):
        fits = n_d * decode.gpus[d] + n_p * prefill.gpus[p] <= hardware.total_gpus
        fits &= np.gcd(n_p, n_d) == 1  # a multiple of a smaller unit is that unit, replicated
        if i:
            fits &= n_p != counts[i - 1]
        kept.append((p[fits], d[fits], n_p[fits], n_d[fits]))
    p, d, n_p, n_d = (np.concatenate(column) for column in zip(*kept, strict=True))
    rate = n_d * decode.requests_per_s[d]
    units = _unit(prefill, decode, p, d, n_p, n_d, rate, rate / (n_p * prefill.requests_per_s[p]))
    return _on_nodes(units, prefill, decode, hardware)


def single_pairs(prefill: Engines, decode: Engines, hardware: Hardware, *, equal_tp: bool = False) -> Units:
    """One prefill and one decode engine: where a planner starts before it scales the pools by load."""
    d, p = _together(prefill, decode, equal_tp)
    one = np.ones(len(d), dtype=np.int64)
    rate = np.minimum(decode.requests_per_s[d], PLANNER_UTILISATION * prefill.requests_per_s[p])
    units = _unit(prefill, decode, p, d, one, one, rate, np.full(len(d), PLANNER_UTILISATION))
    return _on_nodes(units, prefill, decode, hardware)


def counted_pairs(prefill: Engines, decode: Engines, hardware: Hardware, shape: Shape) -> Units:
    """Pools of the engine counts of `shape`, whichever of them limits the rate."""
    d, p = _together(prefill, decode, equal_tp=False)
    n_p, n_d = (np.full(len(d), count) for count in (shape.prefill_workers, shape.workers))
    most = UTILISATIONS[0] * n_p * prefill.requests_per_s[p]
    rate = np.minimum(n_d * decode.requests_per_s[d], most)
    units = _unit(prefill, decode, p, d, n_p, n_d, rate, UTILISATIONS[0] * rate / most)
    return _on_nodes(units, prefill, decode, hardware)


def _together(prefill: Engines, decode: Engines, equal_tp: bool) -> tuple[IntColumn, IntColumn]:
    """Rows of `decode` and of `prefill`: every pair."""
    d, p = (axis.ravel() for axis in np.indices((len(decode), len(prefill)), dtype=np.int64))
    if not equal_tp:
        return d, p
    alike = (prefill.gpus // prefill.dp)[p] == (decode.gpus // decode.dp)[d]
    return d[alike], p[alike]


def _on_nodes(units: Units, prefill: Engines, decode: Engines, hardware: Hardware) -> Units:
    fit = replicas(
        hardware,
        gpus=decode.gpus[units.engine],
        workers=units.workers,
        prefill_gpus=prefill.gpus[units.prefill],
        prefill_workers=units.prefill_workers,
    )
    return units.with_fit(fit).take(fit > 0)


def _unit(
    prefill: Engines,
    decode: Engines,
    p: IntColumn,
    d: IntColumn,
    n_p: IntColumn,
    n_d: IntColumn,
    rate: FloatColumn,
    utilisation: FloatColumn,
) -> Units:
    first = prefill_ms(utilisation, n_p, 1000.0 / prefill.requests_per_s[p], prefill.ttft_ms[p], prefill.concurrency[p])
    return Units(
        prefill=p,
        engine=d,
        prefill_workers=n_p,
        workers=n_d,
        gpus=n_p * prefill.gpus[p] + n_d * decode.gpus[d],
        fit=np.ones_like(n_d),
        rate=rate,
        ttft_ms=first,
        itl_ms=decode.itl_ms[d],
    )
