"""What the search covers, and what always holds of its rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds.vocabulary import Backend
from profiler.models import load
from profiler.pick.choice import worst_miss
from profiler.pick.goals import goals
from profiler.profile import Layout
from profiler.request import Request
from profiler.search import candidates, deployments
from profiler.search.columns import Candidates
from profiler.search.layouts import CUT_BLOCK, OVER_BUDGET, Shape, allowed
from profiler.search.packing import replicas
from tests.profiler.requests import DENSE, MLA, MOE, request


def labels(asked: Request, backend: Backend = Backend.VLLM) -> set[str]:
    return {layout.label for layout in allowed(load(asked.model), backend, asked.hardware).layouts}


def test_dense_models_use_tensor_parallelism_inside_a_node() -> None:
    assert labels(request(DENSE, gpus=32)) == {"TP1", "TP2", "TP4", "TP8"}


def test_moe_models_use_tp_tep_and_dep_over_up_to_four_nodes() -> None:
    found = labels(request(MOE, gpus=32))
    assert found == {"TP1"} | {f"{kind}{n}" for kind in ("TP", "TEP", "DEP") for n in (2, 4, 8, 16, 24, 32)}


def test_latent_attention_is_not_split_by_tensor_parallelism_alone() -> None:
    sizes = (2, 4, 8, 16, 24, 32)
    assert labels(request(MLA, gpus=32)) == {"TP1"} | {f"{kind}{n}" for kind in ("TEP", "DEP") for n in sizes}


def test_an_engine_over_nodes_fills_them() -> None:
    assert "DEP12" in labels(request(MOE, gpus=12, per_node=6))
    assert "DEP8" not in labels(request(MOE, gpus=12, per_node=6))


def test_an_engine_spans_a_rack_that_nvlink_joins() -> None:
    assert "DEP32" in labels(request(MLA, gpus=36, sku="gb200_sxm", per_node=4))
    assert "DEP32" not in labels(request(MLA, gpus=36, sku="h200_sxm", per_node=4))


def test_the_network_starts_where_the_nodes_of_the_request_end() -> None:
    small, large = (candidates(request(gpus=8, per_node=n, backend="vllm"), load(MOE)) for n in (4, 8))
    assert "DEP8" in {layout.label for layout in small.layouts}

    def fastest(found: Candidates) -> float:
        layout = found.layouts.index(Layout(dp=8, moe_ep=8))
        return float(found.itl_ms[found.engines.layout[found.engine] == layout].min())

    assert fastest(small) > fastest(large)


def test_sglang_hands_windowed_state_over_only_between_equal_tp() -> None:
    model = load("openai/gpt-oss-120b")
    for backend, mixed in (("sglang", False), ("vllm", True)):
        found = candidates(request(model.name, backend=backend), model)
        pools = np.flatnonzero(found.disaggregated)
        tp = np.array([layout.tp for layout in found.layouts])[found.engines.layout]
        assert np.any(tp[found.engine[pools]] != tp[found.prefill[pools]]) == mixed


def test_one_deployment_can_be_asked_for() -> None:
    shape = Shape(Layout(tp=4), 1, prefill=Layout(tp=2), prefill_workers=2)
    found = candidates(request(gpus=shape.gpus, backend="vllm"), load(DENSE), shape)
    assert len(found) > 20
    assert {found.configuration(row).label for row in range(len(found))} == {
        "vllm disagg 2x TP2 prefill + 1x TP4 decode"
    }
    capacity = 2 * found.engines.requests_per_s[found.prefill]
    assert np.all(found.request_rate <= 0.9 * capacity * (1 + 1e-6))


def test_layouts_over_the_budget_are_counted() -> None:
    found = allowed(load(DENSE), Backend.VLLM, request(DENSE, gpus=2).hardware)
    assert found.excluded == {OVER_BUDGET: 2}


def test_fp8_blocks_are_not_cut() -> None:
    asked = request("Qwen/Qwen3-235B-A22B-FP8")
    model = load(asked.model)
    assert model.expert_intermediate // 8 % 128 != 0
    assert "TP8" not in labels(asked)
    assert "TEP8" in labels(asked)
    assert allowed(model, Backend.SGLANG, asked.hardware).excluded[CUT_BLOCK] > 0
    assert "TP8" in labels(asked, Backend.TRTLLM)


def test_auto_searches_all_engines_in_both_modes() -> None:
    found = candidates(request(), load(DENSE))
    engine = found.engines.backend[found.engine]
    for index in range(3):
        modes = found.disaggregated[engine == index]
        assert modes.any()
        assert not modes.all()


def test_prefill_and_decode_may_differ_in_layout_and_count() -> None:
    found = candidates(request(backend="sglang"), load(DENSE))
    pools = np.flatnonzero(found.disaggregated)
    layouts = found.engines.layout
    assert np.any(layouts[found.engine[pools]] != layouts[found.prefill[pools]])
    assert np.any(found.workers[pools] != found.prefill_workers[pools])


@settings(max_examples=25, deadline=None)
@given(
    model=st.sampled_from([DENSE, MOE]),
    gpus=st.integers(1, 40),
    per_node=st.sampled_from([1, 4, 6, 8]),
    isl=st.integers(1, 20_000),
    osl=st.integers(1, 4_000),
    load_=st.sampled_from([{}, {"requestRate": 3.5}, {"concurrency": 17}]),
)
def test_every_row_is_a_deployment_within_the_budget(
    model: str, gpus: int, per_node: int, isl: int, osl: int, load_: dict[str, float]
) -> None:
    workload = {"isl": isl, "osl": osl, **load_}
    found = candidates(request(model, gpus, per_node=per_node, workload=workload, backend="vllm"), load(model))
    engines = found.engines
    assert np.all(found.replicas >= 1)
    assert np.all(found.gpus <= gpus)
    prefill_gpus = np.where(found.disaggregated, engines.gpus[found.prefill] * found.prefill_workers, 0)
    assert np.array_equal(found.gpus, found.replicas * (found.workers * engines.gpus[found.engine] + prefill_gpus))
    packed = replicas(
        request(model, gpus, per_node=per_node).hardware,
        gpus=engines.gpus[found.engine],
        workers=found.workers,
        prefill_gpus=engines.gpus[found.prefill],
        prefill_workers=found.prefill_workers,
    )
    assert np.all(found.replicas <= packed)
    for column in (found.ttft_ms, found.itl_ms, found.request_rate, found.throughput_per_gpu, found.concurrency):
        assert np.isfinite(column).all()
        assert np.all(column > 0)
    np.testing.assert_allclose(found.throughput_per_gpu * found.gpus, found.request_rate * osl, rtol=1e-5)


def test_no_engine_runs_more_than_its_kv_cache_holds() -> None:
    found = candidates(request(), load(DENSE))
    engines = found.engines.take(found.engine)
    assert np.all(engines.concurrency <= np.maximum(engines.max_concurrency, 1))
    assert found.ttft_ms.max() < 60_000


def test_prefill_keeps_up_with_decode() -> None:
    found = candidates(request(), load(DENSE))
    pools = np.flatnonzero(found.disaggregated)
    capacity = found.replicas * found.prefill_workers * found.engines.requests_per_s[found.prefill]
    assert np.all(found.request_rate[pools] <= 0.9 * capacity[pools] * (1 + 1e-6))


def test_replicas_are_what_the_load_needs() -> None:
    found = candidates(request(workload={"requestRate": 2.0}), load(DENSE))
    enough = found.request_rate >= 2.0 * (1 - 1e-6)
    several = found.replicas > 1
    one_less = found.request_rate * (found.replicas - 1) / found.replicas
    assert enough.any()
    assert np.all(one_less[several] < 2.0)


def test_a_planner_starts_from_one_engine_of_each_kind() -> None:
    found = candidates(request(features={"planner": {}}), load(DENSE))
    assert found.disaggregated.all()
    assert np.all(found.workers * found.prefill_workers * found.replicas == 1)


def rows(found: Candidates) -> list[tuple[float, ...]]:
    columns = (found.engine, found.prefill, found.workers, found.prefill_workers, found.replicas, found.ttft_ms)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(MOE, gpus=32, backend="sglang", workload={"requestRate": 5.0})
    whole = candidates(asked, load(MOE))
    monkeypatch.setattr(deployments, "PAIRS_AT_ONCE", 100)
    assert rows(candidates(asked, load(MOE))) == rows(whole)


@pytest.mark.parametrize("sla", [{"ttft": 400, "itl": 20}, {"e2eLatency": 15_000}])
def test_all_that_meet_the_targets_are_within_them(sla: dict[str, float]) -> None:
    asked = request(workload={"concurrency": 40}, sla=sla)
    whole, within = (candidates(asked, load(DENSE), within_targets=only) for only in (False, True))

    def met(found: Candidates) -> list[tuple[float, ...]]:
        limits = goals(asked, found).limits
        kept = found.take(worst_miss(limits, len(found)) == 0)
        return sorted(zip(kept.ttft_ms.tolist(), kept.itl_ms.tolist(), kept.request_rate.tolist(), strict=True))

    assert met(within) == met(whole) != []
    assert len(within) < len(whole)


def test_a_planners_mode_does_not_follow_from_the_targets() -> None:
    asked = request(features={"planner": {}}, sla={"ttft": 1, "itl": 1})
    assert len(candidates(asked, load(DENSE), within_targets=True)) == len(candidates(asked, load(DENSE)))


def test_what_was_excluded_is_counted_by_reason() -> None:
    found = candidates(request(gpus=1), load(DENSE))
    assert len(found) == 0
    assert found.excluded["weights do not fit in GPU memory"] > 0
    assert found.excluded[OVER_BUDGET] == 9


def test_a_million_gpus_are_only_a_number() -> None:
    found = candidates(request("Qwen/Qwen3-0.6B", gpus=1_000_000), load("Qwen/Qwen3-0.6B"))
    assert len(found) < 100_000
    assert found.gpus.max() == 1_000_000


def test_labels_tell_layouts_apart() -> None:
    found = candidates(request(MOE, gpus=32), load(MOE))
    assert len({layout.label for layout in found.layouts}) == len(found.layouts)
    assert all(isinstance(layout, Layout) for layout in found.layouts)
