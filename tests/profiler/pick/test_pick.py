"""Which candidate wins, and what is said about the others."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds.errors import NoCandidate
from profiler.models import load
from profiler.pick.choice import Pick, choose
from profiler.pick.goals import goals
from profiler.request import Request, Sla
from profiler.search import candidates
from profiler.search.columns import Candidates
from tests.profiler.requests import DENSE, MLA, MOE, request


@cache
def searched(model: str, gpus: int, planner: bool = False) -> tuple[Request, Candidates]:
    features: dict[str, Any] = {"features": {"planner": {}}} if planner else {}
    asked = request(model, gpus, **features)
    return asked, candidates(asked, load(model))


def picked(gpus: int = 16, model: str = DENSE, **spec: Any) -> tuple[Candidates, Pick]:
    asked = request(model, gpus, **spec)
    found = candidates(asked, load(model))
    return found, choose(asked, found)


def test_default_is_the_most_throughput_that_keeps_both_latencies() -> None:
    found, pick = picked(sla={"ttft": 800, "itl": 40})
    allowed = (found.ttft_ms <= 800) & (found.itl_ms <= 40)
    assert pick.sla_met
    assert pick.winner.metrics.request_rate == pytest.approx(found.request_rate[allowed].max(), rel=1e-4)
    assert pick.winner.metrics.ttft_ms <= 800
    assert pick.winner.metrics.itl_ms <= 40


def test_load_match_takes_the_fewest_gpus_that_serve_the_load() -> None:
    found, pick = picked(workload={"requestRate": 2.0}, sla={"ttft": 800, "itl": 40})
    allowed = (found.ttft_ms <= 800) & (found.itl_ms <= 40) & (found.request_rate >= 2.0)
    assert pick.winner.gpus == found.gpus[allowed].min()
    assert pick.winner.metrics.request_rate >= 2.0


def test_concurrency_is_a_load_too() -> None:
    found, pick = picked(workload={"concurrency": 40}, sla={"ttft": 800, "itl": 40})
    allowed = (found.ttft_ms <= 800) & (found.itl_ms <= 40) & (found.concurrency >= 40)
    assert pick.winner.gpus == found.gpus[allowed].min()
    assert pick.winner.metrics.concurrency >= 40


def test_latency_end_to_end_is_one_limit() -> None:
    found, pick = picked(sla={"e2eLatency": 25_000})
    assert [target.name for target in pick.targets] == ["e2e_latency_ms"]
    assert pick.winner.metrics.e2e_latency_ms <= 25_000
    best = found.request_rate[found.e2e_latency_ms <= 25_000].max()
    assert pick.winner.metrics.request_rate == pytest.approx(best, rel=1e-4)


def test_optimizing_latency_finds_the_fastest_that_serves_the_load() -> None:
    found, pick = picked(workload={"requestRate": 2.0}, sla={"optimizationType": "latency"})
    allowed = (found.request_rate >= 2.0) & (found.ttft_ms <= 2000) & (found.itl_ms <= 30)
    assert pick.winner.metrics.e2e_latency_ms == pytest.approx(found.e2e_latency_ms[allowed].min(), rel=1e-4)
    _, throughput = picked(workload={"requestRate": 2.0})
    assert pick.winner.metrics.e2e_latency_ms < throughput.winner.metrics.e2e_latency_ms


def test_optimizing_latency_still_admits_more_than_one_sequence() -> None:
    _, pick = picked(sla={"optimizationType": "latency"})
    assert pick.winner.workers[-1].max_batch > 8


def test_the_closest_to_a_hopeless_target_can_still_serve_several_users() -> None:
    _, pick = picked(sla={"ttft": 50, "itl": 1})
    assert pick.winner.workers[-1].max_batch >= 4


def test_schedulers_admit_no_more_than_keep_the_itl() -> None:
    found, pick = picked(sla={"ttft": 20_000, "itl": 25}, backend="vllm")
    worker = pick.winner.workers[-1]
    table = found.engines
    same = (table.gpus == worker.layout.gpus) & (table.role == (0 if pick.winner.mode == "agg" else 2))
    assert table.itl_ms[same & (table.concurrency == worker.max_batch)] == pytest.approx(25, rel=0.15)
    assert np.all(table.itl_ms[same & (table.concurrency <= worker.max_batch)] <= 25)


def test_a_planner_gets_one_replica_of_independent_picks() -> None:
    asked, found = searched(DENSE, 16, planner=True)
    pick = choose(asked, found)
    assert [(worker.role, worker.replicas) for worker in pick.winner.workers] == [("prefill", 1), ("decode", 1)]
    engines = found.engines
    allowed = found.engine[(found.itl_ms <= 30) & (found.ttft_ms <= 2000)]
    best = allowed[np.argmax(engines.requests_per_s[allowed] / engines.gpus[allowed])]
    assert pick.winner.workers[1].layout == found.layouts[engines.layout[best]]


def test_a_planner_without_room_for_two_engines_scales_one_kind() -> None:
    _, pick = picked(2, DENSE, backend="vllm", features={"planner": {}})
    assert (pick.winner.mode, pick.winner.label) == ("agg", "vllm agg 1x TP2")


def test_a_planner_told_to_scale_pools_needs_room_for_both() -> None:
    with pytest.raises(NoCandidate, match="prefill and decode engines together need more GPUs than totalGpus"):
        picked(2, DENSE, backend="vllm", features={"planner": {"mode": "disagg"}})


def test_a_planner_for_one_mode_gets_that_mode() -> None:
    _, pick = picked(16, DENSE, features={"planner": {"mode": "agg"}})
    assert pick.winner.mode == "agg"
    assert pick.winner.workers[0].replicas == 1


def test_a_target_that_nothing_meets_gives_the_closest() -> None:
    found, pick = picked(sla={"ttft": 50, "itl": 5})
    assert not pick.sla_met
    worst = np.maximum(found.ttft_ms / 50, found.itl_ms / 5) - 1
    winner = max(pick.winner.metrics.ttft_ms / 50, pick.winner.metrics.itl_ms / 5) - 1
    assert winner <= worst.min() + 0.011  # whole percent
    assert [target.name for target in pick.targets if target.binding] == ["ttft_ms"]
    assert pick.warnings == (
        f"SLA not met by any configuration; closest: TTFT {pick.winner.metrics.ttft_ms:.0f} ms is "
        f"{100 * (pick.winner.metrics.ttft_ms / 50 - 1):.0f} % above the 50 ms asked",
    )


def test_a_load_beyond_the_budget_is_a_miss_and_never_no_replicas() -> None:
    _, pick = picked(workload={"requestRate": 100.0})
    assert not pick.sla_met
    assert pick.winner.gpus <= 16
    assert "load" in pick.warnings[0]


def test_the_limit_that_binds_is_the_one_without_which_more_is_possible() -> None:
    _, tight_itl = picked(sla={"ttft": 60_000, "itl": 12})
    assert [target.name for target in tight_itl.targets if target.binding] == ["itl_ms"]
    assert "limited by ITL" in tight_itl.why


def test_alternatives_cover_every_engine_and_mode_and_say_why_not() -> None:
    _, pick = picked(32, MOE)
    families = {(a.configuration.backend, a.configuration.mode) for a in pick.alternatives}
    families.add((pick.winner.backend, pick.winner.mode))
    assert families == {(backend, mode) for backend in ("vllm", "sglang", "trtllm") for mode in ("agg", "disagg")}
    assert all(alternative.why_not for alternative in pick.alternatives)
    labels = {worker.layout.label for a in pick.alternatives for worker in a.configuration.workers}
    assert {"TP8", "TEP8", "DEP8", "DEP32"} <= labels
    assert pick.alternatives[0].why_not.endswith("% less throughput")


def test_alternatives_say_what_holds_them() -> None:
    """Without that limit, the same engines in the same layout would do better."""
    _, pick = picked(sla={"ttft": 60_000, "itl": 15})
    met = [alternative for alternative in pick.alternatives if "above" not in alternative.why_not]
    assert {alternative.held_by for alternative in met} == {"ITL"}
    assert all(not alternative.held_by for alternative in pick.alternatives if "above" in alternative.why_not)


def test_alternatives_are_ranked() -> None:
    _, pick = picked(sla={"ttft": 800, "itl": 40})
    rates = [a.configuration.metrics.request_rate for a in pick.alternatives if "less throughput" in a.why_not]
    assert rates == sorted(rates, reverse=True)
    assert pick.winner not in [a.configuration for a in pick.alternatives]


def test_frontier_runs_from_throughput_to_speed() -> None:
    _, pick = picked(32, MLA)
    users = [point.metrics.throughput_per_user for point in pick.frontier]
    gpus = [point.metrics.throughput_per_gpu for point in pick.frontier]
    assert users == sorted(users)
    assert gpus == sorted(gpus, reverse=True)


def test_equals_are_decided_by_gpus_then_aggregation_then_engine() -> None:
    asked, found = searched(DENSE, 16)
    same = replace(
        found,
        ttft_ms=np.full(len(found), 100.0),
        itl_ms=np.full(len(found), 10.0),
        request_rate=np.full(len(found), 5.0),
        throughput_per_gpu=np.full(len(found), 50.0),
    )
    assert choose(asked, same).winner.gpus == found.gpus.min()
    pick = choose(asked, replace(same, gpus=np.full(len(found), 16)))
    assert (pick.winner.backend, pick.winner.mode) == ("vllm", "agg")
    assert [worker.layout.label for worker in pick.winner.workers] == ["TP2"]
    assert "equal" in pick.alternatives[0].why_not


def test_the_order_of_rows_does_not_matter() -> None:
    asked, found = searched(MOE, 16)
    columns = {f.name: getattr(found, f.name) for f in fields(found)}
    rows = {name: column[::-1] for name, column in columns.items() if isinstance(column, np.ndarray)}
    backwards = replace(found, **rows)
    assert choose(asked, backwards).winner == choose(asked, found).winner


@settings(max_examples=60, deadline=None)
@given(ttft=st.floats(1, 20_000), itl=st.floats(0.5, 200))
def test_no_candidate_within_the_limits_beats_the_pick(ttft: float, itl: float) -> None:
    asked, found = searched(DENSE, 16)
    asked = replace(asked, sla=Sla(ttft_ms=ttft, itl_ms=itl))
    pick = choose(asked, found)
    within = (found.ttft_ms <= ttft) & (found.itl_ms <= itl)
    assert pick.sla_met == bool(within.any())
    if pick.sla_met:
        assert pick.winner.metrics.request_rate >= found.request_rate[within].max() * (1 - 1e-4)
    assert pick.searched.feasible == np.count_nonzero(goals_met(asked, found))


def goals_met(asked: Request, found: Candidates) -> np.ndarray:
    return np.all([limit.miss == 0 for limit in goals(asked, found).limits], axis=0)


def test_nothing_fits_says_why_and_what_to_do() -> None:
    asked = request(DENSE, 1, sku="l4")
    with pytest.raises(NoCandidate, match="weights do not fit in GPU memory") as raised:
        choose(asked, candidates(asked, load(DENSE)))
    assert "quantised" in raised.value.next


def test_a_prompt_beyond_the_context_is_told_to_shrink() -> None:
    asked = request("Qwen/Qwen3-0.6B", 8, workload={"isl": 90_000})
    with pytest.raises(NoCandidate, match=r"lower spec\.workload\.isl"):
        choose(asked, candidates(asked, load(asked.model)))
