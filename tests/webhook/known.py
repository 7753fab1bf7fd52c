"""Facts as a test states them, and reviews of requests and deployments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from profiler.discovery.pools import Discovery, Pool
from webhook.reviews import Review

TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}


def pool(sku: str = "h200_sxm", total: int = 16, per_node: int = 8, **more: Any) -> Pool:
    nodes = tuple(f"{sku}-{i}" for i in range(total // per_node))
    return Pool(sku, nodes, total, per_node, 143771, **{"rdma": None, "taints": (TAINT,), **more})


@dataclass
class Known:
    """Facts of a cluster; what is not given is unknown."""

    pools: tuple[Pool, ...] | None = None
    ignored: tuple[tuple[str, str], ...] = ()
    requests: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    deployments: set[str] | None = None
    claims: set[str] | None = None
    tokens: set[str] | None = None
    groups: frozenset[str] | None = None

    def discovery(self) -> Discovery | None:
        return Discovery(self.pools, self.ignored) if self.pools is not None else None

    def request(self, namespace: str, name: str, /) -> dict[str, Any] | None:
        return self.requests.get((namespace, name))

    def has_deployment(self, _: str, name: str, /) -> bool | None:
        return name in self.deployments if self.deployments is not None else None

    def has_claim(self, _: str, name: str, /) -> bool | None:
        return name in self.claims if self.claims is not None else None

    def has_token(self, namespace: str, /) -> bool | None:
        return namespace in self.tokens if self.tokens is not None else None

    def api_groups(self) -> frozenset[str] | None:
        return self.groups


def review(document: dict[str, Any], old: dict[str, Any] | None = None, *, user: str = "alice", **more: Any) -> Review:
    operation = more.pop("operation", "CREATE" if old is None else "UPDATE")
    return Review("u-1", operation, more.pop("subresource", ""), "team", "qwen", user, document, old)


def request(spec: dict[str, Any] | None = None, phase: str | None = None, **metadata: Any) -> dict[str, Any]:
    document = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "qwen", "namespace": "team", **metadata},
        "spec": {"model": "Qwen/Qwen3-0.6B", **(spec or {})},
    }
    return document | ({"status": {"phase": phase}} if phase else {})


def deployment(services: dict[str, Any], labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    made_for = {"dgdr.nvidia.com/name": "qwen", "dgdr.nvidia.com/namespace": "team"}
    return {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoGraphDeployment",
        "metadata": {"name": "qwen-dgd", "namespace": "team", "labels": made_for if labels is None else labels},
        "spec": {"services": services, **spec},
    }
