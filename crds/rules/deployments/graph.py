"""A deployment as the rules read it. Values of a wrong type are the schema's to refuse; here they are not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from crds.fields import get

Document = Mapping[str, Any]

DISCOVERY_MODE: Final = "nvidia.com/dynamo-kube-discovery-mode"
ENABLE_GROVE: Final = "nvidia.com/enable-grove"
ORIGIN_VERSION: Final = "nvidia.com/dynamo-operator-origin-version"
EPP: Final = "epp"


@dataclass(frozen=True)
class DeploymentContext:
    """What a caller knows besides the object. A fact is None where nobody looked: then no rule speaks of it."""

    user: str = ""
    grove: bool | None = None
    multinode: bool | None = None  # whether Grove or LeaderWorkerSet can run an engine over several nodes
    inference_pools: bool | None = None  # whether the API of Gateway API's inference extension is installed


@dataclass(frozen=True)
class Service:
    """One service of a deployment."""

    name: str
    spec: Document

    @property
    def path(self) -> str:
        """Its field path."""
        return f"spec.services[{self.name}]"

    @property
    def type(self) -> str:
        """Its componentType in lower case, "" where there is none."""
        kind = self.spec.get("componentType")
        return kind.lower() if isinstance(kind, str) else ""

    @property
    def nodes(self) -> int:
        """How many nodes one replica spans."""
        multinode = self.spec.get("multinode")
        if not isinstance(multinode, dict):
            return 1
        return whole(multinode.get("nodeCount"), 2)

    @property
    def replicas(self) -> int:
        """How many replicas are asked for."""
        return whole(self.spec.get("replicas"), 1)

    @property
    def topology(self) -> Any:
        """Its topology constraint, or None."""
        return self.spec.get("topologyConstraint")


def services(document: Document) -> dict[str, Service]:
    """The services by name, in the order of their names: an API server keeps no other."""
    found = get(document, "spec.services")
    if not isinstance(found, dict):
        return {}
    return {name: Service(name, found[name] if isinstance(found[name], dict) else {}) for name in sorted(found)}


def annotations_of(of: Document, path: str = "metadata.annotations") -> dict[str, Any]:
    """The annotations at `path`."""
    found = get(of, path)
    return found if isinstance(found, dict) else {}


def items(of: Document, path: str) -> list[tuple[int, Document]]:
    """The objects of the list at `path`, each with its index."""
    found = get(of, path)
    return [(i, item) for i, item in enumerate(found) if isinstance(item, dict)] if isinstance(found, list) else []


def names(of: Document, path: str) -> set[str]:
    """The `name` of each object of the list at `path`."""
    return {item["name"] for _, item in items(of, path) if isinstance(item.get("name"), str)}


def texts(of: Document, path: str) -> list[str]:
    """The strings of the list at `path`."""
    found = get(of, path)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def enabled(of: Document, path: str) -> bool:
    """Whether the object at `path` has `enabled: true`."""
    return get(of, f"{path}.enabled") is True


def whole(value: Any, default: int) -> int:
    """A whole number, `default` for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default
