"""The Pareto frontier of two quantities that are both to be maximised."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 65_536  # points at a time: sorting them stays in the CPU's cache, and memory small


def frontier(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.int64]:
    """Indices of the points that no other point beats, ascending in `x` and so descending in `y`.

    A point beats another when it is at least as good in both coordinates and better in one. Points with a coordinate
    that is not finite are left out; of equal points the first one stays. O(n log n).
    """
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"x and y must be columns of one length, got {x.shape} and {y.shape}")
    if len(x) <= BLOCK:
        return _frontier(x, y)
    starts = range(0, len(x), BLOCK)  # what is beaten within its block is beaten
    rows = np.concatenate([start + np.sort(_frontier(x[start:][:BLOCK], y[start:][:BLOCK])) for start in starts])
    return rows[_frontier(x[rows], y[rows])]


def _frontier(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.int64]:
    finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    # A stable sort, so that the answer is the same whichever sort the CPU's instruction set selects.
    descending = finite[np.argsort(-x[finite], kind="stable")]
    survivors = _rising(descending, y)
    if np.any(x[survivors[1:]] == x[survivors[:-1]]):
        # Among equal x, a lower y that came before a higher one has survived: sort the few that are left exactly.
        survivors = _rising(survivors[np.lexsort((survivors, -y[survivors], -x[survivors]))], y)
    return survivors[::-1]


def _rising(order: NDArray[np.int64], y: NDArray[Any]) -> NDArray[np.int64]:
    """The members of `order` whose y is above that of all before them."""
    heights = y[order]
    best_before = np.concatenate(([-np.inf], np.maximum.accumulate(heights)[:-1])) if len(order) else heights
    return order[heights > best_before]
