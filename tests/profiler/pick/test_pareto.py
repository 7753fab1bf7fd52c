"""The frontier is exact: held against the definition, point by point."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.pick import pareto
from profiler.pick.pareto import frontier

# Few distinct values, so that ties and duplicates are common.
COORDINATE = st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0, -1.0, float("nan"), float("inf"), float("-inf")])
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE), max_size=40)


def beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a != b


def by_definition(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    finite = {point for point in points if np.isfinite(point).all()}
    return sorted(point for point in finite if not any(beats(other, point) for other in finite))


@given(POINTS)
def test_frontier_is_the_points_that_no_other_beats(points: list[tuple[float, float]]) -> None:
    x, y = (np.array([point[axis] for point in points], dtype=float) for axis in (0, 1))
    found = frontier(x, y)
    assert [points[i] for i in found] == by_definition(points)


@given(POINTS)
def test_of_equal_points_the_first_stays(points: list[tuple[float, float]]) -> None:
    x, y = (np.array([point[axis] for point in points], dtype=float) for axis in (0, 1))
    assert [points.index(points[i]) for i in frontier(x, y)] == list(frontier(x, y))


@given(POINTS, st.integers(1, 10))
def test_blocks_change_nothing(points: list[tuple[float, float]], block: int) -> None:
    x, y = (np.array([point[axis] for point in points], dtype=float) for axis in (0, 1))
    with patch.object(pareto, "BLOCK", block):
        in_blocks = frontier(x, y)
    assert list(in_blocks) == list(frontier(x, y))


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        frontier(np.zeros(2), np.zeros(3))
