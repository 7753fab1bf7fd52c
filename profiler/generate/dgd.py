"""The door: `documents` puts the parts together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from crds import schema
from crds import vocabulary as v
from profiler.generate import (
    curves,
    images,
    mocker,
    names,
    overrides,
    planner,
    planner_keys,
    services,
    sglang,
    trtllm,
    vllm,
)
from profiler.generate.comments import Reasons
from profiler.generate.deployment import Deployment
from profiler.profile import Configuration
from profiler.request import Request

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.points.measured import Measurements

ENGINES: dict[str, services.Engine] = {
    engine.BACKEND: cast(services.Engine, engine) for engine in (vllm, sglang, trtllm)
}


@dataclass(frozen=True)
class Generated:
    """Documents to apply in this order, and what a person should know about them."""

    documents: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...] = ()
    reasons: Reasons = field(default_factory=dict)  # why the flags of each service are there, for comments


def check(request: Request) -> None:
    """Raises InvalidRequest for values with which what is generated would not start, before anything is searched."""
    if request.planner is not None:
        planner_keys.given(request.planner)


def documents(
    request: Request, model: Model, configuration: Configuration, measurements: Measurements | None = None
) -> Generated:
    """The ConfigMaps and, last, the v1alpha1 DGD that deploy `configuration` for `request`.

    `measurements` correct the curves that planners and mockers read, as they corrected the configuration.
    Raises InvalidRequest for a value under `features.planner` that the planner does not take.
    """
    deployment = Deployment(request, model, configuration, measurements)
    engine = cast(services.Engine, mocker) if request.mocker else ENGINES[configuration.backend]
    warnings: list[str] = []
    dgd, aliases = _dgd(deployment, engine, warnings)
    found = _with_planner(deployment, engine, dgd, warnings)
    if request.overrides_dgd:
        plain_dgd = plain(dgd)
        dgd, ignored = overrides.merged(dgd, request.overrides_dgd, aliases)
        warnings += [*ignored, *overrides.resized(plain_dgd, dgd)]
        # What is generated breaks no rule of the schema, so whatever does came with the override.
        warnings += [f"overrides.dgd.{error}" for error in schema.check(plain(dgd))]
        # Found again by these; an override may add labels, not take these away.
        dgd["metadata"]["labels"] |= names.labels(request)
    warnings += names.length_warnings(request.dgd_name, dgd["spec"]["services"])
    return Generated(
        documents=tuple(plain(document) for document in (*found, dgd)),
        warnings=tuple(dict.fromkeys(warnings)),
        reasons=_reasons(deployment, engine),
    )


def _with_planner(
    deployment: Deployment, engine: services.Engine, dgd: dict[str, Any], warnings: list[str]
) -> list[dict[str, Any]]:
    """Add the planner and the workers' curves to the deployment where they are wanted; the ConfigMaps for both."""
    request, found, readers = deployment.request, [], []
    everything = dgd["spec"]["services"]
    if request.mocker and deployment.curves:
        readers += [service for service in everything.values() if service["componentType"] == "worker"]
    if request.planner is not None:
        config = planner.config(deployment, engine.BACKEND)
        warnings += config.warnings
        found.append(planner.config_map(request, config.values))
        service = planner.service(deployment, _image(request, images.PLANNER, warnings))
        everything[names.PLANNER] = service
        readers += [service] if config.reads_curves and deployment.curves else []
    if readers and deployment.curves:
        found.append(curves.config_map(request, deployment.curves))
    for reader in readers:
        curves.mount(reader, request)
    return found


def _reasons(deployment: Deployment, engine: services.Engine) -> Reasons:
    return {
        engine.name(worker.role, deployment.nodes(worker)): tuple(engine.flags(worker, deployment))
        for worker in deployment.configuration.workers
    }


def annotated(dgd: Mapping[str, Any], configuration: Configuration) -> dict[str, Any]:
    """A copy of a DGD with its estimates as annotations `dgdr.nvidia.com/estimate-*`: ms, tokens/s and GPUs as text."""
    metrics = configuration.metrics
    estimates = {
        "ttft-ms": f"{metrics.ttft_ms:.6g}",
        "itl-ms": f"{metrics.itl_ms:.6g}",
        "e2e-latency-ms": f"{metrics.e2e_latency_ms:.6g}",
        "throughput-per-gpu": f"{metrics.throughput_per_gpu:.6g}",
        "throughput-per-user": f"{metrics.throughput_per_user:.6g}",
        "request-rate": f"{metrics.request_rate:.6g}",
        "concurrency": f"{metrics.concurrency:.6g}",
        "gpus": str(configuration.gpus),
        "provenance": configuration.provenance,
    }
    copy: dict[str, Any] = plain(dgd)
    annotations = copy["metadata"].setdefault("annotations", {})
    annotations |= {f"{v.ANNOTATION_ESTIMATE_PREFIX}{key}": value for key, value in estimates.items()}
    return copy


def plain(value: Any) -> Any:
    """A copy in which no object appears twice (YAML would write anchors) and no null is left (the API drops those)."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value if item is not None]
    return value


def _dgd(deployment: Deployment, engine: services.Engine, warnings: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The deployment without planner and overrides, and the other names that its workers go by."""
    request, configuration = deployment.request, deployment.configuration
    image = _image(request, engine.RUNTIME, warnings) if engine.RUNTIME else request.image
    found = {names.FRONTEND: services.frontend(deployment, image)}
    aliases: dict[str, str] = {}
    for worker in configuration.workers:
        name = engine.name(worker.role, deployment.nodes(worker))
        found[name] = services.worker(engine, worker, deployment, image)
        aliases |= dict.fromkeys(engine.aliases(worker.role), name)
    annotations: dict[str, str] = {}
    if engine.BACKEND == v.Backend.VLLM and any(deployment.nodes(worker) > 1 for worker in configuration.workers):
        # The operator's default for several nodes depends on its version, and may be Ray, which the images lack.
        annotations[v.ANNOTATION_VLLM_EXECUTOR] = "mp"
    metadata: dict[str, Any] = {"name": request.dgd_name, "labels": names.labels(request)}
    framework = {} if request.mocker else {"backendFramework": configuration.backend}
    return {
        "apiVersion": v.DGD_API_VERSION,
        "kind": str(v.Kind.DGD),
        "metadata": metadata | ({"annotations": annotations} if annotations else {}),
        "spec": {**framework, **services.volumes(deployment), "services": found},
    }, aliases


def _image(request: Request, name: str, warnings: list[str]) -> str:
    derived = images.sibling(request.image, name)
    if derived.warning:
        warnings.append(derived.warning)
    return derived.reference
