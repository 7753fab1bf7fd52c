"""The deployment as a whole: what the operator and the planner rely on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from crds import schema
from crds import vocabulary as v
from profiler.generate import annotated
from tests.profiler.generate import cases
from tests.profiler.generate.cases import DENSE, DEP16, MOE, TEP16, TP1, TP4

ENGINES = ("vllm", "sglang", "trtllm")
MODES = ("agg", "disagg")
EVERY = tuple(product(ENGINES, MODES))
TOLERATIONS = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
EVERYTHING = {
    "features": {"planner": {"optimization_target": "sla"}},
    "modelCache": {"pvcName": "models"},
    "overrides": {
        "profilingJob": {"template": {"spec": {"tolerations": TOLERATIONS}}},
        "dgd": {"spec": {"envs": [{"name": "A", "value": "b"}], "priorityClassName": None}},
    },
}


def nodes_of(value: Any) -> Iterator[Any]:
    """Every value inside a document, itself included."""
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from nodes_of(item)


@pytest.mark.parametrize(("engine", "mode"), EVERY)
def test_documents_hold_no_nulls_and_share_no_objects(engine: str, mode: Any) -> None:
    everything = list(nodes_of(list(cases.generated(engine, mode, DEP16, model=MOE, **EVERYTHING).documents)))
    containers = [id(value) for value in everything if isinstance(value, dict | list)]
    assert None not in everything
    assert len(containers) == len(set(containers))


@pytest.mark.parametrize("mocker", [False, True])
@pytest.mark.parametrize(("engine", "mode"), EVERY)
def test_the_api_server_takes_the_deployment(engine: str, mode: Any, mocker: bool) -> None:
    spec = EVERYTHING | {"features": {"planner": {}, "mocker": {"enabled": mocker}}}
    for layout in (TP4, DEP16):
        assert schema.check(cases.generated(engine, mode, layout, model=MOE, **spec).documents[-1]) == []


@pytest.mark.parametrize(("engine", "mode"), EVERY)
def test_the_same_request_gives_the_same_bytes(engine: str, mode: Any) -> None:
    first, second = (json.dumps(cases.generated(engine, mode, **EVERYTHING).documents) for _ in range(2))
    assert first == second


def test_generating_changes_no_request() -> None:
    request = cases.request(**EVERYTHING)
    before = json.dumps([request.planner, request.overrides_dgd, request.tolerations])
    result = cases.documents(request, DENSE, cases.configuration())
    for value in nodes_of(list(result.documents)):
        if isinstance(value, dict):
            value.clear()
    assert json.dumps([request.planner, request.overrides_dgd, request.tolerations]) == before


def test_configmaps_come_first_and_the_deployment_last() -> None:
    kinds = [document["kind"] for document in cases.generated(**EVERYTHING).documents]
    assert kinds[:-1] == ["ConfigMap"] * (len(kinds) - 1)
    assert kinds[-1] == "DynamoGraphDeployment"


def test_everything_is_found_by_the_request() -> None:
    for document in cases.generated(**EVERYTHING).documents:
        assert document["metadata"]["labels"] == {
            "dgdr.nvidia.com/name": "chat",
            "dgdr.nvidia.com/namespace": "team-a",
            "nvidia.com/managed-by": "dynamo-operator",
        }
        assert "chat" in document["metadata"]["name"]
        assert "namespace" not in document["metadata"]


@pytest.mark.parametrize(("engine", "mode"), EVERY)
def test_services_are_what_the_operator_expects(engine: str, mode: Any) -> None:
    result = cases.generated(engine, mode)
    dgd = result.documents[-1]
    assert dgd["apiVersion"] == "nvidia.com/v1alpha1"
    assert dgd["spec"]["backendFramework"] == engine
    assert next(iter(cases.services(result))) == "Frontend"
    for service in cases.workers(result).values():
        assert cases.container(service)["command"] == ["python3", "-m", f"dynamo.{engine}"]
        assert "serviceAccountName" not in service["extraPodSpec"]
        assert not {key for key in service if key.endswith("Probe")}
        arguments = cases.container(service)["args"]
        assert arguments[arguments.index("--served-model-name") + 1] == DENSE.name


@pytest.mark.parametrize(
    ("engine", "agg", "disagg"),
    [
        ("vllm", ["VllmDecodeWorker"], ["VllmPrefillWorker", "VllmDecodeWorker"]),
        ("sglang", ["decode"], ["prefill", "decode"]),
        ("trtllm", ["TRTLLMWorker"], ["prefill", "decode"]),
    ],
)
def test_workers_on_one_node_have_the_names_that_overrides_use(engine: str, agg: list[str], disagg: list[str]) -> None:
    assert list(cases.workers(cases.generated(engine, "agg"))) == agg
    assert list(cases.workers(cases.generated(engine, "disagg"))) == disagg


def test_vllm_over_several_nodes_has_short_names_and_no_ray() -> None:
    """Grove refuses a multinode service of 17 characters, and without the annotation the launcher may be Ray."""
    result = cases.generated("vllm", "disagg", TEP16, model=MOE)
    assert list(cases.workers(result)) == ["prefill", "decode"]
    assert result.documents[-1]["metadata"]["annotations"] == {v.ANNOTATION_VLLM_EXECUTOR: "mp"}
    assert "annotations" not in cases.generated("vllm", "disagg").documents[-1]["metadata"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layout", [TEP16, DEP16], ids=lambda layout: layout.label)
def test_data_parallel_engines_span_nodes_too(engine: str, layout: Any) -> None:
    """Upstream 1.2.1 counted tp * pp only: a DEP16 engine got one node of eight GPUs (dynamo#8567)."""
    for service in cases.workers(cases.generated(engine, "disagg", layout, model=MOE)).values():
        assert (service["multinode"], service["resources"]["limits"]["gpu"]) == ({"nodeCount": 2}, "8")


def test_nodes_share_an_engine_evenly() -> None:
    layout = cases.replace(TP1, tp=12)
    (service,) = cases.workers(cases.generated("vllm", "agg", layout)).values()
    assert (service["multinode"]["nodeCount"], service["resources"]["limits"]["gpu"]) == (2, "6")


def test_shared_memory_grows_with_the_gpus_of_a_pod() -> None:
    def size(layout: Any) -> Any:
        (service,) = cases.workers(cases.generated("vllm", "agg", layout)).values()
        return service.get("sharedMemory")

    assert [size(TP1), size(TP4), size(TEP16)] == [None, {"size": "40Gi"}, {"size": "80Gi"}]


def test_amd_gpus_are_asked_for_by_their_own_name() -> None:
    hardware = {"gpuSku": "mi300", "totalGpus": 8, "numGpusPerNode": 8}
    (service,) = cases.workers(cases.generated("vllm", hardware=hardware)).values()
    assert service["resources"]["limits"] == {"gpu": "4", "gpuType": "amd.com/gpu"}


def test_replicas_are_those_of_the_configuration() -> None:
    configuration = cases.configuration("sglang", "disagg", replicas=3)
    result = cases.documents(cases.request(), DENSE, configuration)
    assert [service["replicas"] for service in cases.services(result).values()] == [1, 3, 3]


def test_the_token_is_optional() -> None:
    """`envFromSecret` makes pods wait for ever where the secret does not exist, even for a model that needs none."""
    for service in cases.services(cases.generated()).values():
        (token,) = service["envs"]
        assert token["name"] == "HF_TOKEN"
        assert token["valueFrom"]["secretKeyRef"] == {"name": "hf-token-secret", "key": "HF_TOKEN", "optional": True}
        assert "envFromSecret" not in service


def test_tolerations_reach_every_service() -> None:
    """Upstream wrote them as YAML anchors and aliases of one object; here each service has its own."""
    for service in cases.services(cases.generated("vllm", "disagg", **EVERYTHING)).values():
        assert service["extraPodSpec"]["tolerations"] == TOLERATIONS


def test_a_checkpoint_in_the_cache_is_served_under_the_name_of_the_model() -> None:
    cache = {"pvcName": "models", "pvcModelPath": "qwen/32b", "pvcMountPath": "/models"}
    result = cases.generated(modelCache=cache)
    assert result.documents[-1]["spec"]["pvcs"] == [{"name": "models", "create": False}]
    for service in cases.services(result).values():
        assert service["volumeMounts"] == [{"name": "models", "mountPoint": "/models"}]
        assert "HF_HOME" not in {env["name"] for env in service["envs"]}
    services = cases.services(result)
    frontend = cases.container(services["Frontend"])
    assert frontend["command"] == ["python3", "-m", "dynamo.frontend"]
    assert frontend["args"] == ["--model-name", "Qwen/Qwen3-32B", "--model-path", "/models/qwen/32b"]
    worker = cases.container(services["VllmDecodeWorker"])["args"]
    assert worker[:4] == ["--model", "/models/qwen/32b", "--served-model-name", "Qwen/Qwen3-32B"]


def test_a_cache_without_a_path_holds_downloads() -> None:
    """Upstream 1.2.1 served the root of the mount as if it were a checkpoint (dynamo#8568)."""
    result = cases.generated(modelCache={"pvcName": "models", "pvcMountPath": "/models"})
    for service in cases.services(result).values():
        assert {"name": "HF_HOME", "value": "/models"} in service["envs"]
    assert cases.container(cases.services(result)["VllmDecodeWorker"])["args"][:2] == ["--model", "Qwen/Qwen3-32B"]
    assert "args" not in cases.container(cases.services(result)["Frontend"])


@pytest.mark.parametrize("mode", MODES)
def test_the_mocker_asks_for_no_gpus(mode: Any) -> None:
    result = cases.generated("sglang", mode, features={"mocker": {"enabled": True}})
    assert "backendFramework" not in result.documents[-1]["spec"]
    assert list(cases.workers(result)) == {"agg": ["decode"], "disagg": ["prefill", "decode"]}[mode]
    for service in cases.workers(result).values():
        assert not {"resources", "multinode", "sharedMemory"} & set(service)
        assert cases.container(service)["command"] == ["python3", "-m", "dynamo.mocker"]
        assert cases.container(service)["image"] == v.DEFAULT_IMAGE


def test_long_names_are_warned_about() -> None:
    result = cases.generated("vllm", "disagg", name="a-request-with-a-long-name")
    assert result.warnings == (
        '"a-request-with-a-long-name-dgd" and its service "VllmPrefillWorker" exceed 45 characters; '
        "set overrides.dgd.metadata.name",
    )
    assert cases.generated("trtllm", "disagg", name="a-request-with-a-long-name").warnings == ()


def test_estimates_are_annotations_of_a_copy() -> None:
    dgd = cases.generated("vllm", "agg", TEP16, model=MOE).documents[-1]
    before = json.dumps(dgd)
    annotations = annotated(dgd, cases.configuration("vllm", "agg", TEP16))["metadata"]["annotations"]
    assert annotations[f"{v.ANNOTATION_ESTIMATE_PREFIX}ttft-ms"] == "310.25"
    assert annotations[f"{v.ANNOTATION_ESTIMATE_PREFIX}gpus"] == "16"
    assert annotations[v.ANNOTATION_VLLM_EXECUTOR] == "mp"
    assert all(isinstance(value, str) for value in annotations.values())
    assert json.dumps(dgd) == before
