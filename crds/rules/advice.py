"""What is allowed but likely a mistake. Each warning is under 120 characters: API servers may cut longer ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from crds import vocabulary as v
from crds.fields import get
from crds.rules.context import Context, Mode
from crds.rules.names import LONGEST_SERVICE, MAX_TOGETHER, OVERRIDE, override_name, request_name
from crds.scalars import reads_as

Document = Mapping[str, Any]

# Longest name among the services of Dynamo's templates, by backend; auto may end with any of them.
_LONGEST_SERVICES: Final[dict[str, int]] = {
    v.Backend.AUTO: LONGEST_SERVICE,
    v.Backend.VLLM: LONGEST_SERVICE,
    v.Backend.SGLANG: len("Frontend"),
    v.Backend.TRTLLM: len("TRTLLMWorker"),
}
_HUB_REPOSITORY: Final = re.compile(r"(?:^|/)models--[^/]+(?:/snapshots)?/*$")
_DGD_FIELDS: Final = frozenset({"apiVersion", "kind", "metadata", "spec"})
DGD_SPEC_FIELDS: Final = frozenset(
    {
        "annotations",
        "backendFramework",
        "envs",
        "experimental",
        "labels",
        "priorityClassName",
        "pvcs",
        "restart",
        "services",
        "topologyConstraint",
    }
)
SERVICE_FIELDS: Final = frozenset(
    {
        "annotations",
        "autoscaling",
        "checkpoint",
        "componentType",
        "dynamoNamespace",
        "envFromSecret",
        "envs",
        "eppConfig",
        "extraPodMetadata",
        "extraPodSpec",
        "failover",
        "frontendSidecar",
        "globalDynamoNamespace",
        "gpuMemoryService",
        "ingress",
        "labels",
        "livenessProbe",
        "modelRef",
        "multinode",
        "readinessProbe",
        "replicas",
        "resources",
        "scalingAdapter",
        "serviceName",
        "sharedMemory",
        "subComponentType",
        "topologyConstraint",
        "volumeMounts",
    }
)
_SERVICES: Final = "spec.overrides.dgd.spec.services"
_DEPRECATED: Final = (("dynamoNamespace", "leave it out"), ("autoscaling", "use a scaling adapter"))


def yaml_names(document: Document, _: Context) -> Iterator[str]:
    """The profiling Job's sidecar writes name and namespace unquoted into labels; anything but a string ends it."""
    for path in ("metadata.name", "metadata.namespace"):
        name = get(document, path)
        read = reads_as(name) if isinstance(name, str) and name and len(name) <= 20 else None
        if read:
            yield f'{path}: YAML reads "{name}" as {read}, which fails Dynamo\'s profiling Job; choose another name'


def service_names(document: Document, _: Context) -> Iterator[str]:
    """A Service's name starts with a letter, and Dynamo's own profiler counts DGD and service name together."""
    path = OVERRIDE if override_name(document) else "metadata.name"
    dgd = override_name(document) or f"{request_name(document) or ''}{v.DGD_SUFFIX}"
    if dgd[0].isdigit():
        yield f"{path}: starts with a digit, but Service names of its deployment must start with a letter"
    backend = get(document, "spec.backend")
    service = _LONGEST_SERVICES.get(backend, LONGEST_SERVICE) if isinstance(backend, str) else LONGEST_SERVICE
    if len(dgd) + service > MAX_TOGETHER:
        yield f"{path}: with a service name over {MAX_TOGETHER} characters, which Dynamo's profiler refuses"


def gpu_unknown(document: Document, context: Context) -> Iterator[str]:
    """Beside NVIDIA's operator an unknown GPU is its own discovery's business."""
    if context.mode is Mode.BESIDE and context.hardware_known is False and not get(document, "spec.hardware.gpuSku"):
        yield "spec.hardware.gpuSku: no GPU node was found to detect it from; set gpuSku, numGpusPerNode and totalGpus"


def snapshot(document: Document, _: Context) -> Iterator[str]:
    """A hub cache keeps the files of a model under snapshots/<commit>."""
    path = get(document, "spec.modelCache.pvcModelPath")
    if isinstance(path, str) and _HUB_REPOSITORY.search(path):
        yield "spec.modelCache.pvcModelPath: is a hub repository, not a checkpoint; append snapshots/<commit-hash>"


def dgd_override_fields(document: Document, _: Context) -> Iterator[str]:
    """Fields that a v1alpha1 DGD does not have are dropped when the override is merged."""
    for path, known in (("spec.overrides.dgd", _DGD_FIELDS), ("spec.overrides.dgd.spec", DGD_SPEC_FIELDS)):
        yield from _unknown(path, get(document, path), known, "v1alpha1 DynamoGraphDeployment")
    for name, service in _override_services(document):
        yield from _unknown(f"{_SERVICES}.{name}", service, SERVICE_FIELDS, "service")


def _unknown(path: str, given: Any, known: frozenset[str], what: str) -> Iterator[str]:
    for field in given if isinstance(given, dict) else ():
        if field not in known:
            yield f"{path}.{str(field)[:24]}: is no field of a {what} and is ignored"


def _override_services(document: Document) -> Iterator[tuple[str, Any]]:
    services = get(document, _SERVICES)
    for name, service in services.items() if isinstance(services, dict) else ():
        yield str(name)[:17], service


def deprecated(document: Document, _: Context) -> Iterator[str]:
    """Fields that are accepted and have no effect any more."""
    if get(document, "spec.enableGpuDiscovery") is not None:
        yield "spec.enableGpuDiscovery: is deprecated and has no effect; leave it out"
    for name, service in _override_services(document):
        for field, instead in _DEPRECATED:
            if get(service, field) is not None:
                yield f"{_SERVICES}.{name}.{field}: is deprecated and ignored; {instead}"


def planner_disabled(document: Document, _: Context) -> Iterator[str]:
    """NVIDIA's operator looks at presence only."""
    if get(document, "spec.features.planner.enabled") is False:
        yield "spec.features.planner: Dynamo's operator enables the planner by its presence; leave it out to disable it"
