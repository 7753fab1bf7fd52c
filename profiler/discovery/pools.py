"""GPUs of a cluster: pools of one SKU, and what was left out and why. Pure: nodes in, pools out.

Differs from the operator of Dynamo 1.2 where that one is known to be wrong: nodes are summed one by one (it multiplies
its best node by their number), HBM3 parts are SXM (see `crds.skus`), and nodes that cannot take a pod are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crds.fields import get
from crds.vocabulary import MAX_DETECTED_GPUS
from profiler.discovery.nodes import Exporter, GpuNode, read
from profiler.request import GpuPool


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
    interconnect: str | None = None  # nvlink or pcie, as DCGM sees it

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
            interconnect=self.interconnect,
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


def discover(nodes: Iterable[Mapping[str, Any]], exporters: Iterable[Exporter] = ()) -> Discovery:
    """Group Node objects into pools; `exporters` fill in what their labels do not say.

    Nodes without GPUs are passed over, GPU nodes that cannot be used are listed.
    """
    by_node = {exporter.node: exporter for exporter in exporters}
    groups: dict[str, list[GpuNode]] = {}
    ignored: list[tuple[str, str]] = []
    for node in nodes:
        name = get(node, "metadata.name", "")
        found = read(node, by_node.get(name))
        if isinstance(found, str):
            ignored.append((name, found))
        elif found is not None:
            groups.setdefault(found.sku, []).append(found)
    pools = [_pool(sku, members) for sku, members in groups.items()]
    return Discovery(tuple(sorted(pools, key=lambda p: (-p.total_gpus, -p.vram_mb, p.sku))), tuple(ignored))


def _pool(sku: str, members: list[GpuNode]) -> Pool:
    common = [t for t in members[0].taints if all(_same(t, other) for other in members[1:])]
    return Pool(
        sku=sku,
        nodes=tuple(node.name for node in members),
        total_gpus=sum(node.count for node in members),
        gpus_per_node=min(node.count for node in members),
        vram_mb=min(node.memory_mb for node in members),
        rdma=True if all(node.rdma for node in members) else None,
        taints=tuple({k: t[k] for k in ("key", "value", "effect") if t.get(k)} for t in common),
        interconnect=_interconnect(members),
    )


def _interconnect(members: list[GpuNode]) -> str | None:
    """What joins the GPUs of a node, if the nodes of which it is known agree."""
    known = {node.nvlink for node in members} - {None}
    if len(known) != 1:
        return None
    return "nvlink" if True in known else "pcie"


def _same(taint: Mapping[str, str], node: GpuNode) -> bool:
    keys = ("key", "value", "effect")
    return any(all(taint.get(k, "") == other.get(k, "") for k in keys) for other in node.taints)


def _toleration(taint: Mapping[str, str]) -> dict[str, str]:
    match = {"operator": "Equal", "value": taint["value"]} if taint.get("value") else {"operator": "Exists"}
    return {"key": taint["key"], **match, "effect": taint["effect"]}
