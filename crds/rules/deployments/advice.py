"""What is allowed but likely a mistake. Each warning is under 120 characters: API servers may cut longer ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crds.rules.deployments.graph import DeploymentContext, Document, Service, items, names
from crds.rules.names import request_name

_SHOWN: Final = 20
_DEPRECATED: Final = (("dynamoNamespace", "leave it out"), ("autoscaling", "use a scaling adapter"))


def digit_first(document: Document, _: DeploymentContext) -> Iterator[str]:
    """A Service's name starts with a letter."""
    if (request_name(document) or "")[:1].isdigit():
        yield "metadata.name: starts with a digit, but Service names of the deployment must start with a letter"


def deprecated(service: Service, _: Document, __: DeploymentContext) -> Iterator[str]:
    """Fields that are accepted and have no effect any more."""
    for field, instead in _DEPRECATED:
        if service.spec.get(field) is not None:
            yield f"{_path(service)}.{field}: is deprecated and ignored; {instead}"


def unknown_volume(service: Service, document: Document, _: DeploymentContext) -> Iterator[str]:
    """A mount of neither becomes a claim of its name: right where that exists, a typing error elsewhere."""
    known = names(document, "spec.pvcs") | names(service.spec, "extraPodSpec.volumes")
    for index, mount in items(service.spec, "volumeMounts"):
        name = mount.get("name")
        if isinstance(name, str) and name not in known:
            yield f'{_path(service)}.volumeMounts[{index}]: "{name[:_SHOWN]}" is neither in spec.pvcs nor a volume'


def multinode_missing(service: Service, _: Document, context: DeploymentContext) -> Iterator[str]:
    """Something must start the pods of an engine together."""
    if context.multinode is False and service.nodes > 1:
        yield f"{_path(service)}.multinode: needs Grove or LeaderWorkerSet, which are not in this cluster"


def _path(service: Service) -> str:
    return f"spec.services[{service.name[:_SHOWN]}]"
