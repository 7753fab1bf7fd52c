"""How far a planner can scale what it starts with."""

from __future__ import annotations

from typing import Any

import numpy as np

from profiler.models import load
from profiler.pick.choice import choose
from profiler.pick.scaling import reachable_rate
from profiler.request import Request
from profiler.search import candidates
from profiler.search.columns import Candidates
from tests.profiler.requests import DENSE, request


def searched(gpus: int = 16, mode: str = "disagg", **spec: Any) -> tuple[Request, Candidates]:
    asked = request(DENSE, gpus, features={"planner": {"mode": mode}}, **spec)
    return asked, candidates(asked, load(DENSE))


def test_both_pools_are_scaled_within_the_budget() -> None:
    _, found = searched()
    engines = found.engines
    for row in np.flatnonzero(found.disaggregated)[::7]:
        decode, prefill = found.engine[row], found.prefill[row]
        best = 0.0
        for prompts in range(1, 17):
            for tokens in range(1, 17):
                if prompts * engines.gpus[prefill] + tokens * engines.gpus[decode] <= 16:
                    rate = min(prompts * engines.requests_per_s[prefill], tokens * engines.requests_per_s[decode])
                    best = max(best, float(rate))
        assert reachable_rate(found, int(row), 16) == best


def test_an_aggregated_engine_is_scaled_to_all_gpus() -> None:
    _, found = searched(mode="agg")
    row = int(np.flatnonzero(~found.disaggregated)[0])
    engine = found.engine[row]
    assert reachable_rate(found, row, 17) == 17 // found.engines.gpus[engine] * found.engines.requests_per_s[engine]


def test_a_load_beyond_reach_is_warned_about_and_one_within_is_not() -> None:
    over = choose(*searched(workload={"requestRate": 1000}))
    within = choose(*searched(workload={"requestRate": 0.1}))
    assert "can scale to about" in over.warnings[0]
    assert "but 1000 were asked" in over.warnings[0]
    assert within.warnings == ()


def test_requests_in_flight_are_a_load_too() -> None:
    assert "requests in flight" in choose(*searched(workload={"concurrency": 100_000})).warnings[0]
