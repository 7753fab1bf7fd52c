"""Warnings: what a request asks that this cluster cannot do, and fields without effect. Unknown facts raise none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from crds.rules import Context, Mode, check
from crds.rules.advice import DGD_SPEC_FIELDS, SERVICE_FIELDS

LLAMA = "meta-llama/Llama-3.1-70B-Instruct"
CACHE = {"modelCache": {"pvcName": "models"}}
ONE_NODE = {"hardware": {"gpuSku": "h200_sxm", "numGpusPerNode": 8, "vramMb": 143771, "totalGpus": 16}}
SLA_PLANNER = {"features": {"planner": {"optimization_target": "sla"}}}
TOKEN_OVERRIDE = {"name": "profiler", "env": [{"name": "HUGGING_FACE_HUB_TOKEN", "value": ""}]}


def request(spec: dict[str, Any] | None = None, version: str = "v1beta1") -> dict[str, Any]:
    return {
        "apiVersion": f"nvidia.com/{version}",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "qwen", "namespace": "team"},
        "spec": {"model": "Qwen/Qwen3-0.6B", "backend": "sglang", **(spec or {})},
    }


def warnings(spec: dict[str, Any] | None = None, **facts: Any) -> tuple[str, ...]:
    return check(request(spec), context=Context(**facts)).warnings


@pytest.mark.parametrize(
    ("spec", "facts", "warning"),
    [
        (
            CACHE,
            {"claim_exists": False},
            'spec.modelCache.pvcName: there is no PersistentVolumeClaim "models" here yet; create it first',
        ),
        (
            {"model": LLAMA},
            {"token_exists": False},
            "spec.model: is gated on the Hugging Face hub, but there is no secret hf-token-secret here",
        ),
        (
            {},
            {"token_exists": False, "mode": Mode.BESIDE},
            "spec: Dynamo's profiling pod waits for a secret hf-token-secret, which is not here; create it",
        ),
        (
            {"hardware": {"gpuSku": "t4"}},
            {"detected_skus": ("h200_sxm", "l40s")},
            'spec.hardware.gpuSku: no usable node has "t4"; there are h200_sxm, l40s',
        ),
        (
            {"hardware": {"gpuSku": "t4"}},
            {"measured_skus": frozenset({"h200_sxm"})},
            'spec.hardware.gpuSku: estimates for "t4" are carried over from other GPUs; expect wide error bars',
        ),
        (
            SLA_PLANNER,
            {"prometheus": False},
            'spec.features.planner.optimization_target: "sla" needs Prometheus, which is not in this cluster',
        ),
        (
            ONE_NODE,
            {"multinode": False, "weights_bytes": 1.3e12},
            "spec.model: needs several nodes for its weights, but the cluster has neither Grove nor LeaderWorkerSet",
        ),
    ],
    ids=["claim", "gated", "profiling pod", "elsewhere", "unmeasured", "Prometheus", "multinode"],
)
def test_what_this_cluster_lacks_is_a_warning(spec: dict[str, Any], facts: dict[str, Any], warning: str) -> None:
    assert warnings(spec, **facts) == (warning,)
    assert len(warning) < 120
    assert warnings(spec) == ()


@pytest.mark.parametrize(
    ("spec", "facts"),
    [
        (CACHE, {"claim_exists": True}),
        ({"model": LLAMA}, {"token_exists": True}),
        ({}, {"token_exists": False}),
        ({"model": LLAMA, "modelCache": {"pvcName": "m", "pvcModelPath": "llama"}}, {"token_exists": False}),
        (
            {"overrides": {"profilingJob": {"template": {"spec": {"containers": [TOKEN_OVERRIDE]}}}}},
            {"token_exists": False, "mode": Mode.BESIDE},
        ),
        ({"hardware": {"gpuSku": "t4"}}, {"detected_skus": ()}),
        ({"hardware": {"gpuSku": "t4"}}, {"detected_skus": ("t4",), "measured_skus": frozenset({"t4"})}),
        ({"hardware": {"gpuSku": "t4"}, "searchStrategy": "thorough"}, {"measured_skus": frozenset()}),
        ({"features": {"planner": {"optimization_target": "load"}}}, {"prometheus": False}),
        (
            {"features": {"planner": {"optimization_target": "sla", "metric_pulling_prometheus_endpoint": "http://p"}}},
            {"prometheus": False},
        ),
        (ONE_NODE, {"multinode": False, "weights_bytes": 1.1e12}),
        (ONE_NODE, {"multinode": True, "weights_bytes": 1.3e12}),
        (ONE_NODE | {"features": {"mocker": {"enabled": True}}}, {"multinode": False, "weights_bytes": 1.3e12}),
        ({}, {"multinode": False, "weights_bytes": 1.3e12}),
    ],
)
def test_what_the_cluster_has_or_nobody_needs_is_none(spec: dict[str, Any], facts: dict[str, Any]) -> None:
    assert warnings(spec, **facts) == ()


def override(services: dict[str, Any]) -> dict[str, Any]:
    dgd = {"apiVersion": "nvidia.com/v1alpha1", "kind": "DynamoGraphDeployment", "spec": {"services": services}}
    return {"overrides": {"dgd": dgd}}


def test_unknown_and_deprecated_fields_of_an_override_are_said() -> None:
    services = {"Frontend": {"replica": 2, "dynamoNamespace": "x", "autoscaling": {"enabled": True}, "envs": []}}
    path = "spec.overrides.dgd.spec.services.Frontend"
    assert warnings(override(services)) == (
        f"{path}.replica: is no field of a service and is ignored",
        f"{path}.dynamoNamespace: is deprecated and ignored; leave it out",
        f"{path}.autoscaling: is deprecated and ignored; use a scaling adapter",
    )


def test_long_names_in_an_override_keep_a_warning_short() -> None:
    found = warnings(override({"S" * 80: {"f" * 80: 1, "dynamoNamespace": "x"}}))
    assert len(found) == 2
    assert max(map(len, found)) < 120


def test_a_field_without_effect_in_v1alpha1_is_said() -> None:
    document = request({"profilingConfig": {"profilerImage": "i"}, "enableGpuDiscovery": True}, "v1alpha1")
    assert check(document).warnings == ("spec.enableGpuDiscovery: is deprecated and has no effect; leave it out",)


def test_the_fields_of_a_deployment_are_those_of_the_schema() -> None:
    path = Path(__file__).parents[2] / "crds/nvidia.com_dynamographdeployments.yaml"
    crd = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    alpha = next(version for version in crd["spec"]["versions"] if version["name"] == "v1alpha1")
    spec = alpha["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert set(spec) <= DGD_SPEC_FIELDS
    assert set(spec["services"]["additionalProperties"]["properties"]) == SERVICE_FIELDS
