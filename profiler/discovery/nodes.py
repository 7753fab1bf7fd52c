"""One Node object as a GPU node, or the reason why it is none that can be used. Pure.

Reads the labels of NVIDIA's GPU feature discovery (nvidia.com/gpu.*) and of AMD's node labeller (amd.com/gpu.*, before
that beta.amd.com/gpu.*); where a node has no labels, what its DCGM exporter says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from crds.fields import get
from crds.skus import sku_of

LABEL_PRODUCT: Final = "nvidia.com/gpu.product"
LABEL_COUNT: Final = "nvidia.com/gpu.count"
LABEL_MEMORY: Final = "nvidia.com/gpu.memory"
LABEL_REPLICAS: Final = "nvidia.com/gpu.replicas"
AMD_LABELS: Final = ("amd.com/gpu", "beta.amd.com/gpu")
AMD_PRODUCT: Final = "product-name"
AMD_MEMORY: Final = "vram"
NVIDIA_RESOURCE: Final = "nvidia.com/gpu"
AMD_RESOURCE: Final = "amd.com/gpu"
RDMA_LABELS: Final = ("nvidia.com/rdma.present", "feature.node.kubernetes.io/rdma.available")
BLOCKING_EFFECTS: Final = ("NoSchedule", "NoExecute")
# Taints that Kubernetes itself sets for what ails a node just now: no workload may be made to tolerate them.
_OF_THE_MOMENT: Final = re.compile(r"node(\.cloudprovider)?\.kubernetes\.io/")
_MIG_DEVICES: Final = re.compile(r"nvidia\.com/mig-.+\.count")
_GIB_IN_MIB: Final = 1024


@dataclass(frozen=True)
class Exporter:
    """What the DCGM exporter on a node says of its GPUs. Memory in MiB of one GPU, 0 where it does not say."""

    node: str
    product: str
    gpus: int
    memory_mb: int
    nvlink: bool
    sliced: bool = False  # MIG


@dataclass(frozen=True)
class GpuNode:
    """A node whose GPUs can be used. `nvlink` and `rdma` are None where nobody says."""

    name: str
    sku: str
    count: int
    memory_mb: int
    rdma: bool | None
    nvlink: bool | None
    taints: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class _Gpus:
    product: str
    count: int | None
    memory_mb: int | None


def product_of(labels: Mapping[str, str]) -> str:
    """The GPU product that labels name, "" if none."""
    keys = (LABEL_PRODUCT, *(f"{prefix}.{AMD_PRODUCT}" for prefix in AMD_LABELS))
    return next((labels[key] for key in keys if labels.get(key)), "")


def read(node: Mapping[str, Any], exporter: Exporter | None) -> GpuNode | str | None:
    """The node as a GPU node, the reason why its GPUs cannot be used, or None where it has none."""
    labels = get(node, "metadata.labels", {})
    gpus = _nvidia(labels) or _amd(node, labels) or _exported(exporter)
    if gpus is None:
        return _unlabelled(node)
    obstacle = _obstacle(node, labels, gpus.product, exporter)
    if obstacle:
        return obstacle
    sku = sku_of(gpus.product)
    if sku is None:
        return f'GPU product "{gpus.product}" is no SKU of the API'
    count = gpus.count or (exporter.gpus if exporter else None)
    memory = gpus.memory_mb or (exporter.memory_mb if exporter else None)
    if not count or not memory:
        return "nothing says how many GPUs it has" if not count else "nothing says how much memory its GPUs have"
    return GpuNode(
        name=get(node, "metadata.name", ""),
        sku=sku,
        count=count,
        memory_mb=memory,
        rdma=True if any(labels.get(label) == "true" for label in RDMA_LABELS) else None,
        nvlink=exporter.nvlink if exporter else None,
        taints=tuple(taint for taint in get(node, "spec.taints", []) if _lasting(taint)),
    )


def _nvidia(labels: Mapping[str, str]) -> _Gpus | None:
    product = labels.get(LABEL_PRODUCT)
    return _Gpus(product, _number(labels.get(LABEL_COUNT)), _number(labels.get(LABEL_MEMORY))) if product else None


def _amd(node: Mapping[str, Any], labels: Mapping[str, str]) -> _Gpus | None:
    """AMD's labels name the product and its memory (`192G`, in GiB); how many there are is the resource."""
    for prefix in AMD_LABELS:
        product = labels.get(f"{prefix}.{AMD_PRODUCT}")
        if product:
            gib = _number(labels.get(f"{prefix}.{AMD_MEMORY}", "").removesuffix("G"))
            return _Gpus(product, _resource(node, AMD_RESOURCE), gib * _GIB_IN_MIB if gib else None)
    return None


def _exported(exporter: Exporter | None) -> _Gpus | None:
    return _Gpus(exporter.product, exporter.gpus, exporter.memory_mb) if exporter else None


def _unlabelled(node: Mapping[str, Any]) -> str | None:
    for resource, what in ((NVIDIA_RESOURCE, "GPU feature discovery"), (AMD_RESOURCE, "AMD's node labeller")):
        if _resource(node, resource):
            return f"its GPUs have no labels of {what}"
    return None


def _obstacle(
    node: Mapping[str, Any], labels: Mapping[str, str], product: str, exporter: Exporter | None
) -> str | None:
    if get(node, "spec.unschedulable", False):
        return "cordoned"
    if not _ready(node):
        return "not ready"
    # The label mig.strategy says nothing: the GPU operator sets it everywhere.
    devices = any(_MIG_DEVICES.fullmatch(key) and _number(value) for key, value in labels.items())
    if "-MIG-" in product or devices or (exporter is not None and exporter.sliced):
        return "MIG is on"
    if (_number(labels.get(LABEL_REPLICAS)) or 1) > 1:
        return "its GPUs are shared"
    return None


def _lasting(taint: Mapping[str, str]) -> bool:
    return taint.get("effect") in BLOCKING_EFFECTS and not _OF_THE_MOMENT.match(taint.get("key", ""))


def _ready(node: Mapping[str, Any]) -> bool:
    conditions = get(node, "status.conditions", [])
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _resource(node: Mapping[str, Any], name: str) -> int | None:
    return _number(str(get(node, "status.allocatable", {}).get(name, "")))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and int(text) > 0 else None
