"""The planner: its configuration says what the request and the deployment say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crds.errors import InvalidRequest
from profiler.generate.planner_keys import CHOICES, KEYS, OLD_NAMES
from tests.profiler.flags import DATA
from tests.profiler.generate import cases
from tests.profiler.generate.cases import DEP8, DEP16, MOE, TP1, TP4

SCHEMA = json.loads((DATA / "planner-config.schema.json").read_text(encoding="utf-8"))
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None), "object": dict}
BY_SLA = {"optimization_target": "sla"}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value fits the few keywords of JSON Schema that the planner's schema uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return any(fits(value, option) for option in schema["anyOf"])
    if not isinstance(value, TYPES[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean"):
        return False
    if isinstance(value, dict):
        known = schema["properties"]
        whole = set(schema.get("required", ())) <= set(value) <= set(known)
        return whole and all(fits(item, known[key]) for key, item in value.items())
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        return False
    return value in schema.get("enum", [value])


def config(planner: dict[str, Any], backend: str = "vllm", mode: Any = "disagg", *layouts: Any, **spec: Any) -> Any:
    features = {"planner": planner} | spec.pop("features", {})
    result = cases.generated(backend, mode, *layouts, features=features, **spec)
    return json.loads(result.documents[0]["data"]["planner_config.json"])


@pytest.mark.parametrize("backend", ["vllm", "sglang", "trtllm"])
@pytest.mark.parametrize("mode", ["agg", "disagg"])
@pytest.mark.parametrize("planner", [{}, BY_SLA, {"ttft": 300, "min_endpoint": 2, "advisory": True}])
def test_the_planner_reads_what_it_is_given(planner: dict[str, Any], mode: Any, backend: str) -> None:
    assert fits(config(planner, backend, mode), SCHEMA)


def test_the_known_keys_are_those_of_the_planner() -> None:
    accepted = {name for key, row in SCHEMA["properties"].items() for name in row.get("x-accepted-names", [key])}
    assert accepted == set(KEYS) | set(OLD_NAMES)


def test_the_request_completes_the_configuration() -> None:
    """Upstream 1.2.1 left the planner at its defaults: 500 ms, 50 ms, a budget of 8 GPUs, vllm, disagg, no model."""
    found = config({}, "sglang", "disagg", TP1, TP4, sla={"ttft": 800, "itl": 20})
    assert found == {
        "ttft_ms": 800.0,
        "itl_ms": 20.0,
        "max_gpu_budget": 32,
        "prefill_engine_num_gpu": 1,
        "decode_engine_num_gpu": 4,
        "backend": "sglang",
        "mode": "disagg",
        "model_name": "Qwen/Qwen3-32B",
    }


def test_what_the_user_says_wins() -> None:
    found = config({"ttft": 900, "itl_ms": 15, "max_gpu_budget": 12}, sla={"ttft": 800, "itl": 20})
    assert (found["ttft_ms"], found["itl_ms"], found["max_gpu_budget"]) == (900, 15, 12)
    assert "ttft" not in found


def test_an_end_to_end_target_becomes_the_latencies_of_the_pick() -> None:
    found = config({}, sla={"e2eLatency": 20_000})
    assert (found["ttft_ms"], found["itl_ms"]) == (310.25, 18.5)


def test_unknown_keys_are_warned_about_one_by_one() -> None:
    result = cases.generated(features={"planner": {"plannerMinEndpoint": 2, "turbo": True, "min_endpoint": 1}})
    assert result.warnings == (
        'features.planner.plannerMinEndpoint: the planner has no such key and ignores it; did you mean "min_endpoint"?',
        "features.planner.turbo: the planner has no such key and ignores it",
    )


def test_a_value_that_would_end_the_planner_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        cases.generated(features={"planner": {"optimization_target": "slo"}})
    assert str(refused.value) == (
        'the planner cannot start with this: spec.features.planner.optimization_target: Unsupported value: "slo": '
        'supported values: "throughput", "latency", "sla"; did you mean "sla"?'
    )


def test_the_known_choices_are_those_of_the_planner() -> None:
    for key, choices in CHOICES.items():
        row = SCHEMA["properties"][key]
        listed = row.get("enum") or SCHEMA["$defs"]["PlannerPreDeploymentSweepMode"]["enum"]
        assert set(choices) == set(listed)


def test_a_planner_that_contradicts_the_deployment_is_corrected() -> None:
    result = cases.generated("sglang", "agg", features={"planner": {"backend": "vllm", "mode": "agg"}})
    assert json.loads(result.documents[0]["data"]["planner_config.json"])["backend"] == "sglang"
    assert result.warnings == ('features.planner.backend: "vllm" is not what is deployed; using "sglang"',)


def test_disabled_is_disabled() -> None:
    """Upstream 1.2.1 took the presence of `features.planner` for a yes, `enabled: false` included."""
    result = cases.generated(features={"planner": {"enabled": False, "mode": "agg"}})
    assert len(result.documents) == 1
    assert "Planner" not in cases.services(result)
    assert "enabled" not in config({"enabled": True})


@pytest.mark.parametrize(
    ("backend", "worker"), [("vllm", "VllmDecodeWorker"), ("sglang", "decode"), ("trtllm", "TRTLLMWorker")]
)
def test_the_planner_finds_the_worker_of_an_aggregated_deployment(backend: str, worker: str) -> None:
    planned = cases.services(cases.generated(backend, "agg", features={"planner": {}}))[worker]
    assert planned["subComponentType"] == "decode"
    assert planned["scalingAdapter"] == {"enabled": True}
    free = cases.services(cases.generated(backend, "agg"))[worker]
    assert not {"subComponentType", "scalingAdapter"} & set(free)


def test_the_planner_mounts_its_configuration() -> None:
    result = cases.generated("vllm", "disagg", features={"planner": {}})
    pod = cases.services(result)["Planner"]["extraPodSpec"]
    assert pod["volumes"] == [{"name": "planner-config", "configMap": {"name": "planner-config-chat"}}]
    (mount,) = pod["mainContainer"]["volumeMounts"]
    assert pod["mainContainer"]["args"] == ["--config", f"{mount['mountPath']}/planner_config.json"]


def test_vllm_workers_measure_themselves_for_the_planner() -> None:
    result = cases.generated("vllm", "disagg", features={"planner": {}})
    modes = {name: {env["name"]: env.get("value") for env in s["envs"]} for name, s in cases.workers(result).items()}
    assert modes["VllmPrefillWorker"]["DYN_BENCHMARK_MODE"] == "prefill"
    assert modes["VllmDecodeWorker"]["DYN_BENCHMARK_MODE"] == "decode"


def test_throughput_scaling_gets_curves_for_the_layouts_that_are_deployed() -> None:
    curves = config(BY_SLA, "sglang", "disagg", DEP8, DEP16, model=MOE)["aic_interpolation"]
    assert curves["system"] == "h200_sxm"
    assert curves["prefill_pick"] == {"tp": 1, "pp": 1, "dp": 8, "moe_tp": 1, "moe_ep": 8}
    assert curves["decode_pick"] == {"tp": 1, "pp": 1, "dp": 16, "moe_tp": 1, "moe_ep": 16}
    assert "aic_interpolation" not in config({}, "sglang", "disagg", DEP8, DEP16, model=MOE)


def test_gb200_goes_by_the_name_that_the_tables_have() -> None:
    hardware = {"gpuSku": "gb200_sxm", "totalGpus": 32, "numGpusPerNode": 4}
    assert config(BY_SLA, "trtllm", hardware=hardware)["aic_interpolation"]["system"] == "gb200"


def test_a_model_that_this_gpu_cannot_hold_leaves_nothing_to_scale_by_and_that_is_said() -> None:
    hardware = {"gpuSku": "t4", "totalGpus": 8, "numGpusPerNode": 8}
    result = cases.generated("sglang", "disagg", TP1, features={"planner": BY_SLA}, hardware=hardware)
    assert result.warnings == (
        "features.planner: no estimates to scale throughput by; set enable_load_scaling instead",
    )
    assert [document["metadata"]["name"] for document in result.documents] == ["planner-config-chat", "chat-dgd"]


def test_every_key_has_the_type_that_the_planner_reads() -> None:
    names = {"integer": "integer", "number": "number", "boolean": "boolean", "string": "string"}
    for key, kind in KEYS.items():
        row = SCHEMA["properties"][key]
        types = {row.get("type")} | {option.get("type") for option in row.get("anyOf", ())}
        assert names.get(kind) in types or "$ref" in str(row), key


@pytest.mark.parametrize(
    ("planner", "message"),
    [
        ({"max_gpu_budget": "many"}, 'max_gpu_budget: Invalid value: "many": must be a whole number'),
        ({"max_gpu_budget": 7.5}, "max_gpu_budget: Invalid value: 7.5: must be a whole number"),
        ({"max_gpu_budget": -2}, "max_gpu_budget: Invalid value: -2: must be at least -1"),
        ({"min_endpoint": True}, "min_endpoint: Invalid value: true: must be a whole number"),
        ({"ttft": 0}, "ttft: Invalid value: 0: must be greater than 0"),
        ({"itl_ms": "fast"}, 'itl_ms: Invalid value: "fast": must be a number'),
        ({"advisory": "yes"}, 'advisory: Invalid value: "yes": must be true or false'),
        ({"fpm_sample_bucket_size": 15}, "fpm_sample_bucket_size: Invalid value: 15: must be a square number, as 16"),
        ({"report_interval_hours": 0}, "report_interval_hours: Invalid value: 0: must be greater than 0"),
        ({"aic_interpolation": 3}, "aic_interpolation: Invalid value: 3: must be an object"),
        (
            BY_SLA | {"enable_throughput_scaling": False},
            "enable_throughput_scaling: Invalid value: false: the planner scales by nothing; set this or "
            "enable_load_scaling to true",
        ),
        (
            BY_SLA | {"pre_deployment_sweeping_mode": "none"},
            'pre_deployment_sweeping_mode: Invalid value: "none": throughput scaling needs rapid or thorough, or '
            "enable_throughput_scaling: false",
        ),
        (
            BY_SLA | {"enable_load_scaling": True, "load_adjustment_interval": 200},
            "load_adjustment_interval_seconds: Invalid value: 200: must be less than "
            "throughput_adjustment_interval_seconds (180)",
        ),
        (
            {"environment": "global-planner"},
            'environment: Invalid value: "global-planner": needs global_planner_namespace',
        ),
    ],
)
def test_values_that_would_end_the_planners_pod_are_refused(planner: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        cases.generated(features={"planner": planner})
    assert str(refused.value) == f"the planner cannot start with this: spec.features.planner.{message}"


def test_a_predictor_that_the_planner_lacks_is_left_out_with_a_warning() -> None:
    """NVIDIA's guide shows `load_predictor: linear`, with which the planner of 1.2 ends at its start."""
    result = cases.generated(features={"planner": {"load_predictor": "linear"}})
    assert "load_predictor" not in json.loads(result.documents[0]["data"]["planner_config.json"])
    assert result.warnings == (
        'features.planner.load_predictor: the planner knows arima, constant, kalman, prophet; "linear" is left out',
    )


def test_the_mocker_is_planned_without_gpus() -> None:
    found = config({}, "vllm", "disagg", TP1, TP4, features={"mocker": {"enabled": True}})
    assert (found["backend"], found["prefill_engine_num_gpu"], found["decode_engine_num_gpu"]) == ("mocker", 1, 4)
