"""What holds of every answer, whatever is asked: held on the deployment that is generated."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crds.errors import NoCandidate
from profiler import pipeline
from profiler.models import load
from profiler.pick.pareto import frontier
from profiler.search import candidates
from tests.profiler.requests import DENSE, MLA, MOE, request

MODELS = [DENSE, MOE, MLA, "Qwen/Qwen3-0.6B", "Qwen/Qwen3-235B-A22B-FP8", "openai/gpt-oss-120b"]
SLAS: list[dict[str, Any]] = [{}, {"ttft": 300, "itl": 15}, {"e2eLatency": 20_000}, {"optimizationType": "latency"}]
LOADS: list[dict[str, Any]] = [{}, {"requestRate": 4.5}, {"concurrency": 90}]
FEATURES: list[dict[str, Any]] = [{}, {"planner": {}}, {"planner": {"mode": "agg"}}]


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(MODELS),
    sku=st.sampled_from(["h100_sxm", "h200_sxm", "b200_sxm", "gb200_sxm", "l40s", "mi300"]),
    backend=st.sampled_from(["auto", "vllm", "sglang", "trtllm"]),
    gpus=st.integers(1, 72),
    per_node=st.sampled_from([1, 2, 4, 6, 8]),
    lengths=st.tuples(st.integers(1, 20_000), st.integers(1, 4_000)),
    sla=st.sampled_from(SLAS),
    load_=st.sampled_from(LOADS),
    features=st.sampled_from(FEATURES),
)
def test_an_answer_runs_on_the_hardware_that_was_given(
    model: str,
    sku: str,
    backend: str,
    gpus: int,
    per_node: int,
    lengths: tuple[int, int],
    sla: dict[str, Any],
    load_: dict[str, Any],
    features: dict[str, Any],
) -> None:
    workload = {"isl": lengths[0], "osl": lengths[1], **load_}
    spec = {"backend": backend, "workload": workload, "sla": sla, "features": features}
    asked = request(model, gpus, sku=sku, per_node=per_node, **spec)
    try:
        found = pipeline.profile(asked, load(model))
    except NoCandidate:
        return
    used = 0
    for service in found.documents[-1]["spec"]["services"].values():
        assert service["replicas"] >= 1
        per_pod = int(service.get("resources", {}).get("limits", {}).get("gpu", 0))
        assert per_pod <= per_node
        used += service["replicas"] * per_pod * service.get("multinode", {}).get("nodeCount", 1)
    assert 0 < used == found.profile.pick.gpus <= gpus
    users = [point.metrics.throughput_per_user for point in found.profile.frontier]
    rates = [point.metrics.throughput_per_gpu for point in found.profile.frontier]
    assert users == sorted(users)
    assert rates == sorted(rates, reverse=True)


@settings(max_examples=10, deadline=None)
@given(model=st.sampled_from(MODELS), gpus=st.integers(2, 16))
def test_the_frontier_of_a_search_is_what_comparing_all_pairs_finds(model: str, gpus: int) -> None:
    found = candidates(request(model, gpus, sku="b200_sxm", backend="vllm"), load(model))
    points = list(zip(found.throughput_per_user.tolist(), found.throughput_per_gpu.tolist(), strict=True))[:400]
    exact = {a for a in points if not any(b[0] >= a[0] and b[1] >= a[1] and b != a for b in points)}
    rows = frontier(found.throughput_per_user[:400], found.throughput_per_gpu[:400])
    assert {points[row] for row in rows} == exact
    assert len(rows) == len(exact)
