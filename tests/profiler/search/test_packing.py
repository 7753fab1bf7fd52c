"""Which engines fit onto nodes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.request import Hardware
from profiler.search.packing import replicas
from tests.profiler.requests import request


def nodes(gpus: int, per_node: int) -> Hardware:
    return request(gpus=gpus, per_node=per_node).hardware


def placed(hardware: Hardware, sizes: list[int]) -> bool:
    """Whether engines of these sizes fit, by trying every node for every engine, the largest first."""
    whole, rest = divmod(hardware.total_gpus, hardware.gpus_per_node)
    per_node = hardware.gpus_per_node
    free = tuple([per_node] * whole + [rest])
    for size in sorted(sizes, reverse=True):
        count = -(-size // per_node)
        if count > 1:
            empty = [i for i, room in enumerate(free) if room == per_node][:count]
            if len(empty) < count:
                return False
            free = tuple(0 if i in empty else room for i, room in enumerate(free))
            continue
        best = min((room for room in free if room >= size), default=None)
        if best is None:
            return False
        place = free.index(best)
        free = (*free[:place], best - size, *free[place + 1 :])
    return True


@pytest.mark.parametrize(
    ("gpus", "per_node", "engine", "expected"),
    [
        (16, 8, 4, 4),
        (12, 8, 8, 1),
        (12, 6, 4, 2),  # each node of six holds one engine of four
        (12, 6, 12, 1),
        (36, 4, 32, 1),
        (20, 8, 16, 1),
        (8, 8, 16, 0),
    ],
)
def test_an_engine_stays_inside_a_node_or_fills_nodes(gpus: int, per_node: int, engine: int, expected: int) -> None:
    assert int(replicas(nodes(gpus, per_node), gpus=engine, workers=1)) == expected


def test_columns_are_answered_at_once() -> None:
    found = replicas(nodes(24, 8), gpus=[8, 4], workers=[1, 3], prefill_gpus=[4, 8], prefill_workers=[2, 1])
    assert found.tolist() == [1, 1]


@settings(max_examples=200, deadline=None)
@given(
    per_node=st.sampled_from([1, 2, 4, 6, 8]),
    gpus=st.integers(1, 40),
    sizes=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    counts=st.tuples(st.integers(1, 4), st.integers(0, 4)),
)
def test_as_many_as_trying_every_node_finds(
    per_node: int, gpus: int, sizes: tuple[int, int], counts: tuple[int, int]
) -> None:
    inside = [n for n in (1, 2, 4) if n < per_node]
    known = [*inside, *(k * per_node for k in (1, 2, 3, 4))]
    worker, prefill = (known[index % len(known)] for index in sizes)
    unit = [worker] * counts[0] + [prefill] * counts[1]
    hardware = nodes(gpus, per_node)
    exact = next(n for n in itertools.count() if not placed(hardware, unit * (n + 1)))
    found = replicas(hardware, gpus=worker, workers=counts[0], prefill_gpus=prefill, prefill_workers=counts[1])
    assert int(found) == exact
