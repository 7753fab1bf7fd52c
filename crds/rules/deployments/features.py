"""What a service that is an EPP, or has a GPU memory service or failover, must say besides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crds.fields import FieldError, forbidden, get, invalid, required
from crds.rules.deployments.graph import EPP, DeploymentContext, Document, Service, enabled

_WORKERS: Final = frozenset({"worker", "prefill", "decode"})
_NO_ENGINE: Final = frozenset({EPP, "frontend", "planner"})
_GPUS: Final = "resources.limits.gpu"


def epp(service: Service, _: Document, context: DeploymentContext) -> Iterator[FieldError]:
    """An endpoint picker is one process on one node, with a configuration, for Gateway API's inference extension."""
    if service.type != EPP:
        return
    if context.inference_pools is False:
        why = "an EPP needs the API group inference.networking.k8s.io, which is not in this cluster; install the "
        yield forbidden(f"{service.path}.componentType", f"{why}Gateway API Inference Extension first")
    if service.replicas != 1:
        yield invalid(f"{service.path}.replicas", service.replicas, "an EPP has exactly 1 replica")
    if service.nodes > 1:
        yield forbidden(f"{service.path}.multinode", "an EPP runs on one node; leave multinode out")
    yield from _epp_config(service)


def _epp_config(service: Service) -> Iterator[FieldError]:
    path = f"{service.path}.eppConfig"
    given = service.spec.get("eppConfig")
    if given is None:
        yield required(path, "an EPP has no default configuration; set config or configMapRef")
    elif isinstance(given, dict):
        inline, reference = given.get("config"), given.get("configMapRef")
        if inline is None and reference is None:
            yield required(path, "an EPP has no default configuration; set config or configMapRef")
        elif inline is not None and reference is not None:
            yield forbidden(f"{path}.configMapRef", "cannot be combined with config; keep one of them")
        if isinstance(reference, dict) and reference.get("name") in (None, ""):
            yield required(f"{path}.configMapRef.name", "name the ConfigMap")


def memory_service(service: Service, _: Document, __: DeploymentContext) -> Iterator[FieldError]:
    """A GPU memory service holds a worker's weights on a GPU."""
    if not enabled(service.spec, "gpuMemoryService"):
        return
    path = f"{service.path}.gpuMemoryService"
    if service.type not in _WORKERS:
        yield forbidden(path, "only a componentType of worker, prefill or decode can have one; leave it out")
    if str(get(service.spec, _GPUS, "")).strip() in ("", "0"):
        yield required(f"{service.path}.{_GPUS}", f'{path} needs a GPU; set at least "1"')


def failover(service: Service, _: Document, __: DeploymentContext) -> Iterator[FieldError]:
    """A shadow engine stands by beside an engine, in the mode of the memory that both share."""
    if not enabled(service.spec, "failover"):
        return
    path = f"{service.path}.failover"
    if service.type in _NO_ENGINE:
        yield forbidden(path, f"a componentType of {service.type} runs no engine; leave failover out")
    ours, memory = (get(service.spec, f"{each}.mode", "intraPod") for each in ("failover", "gpuMemoryService"))
    if enabled(service.spec, "gpuMemoryService") and ours != memory:
        yield invalid(f"{path}.mode", ours, f'must be that of gpuMemoryService; set both to "{memory}"')
