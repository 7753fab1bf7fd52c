"""The profile data of planners and mocker workers: the workers' estimates over their whole range."""

from __future__ import annotations

import json
from typing import Any

import pytest

from profiler import estimate
from profiler.estimate import Points
from profiler.generate import Generated
from profiler.profile import Layout
from tests.profiler.generate import cases
from tests.profiler.generate.cases import DENSE, DEP8, MOE, TEP8, TP1, TP4

BY_SLA = {"planner": {"optimization_target": "sla"}}
MOCKED = {"mocker": {"enabled": True}}


def files(result: Generated) -> dict[str, Any]:
    (found,) = (d for d in result.documents if d["metadata"]["name"] == "planner-profile-data-chat")
    return {name: json.loads(text) for name, text in found["data"].items()}


def mounted(service: dict[str, Any]) -> bool:
    return any(mount["mountPath"] == "/workspace/profiling_results" for mount in mounts(service))


def mounts(service: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cases.container(service).get("volumeMounts", [])
    return found


@pytest.mark.parametrize("sku", ["h200_sxm", "l40s", "gb200_sxm", "mi300"])
def test_a_planner_has_curves_on_every_gpu(sku: str) -> None:
    """Upstream's tables know six systems, and its planner ends at its start on any other."""
    hardware = {"gpuSku": sku, "totalGpus": 32, "numGpusPerNode": 4}
    result = cases.generated("sglang", "disagg", TP4, features=BY_SLA, hardware=hardware)
    assert len(files(result)["prefill_raw_data.json"]["prefill_ttft"]) == 16
    assert mounted(cases.services(result)["Planner"])
    assert result.warnings == ()


@pytest.mark.parametrize("layout", [TP1, TP4])
def test_prefill_points_are_the_estimates(layout: Layout) -> None:
    data = files(cases.generated("vllm", "disagg", layout, features=BY_SLA))["prefill_raw_data.json"]
    gpu = cases.request().hardware.gpu
    points = Points.of(tp=layout.tp, isl=data["prefill_isl"], osl=1)
    expected = estimate.prefill(DENSE, gpu, "vllm", points).ttft_ms
    assert data["prefill_ttft"] == pytest.approx(expected.tolist(), rel=1e-4)
    rates = [isl / ttft * 1000 / layout.gpus for isl, ttft in zip(data["prefill_isl"], expected, strict=True)]
    assert data["prefill_thpt_per_gpu"] == pytest.approx(rates, rel=1e-4)


def test_engines_of_several_nodes_are_timed_over_the_network() -> None:
    usual = {"gpuSku": "h200_sxm", "totalGpus": 32}
    times = [
        files(cases.generated("sglang", "disagg", DEP8, model=MOE, features=BY_SLA, hardware=usual | nodes))
        for nodes in ({"numGpusPerNode": 8}, {"numGpusPerNode": 4})
    ]
    near, far = (data["decode_raw_data.json"]["z_itl"] for data in times)
    assert all(slow > fast for slow, fast in zip(far, near, strict=True))


def test_decode_points_hold_together() -> None:
    data = files(cases.generated("vllm", "disagg", TP1, TP4, features=BY_SLA))["decode_raw_data.json"]
    columns = [data[name] for name in ("x_kv_usage", "y_context_length", "z_itl", "z_thpt_per_gpu")]
    for usage, context, itl, rate in zip(*columns, strict=True):
        sequences = usage * data["max_kv_tokens"] / context
        assert 0 < usage <= 1
        assert 1 <= round(sequences) <= 64  # the scheduler's limit
        assert rate == pytest.approx(sequences / itl * 1000 / 4, rel=1e-3)
    assert len(columns[0]) == 36


def test_attention_ranks_prefill_apart() -> None:
    data = files(cases.generated("sglang", "disagg", DEP8, TEP8, model=MOE, features=BY_SLA))["prefill_raw_data.json"]
    (isl, ttft, rate) = (data[name][-1] for name in ("prefill_isl", "prefill_ttft", "prefill_thpt_per_gpu"))
    assert rate == pytest.approx(isl / ttft * 1000, rel=1e-3)  # eight ranks on eight GPUs


@pytest.mark.parametrize("mode", ["agg", "disagg"])
@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
def test_mocker_workers_imitate_the_gpu_that_was_chosen(engine: str, mode: Any) -> None:
    """Upstream's template always imitates one H200."""
    result = cases.generated(engine, mode, TP4, features=MOCKED)
    for service in cases.workers(result).values():
        args = cases.container(service)["args"]
        assert args[args.index("--planner-profile-data") + 1] == "/workspace/profiling_results"
        assert mounted(service)
    assert not mounted(cases.services(result)["Frontend"])


def test_nothing_is_mounted_where_nothing_reads_it() -> None:
    result = cases.generated("vllm", "disagg", features={"planner": {}})
    assert [document["metadata"]["name"] for document in result.documents] == ["planner-config-chat", "chat-dgd"]
    assert not mounted(cases.services(result)["Planner"])


def test_a_directory_of_ones_own_is_left_to_its_owner() -> None:
    planner = {"planner": {"optimization_target": "sla", "profile_results_dir": "/mine"}}
    result = cases.generated("sglang", "disagg", features=planner)
    assert not mounted(cases.services(result)["Planner"])
    assert len(result.documents) == 2
