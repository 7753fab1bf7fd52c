"""What the whole deployment may say: services, annotations, restart and topology."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from crds import vocabulary as v
from crds.fields import FieldError, forbidden, get, invalid, required, unsupported
from crds.rules.deployments.graph import (
    DISCOVERY_MODE,
    ORIGIN_VERSION,
    DeploymentContext,
    Document,
    annotations_of,
    enabled,
    services,
)

EXECUTORS: Final = ("mp", "ray")
_DISCOVERY_MODES: Final = ("pod", "container")
# Minor and patch may be left out, as NVIDIA's operator reads it.
_VERSION: Final = re.compile(r"v?\d+(\.\d+){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
_TOPOLOGY: Final = "spec.topologyConstraint"
_ORDER: Final = "spec.restart.strategy.order"


def has_services(document: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """A deployment deploys something."""
    found = get(document, "spec.services")
    if found is None or found == {}:
        yield required("spec.services", "a deployment needs at least one service; add one, say Frontend")


def known_annotations(document: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """Annotations that change what is deployed have values that mean something."""
    given = annotations_of(document)
    version = given.get(ORIGIN_VERSION)
    if isinstance(version, str) and not _VERSION.fullmatch(version):
        yield invalid(_annotation(ORIGIN_VERSION), version, 'must be a semantic version such as "1.2.1"')
    yield from one_of(_annotation(v.ANNOTATION_VLLM_EXECUTOR), given.get(v.ANNOTATION_VLLM_EXECUTOR), EXECUTORS)
    yield from one_of(_annotation(DISCOVERY_MODE), given.get(DISCOVERY_MODE), _DISCOVERY_MODES)


def _annotation(name: str) -> str:
    return f"metadata.annotations[{name}]"


def one_of(path: str, value: Any, supported: tuple[str, ...]) -> Iterator[FieldError]:
    """A value that is given is one of `supported`."""
    if value is not None and value not in supported:
        yield unsupported(path, value, supported)


def failover_discovery(document: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """A shadow engine in the same pod is found only where each container is discovered by itself."""
    if annotations_of(document).get(DISCOVERY_MODE) == "container":
        return
    for service in services(document).values():
        if enabled(service.spec, "failover") and get(service.spec, "failover.mode", "intraPod") == "intraPod":
            why = f'must be "container" because {service.path}.failover is enabled'
            yield required(_annotation(DISCOVERY_MODE), why)
            return


def restart_order(document: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """An order of restarting names every service once, and there is none in parallel."""
    order = get(document, _ORDER)
    if not isinstance(order, list) or not order:
        return
    if get(document, "spec.restart.strategy.type") == "Parallel":
        yield forbidden(_ORDER, "everything restarts at once with type Parallel; leave it out, or use Sequential")
        return
    names = list(services(document))
    for index, name in enumerate(order[: len(names) + 1]):  # one more holds a wrong one already
        if name not in names:
            yield unsupported(f"{_ORDER}[{index}]", name, names)
        elif name in order[:index]:
            yield invalid(f"{_ORDER}[{index}]", name, "is there already; name each service once")
    missing = [f'"{name}"' for name in names if name not in order]
    if missing:
        yield required(_ORDER, f"must name every service; add {', '.join(missing)}")


def topology_profile(document: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """A service's domain is one of a profile, and without a domain for all each service has its own."""
    constraint, found = get(document, _TOPOLOGY), services(document).values()
    if constraint is None:
        constrained = next((service for service in found if service.topology is not None), None)
        if constrained:
            why = f"names the ClusterTopology that {constrained.path}.topologyConstraint.packDomain is a domain of"
            yield required(f"{_TOPOLOGY}.topologyProfile", why)
    elif isinstance(constraint, dict) and not constraint.get("packDomain"):
        for service in found:
            if service.topology is None:
                why = f"give its packDomain, or one for all services as {_TOPOLOGY}.packDomain"
                yield required(f"{service.path}.topologyConstraint", why)
