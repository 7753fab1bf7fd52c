"""Every generated argument list starts its engine: held against the tables of the engines' own parsers."""

from __future__ import annotations

from itertools import product

import pytest

from profiler.generate.deployment import Deployment
from profiler.models import Model
from profiler.profile import Layout, Mode
from tests.profiler.flags import Parsed, parse
from tests.profiler.generate import cases
from tests.profiler.generate.cases import DENSE, DEP8, DEP16, MOE, MOE_LAYOUTS, TEP8, TEP16, TP1, TP4, TP8

ENGINES = ("vllm", "sglang", "trtllm")
MODES: tuple[Mode, ...] = ("agg", "disagg")
DEPLOYED = [(DENSE, layout) for layout in (TP1, TP4, TP8)] + [(MOE, layout) for layout in MOE_LAYOUTS]
GRID = [
    pytest.param(engine, mode, model, layout, id=f"{engine}-{mode}-{layout.label}-{'moe' if model.is_moe else 'dense'}")
    for engine, mode, (model, layout) in product(ENGINES, MODES, DEPLOYED)
]
SIZES = {
    # GPUs, and which of them form one tensor-parallel group, as each engine counts.
    "vllm": lambda p: p.size("--tensor-parallel-size") * p.size("--data-parallel-size"),
    "sglang": lambda p: p.size("--tensor-parallel-size"),
    "trtllm": lambda p: p.size("--tensor-parallel-size"),
}


def parsed(engine: str, service: dict[str, object]) -> Parsed:
    return parse(engine, cases.container(service)["args"])


@pytest.mark.parametrize(("engine", "mode", "model", "layout"), GRID)
def test_the_engine_accepts_its_arguments(engine: str, mode: Mode, model: Model, layout: Layout) -> None:
    for service in cases.workers(cases.generated(engine, mode, layout, model=model)).values():
        assert parsed(engine, service).problems == []


@pytest.mark.parametrize(("engine", "mode", "model", "layout"), GRID)
def test_pods_hold_exactly_the_gpus_that_the_engine_uses(engine: str, mode: Mode, model: Model, layout: Layout) -> None:
    for service in cases.workers(cases.generated(engine, mode, layout, model=model)).values():
        limit = service["resources"]["limits"]["gpu"]
        assert isinstance(limit, str)
        assert 1 <= int(limit) <= 8
        nodes = service.get("multinode", {"nodeCount": 1})["nodeCount"]
        assert int(limit) * nodes == layout.gpus == SIZES[engine](parsed(engine, service))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("engine", "layout", "expected"),
    [
        ("vllm", TEP8, {"--tensor-parallel-size": "8", "--enable-expert-parallel": True}),
        ("vllm", TP8, {"--tensor-parallel-size": "8", "--enable-expert-parallel": None, "--data-parallel-size": None}),
        ("vllm", DEP8, {"--tensor-parallel-size": "1", "--data-parallel-size": "8", "--enable-expert-parallel": True}),
        ("vllm", DEP16, {"--data-parallel-size": "16", "--nnodes": None, "--data-parallel-size-local": None}),
        ("sglang", TEP16, {"--tp-size": "16", "--ep-size": "16", "--dp-size": None, "--enable-dp-attention": None}),
        ("sglang", DEP16, {"--tp-size": "16", "--dp-size": "16", "--enable-dp-attention": True, "--ep-size": "16"}),
        ("sglang", TP8, {"--tp-size": "8", "--ep-size": None}),
        ("trtllm", TEP8, {"--tensor-parallel-size": "8", "--expert-parallel-size": "8", "--enable-attention-dp": None}),
        ("trtllm", DEP16, {"--tensor-parallel-size": "16", "--enable-attention-dp": True, "--gpus-per-node": "8"}),
    ],
)
def test_moe_layouts_are_spelled_as_each_engine_reads_them(
    engine: str, layout: Layout, expected: dict[str, object], mode: Mode
) -> None:
    for service in cases.workers(cases.generated(engine, mode, layout, model=MOE)).values():
        values = parsed(engine, service).values
        assert {flag: values.get(flag) for flag in expected} == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_disaggregated_workers_say_which_role_they_have(engine: str) -> None:
    """Upstream 1.2.1 lost these flags: both workers then registered as aggregated (dynamo#11684)."""
    for service in cases.workers(cases.generated(engine, "disagg")).values():
        assert parsed(engine, service).values["--disaggregation-mode"] == service["subComponentType"]


@pytest.mark.parametrize(
    ("engine", "flag", "value"),
    [
        ("vllm", "--kv-transfer-config", '{"kv_connector":"NixlConnector","kv_role":"kv_both"}'),
        ("sglang", "--disaggregation-transfer-backend", "nixl"),
        ("sglang", "--host", "0.0.0.0"),
        ("trtllm", "--trtllm.cache_transceiver_config.backend", "DEFAULT"),
    ],
)
def test_both_roles_hand_the_kv_cache_over_in_the_same_way(engine: str, flag: str, value: str) -> None:
    split, whole = cases.generated(engine, "disagg"), cases.generated(engine, "agg")
    assert [parsed(engine, service).values.get(flag) for service in cases.workers(split).values()] == [value, value]
    assert [parsed(engine, service).values.get(flag) for service in cases.workers(whole).values()] == [None]


@pytest.mark.parametrize(
    ("engine", "flag"), [("vllm", "--max-model-len"), ("sglang", "--context-length"), ("trtllm", "--max-seq-len")]
)
@pytest.mark.parametrize(
    ("kv_tokens", "workload", "tokens"),
    [
        pytest.param(800_000, {"isl": 4000, "osl": 1000}, 10_000, id="twice the mean request"),
        pytest.param(8_000, {"isl": 4000, "osl": 1000}, 7_200, id="what the KV cache holds, with a margin"),
        pytest.param(800_000, {"isl": 30_000, "osl": 1000}, 40_960, id="what the model knows"),
        pytest.param(5_200, {"isl": 4000, "osl": 1000}, 5_000, id="never less than the mean request"),
    ],
)
def test_the_context_fits_workload_model_and_kv_cache(
    engine: str, flag: str, kv_tokens: int, workload: dict[str, int], tokens: int
) -> None:
    """Upstream 1.2.1 left it out on vLLM's prefill and decode workers, which then refused to start (dynamo#10104)."""
    request = cases.request(workload=workload)
    configuration = cases.configuration(engine, "disagg", kv_tokens=kv_tokens)
    result = cases.documents(request, DENSE, configuration)
    assert {parsed(engine, service).values[flag] for service in cases.workers(result).values()} == {str(tokens)}


def test_the_kv_cache_of_one_rank_bounds_the_context() -> None:
    configuration = cases.configuration("vllm", "agg", DEP8, kv_tokens=8 * 9_000)
    deployment = Deployment(cases.request(MOE), MOE, configuration)
    assert deployment.context_tokens == 8_100


@pytest.mark.parametrize(
    ("engine", "flag", "value"),
    [("vllm", "--max-num-seqs", "8"), ("sglang", "--max-running-requests", "64"), ("trtllm", "--max-batch-size", "8")],
)
def test_the_batch_limit_is_counted_as_the_engine_counts_it(engine: str, flag: str, value: str) -> None:
    """64 sequences over eight ranks: SGLang takes the sum and divides, the others take what one rank runs."""
    (service,) = cases.workers(cases.generated(engine, "agg", DEP8, model=MOE)).values()
    assert parsed(engine, service).values[flag] == value


def test_cuda_graphs_are_given_as_one_limit_and_not_as_a_list() -> None:
    """Upstream's list was unsorted and held duplicates."""
    (service,) = cases.workers(cases.generated("sglang")).values()
    values = parsed("sglang", service).values
    assert "--cuda-graph-bs" not in values
    assert values["--cuda-graph-max-bs"] == values["--max-running-requests"] == "64"


def test_tensorrt_llm_takes_prompts_longer_than_one_step() -> None:
    (service,) = cases.workers(cases.generated("trtllm")).values()
    assert parsed("trtllm", service).values["--trtllm.enable_chunked_prefill"] == "true"


@pytest.mark.parametrize(("engine", "value"), [("vllm", "fp8"), ("sglang", "fp8_e4m3")])
@pytest.mark.parametrize(("sku", "has_fp8"), [("h200_sxm", True), ("a100_sxm", False)])
def test_a_cache_in_fp8_is_asked_for_where_the_estimate_supposes_it(
    engine: str, value: str, sku: str, has_fp8: bool
) -> None:
    model = cases.replace(DENSE, quantization="fp8", kv_dtype="fp8")
    hardware = {"gpuSku": sku, "totalGpus": 8, "numGpusPerNode": 8}
    (service,) = cases.workers(cases.generated(engine, model=model, hardware=hardware)).values()
    read = parsed(engine, service)
    assert read.problems == []
    assert read.values.get("--kv-cache-dtype") == (value if has_fp8 else None)


def test_code_from_the_hub_runs_only_for_models_that_need_it() -> None:
    (trusted,) = cases.workers(
        cases.generated("vllm", "agg", TEP8, model=cases.replace(MOE, remote_code=True))
    ).values()
    (plain,) = cases.workers(cases.generated("vllm", "agg", TEP8, model=MOE)).values()
    assert "--trust-remote-code" in cases.container(trusted)["args"]
    assert "--trust-remote-code" not in cases.container(plain)["args"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_mocker_accepts_its_arguments(engine: str, mode: Mode) -> None:
    result = cases.generated(engine, mode, DEP8, model=MOE, features={"mocker": {"enabled": True}})
    for service in cases.workers(result).values():
        assert parsed("mocker", service).problems == []


def test_the_frontend_accepts_its_arguments() -> None:
    cache = {"pvcName": "models", "pvcModelPath": "qwen"}
    frontend = cases.services(cases.generated(modelCache=cache))["Frontend"]
    assert parsed("frontend", frontend).problems == []
