"""Cases for the admission rules: the Python rule and its twin in CEL must give the same answer on each.

`errors` are all that the rules say, in order. Of these an API server with the policy says the first that it can say:
`twin` tells which part of it refuses.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from enum import Enum
from typing import Any

from crds.vocabulary import GPU_SKUS

Document = dict[str, Any]


class Twin(Enum):
    """Who refuses the object on an API server that has our CRDs and policy, but no webhook."""

    POLICY = "the policy, with the same first sentence"
    SCHEMA = "the CRD's schema, in its own words"
    NONE = "nobody: only the webhook can"


@dataclass(frozen=True)
class Case:
    """An object (an update where `old` is given) and what is said of it."""

    name: str
    new: Document
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    old: Document | None = None
    twin: Twin = Twin.POLICY


def request(spec: Document | None = None, *, name: str = "qwen", status: Document | None = None) -> Document:
    """A small valid DGDR with `spec` over it; a None in `spec` takes a field away."""
    merged: Document = {"model": "Qwen/Qwen3-0.6B", "backend": "vllm", **(spec or {})}
    document: Document = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": name},
        "spec": {key: value for key, value in copy.deepcopy(merged).items() if value is not None},
    }
    return document if status is None else {**document, "status": status}


def override(**fields: Any) -> Document:
    """spec.overrides with a v1alpha1 DGD."""
    return {"overrides": {"dgd": {"apiVersion": "nvidia.com/v1alpha1", "kind": "DynamoGraphDeployment", **fields}}}


def condition(type_: str, reason: str) -> Document:
    """A condition that is False."""
    return {
        "type": type_,
        "status": "False",
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def _frozen(phase: str) -> str:
    return (
        f'spec: Forbidden: updates are forbidden while the resource is in phase "{phase}"; '
        "delete and recreate the resource to change its spec"
    )


SKUS = ", ".join(f'"{sku}"' for sku in GPU_SKUS)
THOROUGH = (
    'spec.searchStrategy: Invalid value: "thorough": is incompatible with spec.backend "auto"; '
    "set spec.backend to a specific backend (sglang, trtllm, or vllm)"
)
BOTH_LATENCIES = "spec.sla.e2eLatency: Forbidden: cannot be combined with spec.sla.ttft or spec.sla.itl"
BOTH_LOADS = "spec.workload.requestRate: Forbidden: cannot be combined with spec.workload.concurrency"
CHANGED = {"sla": {"ttft": 100}}
TOGETHER = "with a service name over 45 characters, which Dynamo's profiler refuses"

VALID = (
    Case("the smallest request", request({"backend": None})),
    Case(
        "every field",
        request(
            {
                "backend": "sglang",
                "image": "registry.example/profiler:1",
                "searchStrategy": "thorough",
                "autoApply": False,
                "modelCache": {"pvcName": "cache", "pvcModelPath": "a/b..c", "pvcMountPath": "/models"},
                "hardware": {
                    "gpuSku": "h200_sxm",
                    "vramMb": 141000.5,
                    "totalGpus": 64,
                    "numGpusPerNode": 8,
                    "interconnect": "nvlink",
                    "rdma": True,
                },
                "workload": {"isl": 3000, "osl": 150, "requestRate": 0.5},
                "sla": {"ttft": 200.5, "itl": 20, "optimizationType": "latency"},
                "features": {"planner": {"enabled": True}, "mocker": {"enabled": True}},
                **override(metadata={"name": "my-dgd"}, spec={"envs": [{"name": "A", "value": "b"}]}),
            }
        ),
    ),
    Case("thorough with an engine", request({"searchStrategy": "thorough"})),
    Case("end-to-end latency alone", request({"sla": {"e2eLatency": 10000}})),
    Case("a cache without a path", request({"modelCache": {"pvcName": "cache"}})),
    Case(
        "a name of 41 characters",
        request({"backend": "sglang"}, name="q" * 41),
        warnings=(f"metadata.name: {TOGETHER}",),
    ),
)

INVALID = (
    Case("no spec", {k: v for k, v in request().items() if k != "spec"}, ("spec: Required value",)),
    Case(
        "a name with capitals and an underscore",
        request(name="Foo_Bar"),
        (
            'metadata.name: Invalid value: "Foo_Bar": must be lowercase letters, digits, "-" and ".", '
            "with a letter or digit at both ends",
        ),
        twin=Twin.SCHEMA,
    ),
    Case("no model", request({"model": None}), ("spec.model: Required value",), twin=Twin.SCHEMA),
    Case("an empty model", request({"model": ""}), ("spec.model: Required value",), twin=Twin.SCHEMA),
    Case("a blank model", request({"model": "  "}), ("spec.model: Required value",)),
    Case(
        "a misspelt backend",
        request({"backend": "vlm"}),
        (
            'spec.backend: Unsupported value: "vlm": supported values: "auto", "sglang", "trtllm", "vllm"; '
            'did you mean "vllm"?',
        ),
        twin=Twin.SCHEMA,
    ),
    Case(
        "an unknown search strategy",
        request({"searchStrategy": "superfast"}),
        ('spec.searchStrategy: Unsupported value: "superfast": supported values: "rapid", "thorough"',),
        twin=Twin.SCHEMA,
    ),
    Case(
        "an unknown optimization type",
        request({"sla": {"optimizationType": "cost"}}),
        ('spec.sla.optimizationType: Unsupported value: "cost": supported values: "latency", "throughput"',),
        twin=Twin.SCHEMA,
    ),
    Case("thorough with auto", request({"searchStrategy": "thorough", "backend": "auto"}), (THOROUGH,)),
    Case("thorough with the default backend", request({"searchStrategy": "thorough", "backend": None}), (THOROUGH,)),
    *(
        Case(
            f"GPU {given}",
            request({"hardware": {"gpuSku": given}}),
            (f'spec.hardware.gpuSku: Unsupported value: "{given}": supported values: {SKUS}; did you mean "{meant}"?',),
            twin=Twin.SCHEMA,
        )
        for given, meant in (
            ("H100-SXM5-80GB", "h100_sxm"),
            ("NVIDIA-H100-80GB-HBM3", "h100_sxm"),
            ("A100-PCIE-40GB", "a100_pcie"),
            ("NVIDIA H200", "h200_sxm"),
            ("h100", "h100_sxm"),
            ("h100-sxm", "h100_sxm"),
            ("MI300X", "mi300"),
        )
    ),
    Case(
        "a GPU that is like none",
        request({"hardware": {"gpuSku": "RTX PRO 6000"}}),
        (f'spec.hardware.gpuSku: Unsupported value: "RTX PRO 6000": supported values: {SKUS}',),
        twin=Twin.SCHEMA,
    ),
    Case("end-to-end latency with TTFT", request({"sla": {"e2eLatency": 1000, "ttft": 100}}), (BOTH_LATENCIES,)),
    Case("end-to-end latency with ITL", request({"sla": {"e2eLatency": 1000, "itl": 10}}), (BOTH_LATENCIES,)),
    Case("two loads", request({"workload": {"requestRate": 1, "concurrency": 5}}), (BOTH_LOADS,)),
    *(
        Case(
            f"{section}.{field} {value}",
            request({section: {field: value}}),
            (f"spec.{section}.{field}: Invalid value: {value}: must be greater than 0",),
        )
        for section, field, value in (
            ("hardware", "vramMb", -0.5),
            ("hardware", "totalGpus", 0),
            ("hardware", "numGpusPerNode", -8),
            ("workload", "isl", 0),
            ("workload", "osl", -1),
            ("workload", "requestRate", 0),
            ("workload", "concurrency", -2.5),
            ("sla", "ttft", 0),
            ("sla", "itl", -5),
            ("sla", "e2eLatency", -1),
        )
    ),
    Case(
        "half a GPU",
        request({"hardware": {"totalGpus": 3.5}}),
        ("spec.hardware.totalGpus: Invalid value: 3.5: must be a whole number",),
        twin=Twin.SCHEMA,
    ),
    Case(
        "a number in quotes",
        request({"sla": {"ttft": "500"}}),
        ('spec.sla.ttft: Invalid value: "500": must be a number greater than 0',),
        twin=Twin.SCHEMA,
    ),
    Case(
        "a bool for a number",
        request({"sla": {"ttft": True}}),
        ("spec.sla.ttft: Invalid value: true: must be a number greater than 0",),
        twin=Twin.SCHEMA,
    ),
    Case(
        "a path without a PVC",
        request({"modelCache": {"pvcModelPath": "llama"}}),
        ("spec.modelCache.pvcName: Required value: spec.modelCache.pvcModelPath is a path on this PVC",),
    ),
    Case(
        "a path that leaves the PVC",
        request({"modelCache": {"pvcName": "cache", "pvcModelPath": "models/../../etc"}}),
        ('spec.modelCache.pvcModelPath: Invalid value: "models/../../etc": must not contain ".."',),
    ),
    Case(
        "a relative mount path",
        request({"modelCache": {"pvcName": "cache", "pvcMountPath": "models"}}),
        ('spec.modelCache.pvcMountPath: Invalid value: "models": must be an absolute path',),
    ),
    Case(
        "a mount path with ..",
        request({"modelCache": {"pvcName": "cache", "pvcMountPath": "/a/../b"}}),
        ('spec.modelCache.pvcMountPath: Invalid value: "/a/../b": must not contain ".."',),
    ),
    Case(
        "an override of another version",
        request(override(apiVersion="nvidia.com/v1beta1")),
        (
            'spec.overrides.dgd.apiVersion: Unsupported value: "nvidia.com/v1beta1": '
            'supported values: "nvidia.com/v1alpha1"',
        ),
    ),
    Case(
        "an override of another kind",
        request(override(kind="Deployment")),
        ('spec.overrides.dgd.kind: Unsupported value: "Deployment": supported values: "DynamoGraphDeployment"',),
    ),
    Case(
        "a name of 42 characters",
        request(name="q" * 42),
        (
            f'metadata.name: Invalid value: "{"q" * 42}": '
            "must be no more than 41 characters so that the Services of its deployment fit",
        ),
        warnings=(f"metadata.name: {TOGETHER}",),
    ),
    Case(
        "a name of 56 characters with a name for the deployment",
        request(override(metadata={"name": "short"}), name="q" * 56),
        (
            f'metadata.name: Invalid value: "{"q" * 56}": '
            "must be no more than 55 characters so that the name of its profiling Job fits",
        ),
    ),
    Case(
        "a name of 55 characters with a name for the deployment",
        request(override(metadata={"name": "short"}), name="q" * 55),
    ),
    Case(
        "a long name for the deployment",
        request(override(metadata={"name": "d" * 46})),
        (
            f'spec.overrides.dgd.metadata.name: Invalid value: "{"d" * 46}": '
            "must be no more than 45 characters so that its Services fit",
        ),
        warnings=(f"spec.overrides.dgd.metadata.name: {TOGETHER}",),
    ),
    Case(
        "an illegal name for the deployment",
        request(override(metadata={"name": "My_DGD"})),
        (
            'spec.overrides.dgd.metadata.name: Invalid value: "My_DGD": '
            'must be lowercase letters, digits, "-" and ".", with a letter or digit at both ends',
        ),
    ),
    Case(
        "several mistakes, in the order of the fields",
        request(
            {
                "searchStrategy": "thorough",
                "backend": "auto",
                "sla": {"itl": -5, "ttft": 0, "e2eLatency": 5},
                "workload": {"requestRate": 2, "concurrency": -2},
                "hardware": {"totalGpus": 0},
            }
        ),
        (
            THOROUGH,
            "spec.hardware.totalGpus: Invalid value: 0: must be greater than 0",
            "spec.workload.concurrency: Invalid value: -2: must be greater than 0",
            BOTH_LOADS,
            "spec.sla.ttft: Invalid value: 0: must be greater than 0",
            "spec.sla.itl: Invalid value: -5: must be greater than 0",
            BOTH_LATENCIES,
        ),
    ),
)

UPDATES = (
    *(
        Case(f"{phase} is frozen", request(CHANGED), (_frozen(phase),), old=request(status={"phase": phase}))
        for phase in ("Profiling", "Ready", "Deploying", "Deployed")
    ),
    Case("Pending may change", request(CHANGED), old=request(status={"phase": "Pending"})),
    Case("a request without status may change", request(CHANGED), old=request()),
    Case(
        "Failed in validation may change",
        request(CHANGED),
        old=request(status={"phase": "Failed", "conditions": [condition("Validation", "ValidationFailed")]}),
    ),
    Case(
        "Failed for want of a Job may change",
        request(CHANGED),
        old=request(status={"phase": "Failed", "conditions": [condition("Profiling", "JobCreationFailed")]}),
    ),
    Case(
        "Failed while profiling is frozen",
        request(CHANGED),
        (_frozen("Failed"),),
        old=request(status={"phase": "Failed", "profilingPhase": "SweepingDecode", "profilingJobName": "profile-qwen"}),
    ),
    Case(
        "Failed by its condition is frozen",
        request(CHANGED),
        (_frozen("Failed"),),
        old=request(status={"phase": "Failed", "conditions": [condition("Profiling", "SweepingDecodeFailed")]}),
    ),
    Case("an unchanged spec passes in every phase", request(), old=request(status={"phase": "Deployed"})),
    Case(
        "empty objects and strings equal absent ones",
        request({"sla": {}, "hardware": {"interconnect": ""}, "features": {"mocker": {}}}),
        old=request(status={"phase": "Profiling"}),
    ),
    Case(
        "lists that Go drops when empty equal absent ones",
        request({"overrides": {"profilingJob": {"template": {"spec": {"containers": [], "initContainers": []}}}}}),
        old=request(
            {"overrides": {"profilingJob": {"template": {"spec": {"containers": []}}}}}, status={"phase": "Profiling"}
        ),
    ),
    Case(
        "an empty planner is a planner",
        request({"features": {"planner": {}}}),
        (_frozen("Profiling"),),
        old=request(status={"phase": "Profiling"}),
    ),
    Case(
        "the Job's overrides are frozen too",
        request({"overrides": {"profilingJob": {"backoffLimit": 2, "template": {"spec": {"containers": []}}}}}),
        (_frozen("Profiling"),),
        old=request(status={"phase": "Profiling"}),
        twin=Twin.NONE,
    ),
    Case(
        "frozen comes before what else is wrong",
        request({"sla": {"itl": -5}}),
        (_frozen("Ready"), "spec.sla.itl: Invalid value: -5: must be greater than 0"),
        old=request(status={"phase": "Ready"}),
    ),
    *(
        Case(f"an old violation stays: {name}", request({**spec, "image": "new"}), old=request(spec))
        for name, spec in (
            ("number", {"sla": {"itl": -5}}),
            ("thorough", {"backend": "auto", "searchStrategy": "thorough"}),
            ("loads", {"workload": {"requestRate": 1, "concurrency": 5}}),
            ("latencies", {"sla": {"e2eLatency": 1000, "itl": 10}}),
            ("PVC", {"modelCache": {"pvcModelPath": "llama"}}),
            ("path", {"modelCache": {"pvcName": "cache", "pvcModelPath": "../llama"}}),
            ("mount", {"modelCache": {"pvcName": "cache", "pvcMountPath": "models"}}),
            ("version", override(apiVersion="nvidia.com/v1beta1")),
            ("kind", override(kind="Deployment")),
            ("name", override(metadata={"name": "My_DGD"})),
        )
    ),
    Case(
        "an old long name stays",
        request({"image": "new"}, name="q" * 42),
        old=request(name="q" * 42),
        warnings=(f"metadata.name: {TOGETHER}",),
    ),
    Case(
        "an old violation made worse is refused",
        request({"sla": {"itl": -6}}),
        ("spec.sla.itl: Invalid value: -6: must be greater than 0",),
        old=request({"sla": {"itl": -5}}),
    ),
    Case(
        "an old violation excuses no other",
        request({"sla": {"itl": -5, "ttft": 0}}),
        ("spec.sla.ttft: Invalid value: 0: must be greater than 0",),
        old=request({"sla": {"itl": -5}}),
    ),
    Case(
        "thorough with auto is refused on update too",
        request({"searchStrategy": "thorough", "backend": "auto"}),
        (THOROUGH,),
        old=request({"backend": "auto"}),
    ),
    Case(
        "a name made too long by giving up the deployment's own",
        request(name="r" * 42),
        (
            f'metadata.name: Invalid value: "{"r" * 42}": '
            "must be no more than 41 characters so that the Services of its deployment fit",
        ),
        old=request(override(metadata={"name": "short"}), name="r" * 42),
        warnings=(f"metadata.name: {TOGETHER}",),
    ),
)

WARNED = (
    Case(
        "a name that YAML reads as a bool",
        request(name="on"),
        warnings=(
            'metadata.name: YAML reads "on" as a bool, which fails Dynamo\'s profiling Job; choose another name',
        ),
    ),
    Case(
        "a name that YAML reads as a number",
        request({"backend": "trtllm"}, name="1e3"),
        warnings=(
            'metadata.name: YAML reads "1e3" as a number, which fails Dynamo\'s profiling Job; choose another name',
            "metadata.name: starts with a digit, but Service names of its deployment must start with a letter",
        ),
    ),
    Case(
        "a hub repository for a checkpoint",
        request({"modelCache": {"pvcName": "cache", "pvcModelPath": "hub/models--deepseek-ai--DeepSeek-R1"}}),
        warnings=(
            "spec.modelCache.pvcModelPath: is a hub repository, not a checkpoint; append snapshots/<commit-hash>",
        ),
    ),
    Case(
        "a snapshot for a checkpoint",
        request(
            {"modelCache": {"pvcName": "c", "pvcModelPath": "hub/models--deepseek-ai--DeepSeek-R1/snapshots/0a1b"}}
        ),
    ),
    Case(
        "an override of a field that does not exist",
        request(override(spec={"components": [], "services": {}})),
        warnings=(
            "spec.overrides.dgd.spec.components: is no field of a v1alpha1 DynamoGraphDeployment and is ignored",
        ),
    ),
    Case(
        "a planner switched off",
        request({"features": {"planner": {"enabled": False}}}),
        warnings=(
            "spec.features.planner: Dynamo's operator enables the planner by its presence; leave it out to disable it",
        ),
    ),
)

CASES = VALID + INVALID + UPDATES + WARNED
