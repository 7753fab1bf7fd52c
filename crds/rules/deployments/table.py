"""The rules in tables, and the one function that applies them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from crds import vocabulary as v
from crds.fields import FieldError, get
from crds.rules.deployments import advice, change, features, naming, service, spec
from crds.rules.deployments.graph import DeploymentContext, Document, Service, services
from crds.rules.table import Findings

OfGraph = Callable[[Document, DeploymentContext], Iterable[FieldError]]
OfService = Callable[[Service, Document, DeploymentContext], Iterable[FieldError]]

# Each by the name that metrics know it by.
GRAPH: Final[dict[str, OfGraph]] = {
    "dgd-services": spec.has_services,
    "dgd-annotations": spec.known_annotations,
    "dgd-failover-discovery": spec.failover_discovery,
    "dgd-restart-order": spec.restart_order,
    "dgd-topology-profile": spec.topology_profile,
}
SERVICE: Final[dict[str, OfService]] = {
    "dgd-service-name": naming.service_name,
    "dgd-grove-names": naming.grove_names,
    "dgd-executor": service.executor,
    "dgd-epp": features.epp,
    "dgd-mount-points": service.mount_points,
    "dgd-ingress-host": service.ingress_host,
    "dgd-frontend-sidecar": service.frontend_sidecar,
    "dgd-engine": service.engine,
    "dgd-memory-service": features.memory_service,
    "dgd-failover": features.failover,
}
GRAPH_CHANGE: Final = {
    "dgd-backend-framework": change.backend_framework,
    "dgd-service-set": change.service_set,
    "dgd-topology": change.topology,
    "dgd-restart-id": change.restart_id,
}
SERVICE_CHANGE: Final = {
    "dgd-service-topology": change.service_topology,
    "dgd-node-topology": change.node_topology,
    "dgd-scaled-replicas": change.scaled_replicas,
}

# The order in which the API declares its fields, and so the order of errors.
_FIELDS: Final = ("metadata", "services", "backendFramework", "restart", "topologyConstraint")
_SERVICE_FIELDS: Final = (
    "",
    "annotations",
    "componentType",
    "resources",
    "volumeMounts",
    "ingress",
    "extraPodSpec",
    "replicas",
    "multinode",
    "eppConfig",
    "topologyConstraint",
    "gpuMemoryService",
    "failover",
)
MOST_ERRORS: Final = 100  # an API server takes no answer of any length, and then lets the object in
_WORD: Final = re.compile(r"\w+")


def check(new: Document, old: Document | None = None, context: DeploymentContext = DeploymentContext()) -> Findings:  # noqa: B008 - frozen
    """Apply every rule to a v1alpha1 DGD; with `old`, to an update of it by the context's user.

    An object that is being deleted and an update that changes nothing of the spec always pass, and what `old` already
    violated in the same way is tolerated. Never raises, whatever the document holds.
    """
    if get(new, "metadata.deletionTimestamp") or new.get("apiVersion", v.DGD_API_VERSION) != v.DGD_API_VERSION:
        return Findings()
    errors = list(_standing(new, context))
    if old is not None:
        if new.get("spec") == old.get("spec"):
            return Findings()
        if errors:
            tolerated = set(_standing(old, context))
            errors = [error for error in errors if error not in tolerated]
        errors += _changes(new, old, context)
    errors.sort(key=_position)
    return Findings(tuple(errors[:MOST_ERRORS]), tuple(_advice(new, context)))


def _standing(document: Document, context: DeploymentContext) -> Iterator[FieldError]:
    """What a deployment violates by itself."""
    for name, of_graph in GRAPH.items():
        for error in of_graph(document, context):
            yield replace(error, rule=name)
    for each in services(document).values():
        for name, of_service in SERVICE.items():
            for error in of_service(each, document, context):
                yield replace(error, rule=name)


def _changes(new: Document, old: Document, context: DeploymentContext) -> Iterator[FieldError]:
    for name, of_graph in GRAPH_CHANGE.items():
        for error in of_graph(new, old, context):
            yield replace(error, rule=name)
    before = services(old)
    for each in services(new).values():
        for name, of_service in SERVICE_CHANGE.items():
            for error in of_service(each, before[each.name], context) if each.name in before else ():
                yield replace(error, rule=name)


def _position(error: FieldError) -> tuple[int, str, int]:
    """Where an error stands: its field, then its service, then the service's field."""
    path, _, inside = error.path.removeprefix("spec.").partition("[")
    field = path.partition(".")[0]
    name, _, rest = inside.partition("]") if field == "services" else ("", "", "")
    of_service = _WORD.match(rest.removeprefix("."))
    return _FIELDS.index(field), name, _SERVICE_FIELDS.index(of_service[0] if of_service else "")


def _advice(document: Document, context: DeploymentContext) -> Iterator[str]:
    yield from advice.digit_first(document, context)
    for each in services(document).values():
        for advise in (advice.deprecated, advice.unknown_volume, advice.multinode_missing):
            yield from advise(each, document, context)
