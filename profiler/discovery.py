"""GPUs of a cluster, from its Node objects: pools of one SKU, and what was left out and why. Pure: nodes in, pools out.

Reads the labels of NVIDIA's GPU feature discovery (nvidia.com/gpu.product, .count, .memory). Differs from the operator
of Dynamo 1.2 where that one is known to be wrong: nodes are summed one by one (it multiplies its best node by their
number), HBM3 parts are SXM (see `crds.skus`), and nodes that cannot take a pod are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crds.fields import get
from crds.skus import sku_of
from crds.vocabulary import MAX_DETECTED_GPUS
from profiler.request import GpuPool

LABEL_PRODUCT = "nvidia.com/gpu.product"
LABEL_COUNT = "nvidia.com/gpu.count"
LABEL_MEMORY = "nvidia.com/gpu.memory"
LABEL_MIG = "nvidia.com/mig.strategy"
RDMA_LABELS = ("nvidia.com/rdma.present", "feature.node.kubernetes.io/rdma.available")
BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")


@dataclass(frozen=True)
class Pool:
    """The usable nodes of one SKU. `gpus_per_node` is the smallest node's, so that every engine fits on every node."""

    sku: str
    nodes: tuple[str, ...]
    total_gpus: int
    gpus_per_node: int
    vram_mb: int
    rdma: bool | None
    taints: tuple[Mapping[str, str], ...]  # on all of its nodes, effects NoSchedule and NoExecute

    @property
    def tolerations(self) -> tuple[dict[str, str], ...]:
        """What a pod must tolerate to run on any node of the pool."""
        return tuple(_toleration(taint) for taint in self.taints)

    def as_detected(self) -> GpuPool:
        """The pool as what stands in for a request's hardware; totalGpus is capped (an explicit value never is)."""
        return GpuPool(
            sku=self.sku,
            total_gpus=min(self.total_gpus, MAX_DETECTED_GPUS),
            gpus_per_node=self.gpus_per_node,
            vram_mb=float(self.vram_mb),
            rdma=self.rdma,
        )


@dataclass(frozen=True)
class Discovery:
    """Pools with the most GPUs first, and each GPU node that was left out with the reason."""

    pools: tuple[Pool, ...]
    ignored: tuple[tuple[str, str], ...] = ()

    def pool(self, sku: str | None = None) -> Pool | None:
        """The largest pool, or the pool of `sku`."""
        return next((pool for pool in self.pools if sku in (None, pool.sku)), None)


@dataclass(frozen=True)
class _Node:
    name: str
    sku: str
    count: int
    memory_mb: int
    rdma: bool
    taints: tuple[Mapping[str, str], ...]


def discover(nodes: Iterable[Mapping[str, Any]]) -> Discovery:
    """Group Node objects into pools. Nodes without GPU labels are passed over, unusable GPU nodes are listed."""
    groups: dict[str, list[_Node]] = {}
    ignored: list[tuple[str, str]] = []
    for node in nodes:
        labels = get(node, "metadata.labels", {})
        if LABEL_PRODUCT not in labels:
            continue
        found = _read(node, labels)
        if isinstance(found, str):
            ignored.append((get(node, "metadata.name", ""), found))
        else:
            groups.setdefault(found.sku, []).append(found)
    pools = [_pool(sku, members) for sku, members in groups.items()]
    return Discovery(tuple(sorted(pools, key=lambda p: (-p.total_gpus, -p.vram_mb, p.sku))), tuple(ignored))


def _read(node: Mapping[str, Any], labels: Mapping[str, str]) -> _Node | str:
    """The node as a usable GPU node, or the reason why it is not one."""
    product = labels[LABEL_PRODUCT]
    sku = sku_of(product)
    if get(node, "spec.unschedulable", False):
        return "cordoned"
    if not _ready(node):
        return "not ready"
    if "-MIG-" in product or labels.get(LABEL_MIG, "none") not in ("", "none"):
        return "MIG is on"
    if sku is None:
        return f'GPU product "{product}" is no SKU of the API'
    count, memory = _number(labels.get(LABEL_COUNT)), _number(labels.get(LABEL_MEMORY))
    if count is None or memory is None:
        return f"labels {LABEL_COUNT} and {LABEL_MEMORY} must be positive numbers"
    return _Node(
        name=get(node, "metadata.name", ""),
        sku=sku,
        count=count,
        memory_mb=memory,
        rdma=any(labels.get(label) == "true" for label in RDMA_LABELS),
        taints=tuple(t for t in get(node, "spec.taints", []) if t.get("effect") in BLOCKING_EFFECTS),
    )


def _pool(sku: str, members: list[_Node]) -> Pool:
    common = [t for t in members[0].taints if all(_same(t, other) for other in members[1:])]
    return Pool(
        sku=sku,
        nodes=tuple(node.name for node in members),
        total_gpus=sum(node.count for node in members),
        gpus_per_node=min(node.count for node in members),
        vram_mb=min(node.memory_mb for node in members),
        rdma=True if all(node.rdma for node in members) else None,
        taints=tuple({k: t[k] for k in ("key", "value", "effect") if t.get(k)} for t in common),
    )


def _same(taint: Mapping[str, str], node: _Node) -> bool:
    keys = ("key", "value", "effect")
    return any(all(taint.get(k, "") == other.get(k, "") for k in keys) for other in node.taints)


def _ready(node: Mapping[str, Any]) -> bool:
    conditions = get(node, "status.conditions", [])
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and int(text) > 0 else None


def _toleration(taint: Mapping[str, str]) -> dict[str, str]:
    match = {"operator": "Equal", "value": taint["value"]} if taint.get("value") else {"operator": "Exists"}
    return {"key": taint["key"], **match, "effect": taint["effect"]}
