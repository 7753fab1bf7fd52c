"""GPUs by SKU: memory, bandwidth, peak rates and links, from `data/gpus.json` (each with its source)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from crds.errors import InputError
from crds.fields import did_you_mean

# Words for fast links, without "-" and "_".
NVLINK = ("nvlink", "nvswitch")
INFINITY_FABRIC = ("infinityfabric", "xgmi")


@dataclass(frozen=True)
class Gpu:
    """One GPU by its data sheet. Bytes, bytes/s and FLOP/s (dense); a rate of 0 means the GPU lacks that dtype."""

    sku: str
    name: str
    family: str  # turing volta ampere ada hopper blackwell cdna2 cdna3
    memory_bytes: float
    bandwidth: float
    fp16_flops: float
    bf16_flops: float
    fp8_flops: float
    fp4_flops: float
    link_bandwidth: float  # between GPUs of a node, per direction and GPU
    network_bandwidth: float  # between nodes, per direction and GPU (a default; clusters differ)
    gpus_per_node: int  # a default only; the request or discovery wins
    measured: bool  # whether the estimator's coefficients saw this GPU, end to end or operation by operation
    source: str  # of the numbers
    end_to_end: bool = False  # whether whole engines were measured on it, not single operations alone
    pcie_bandwidth: float = 64e9  # of the board's slot, per direction
    bridge_bandwidth: float = 0.0  # of NVLink bridges that join boards of this kind, per direction; 0 = there are none
    link_domain: int = 1  # GPUs that links of that speed join, where that is more than a node

    @property
    def linked(self) -> int:
        """GPUs that fast links join: a node, or a rack where its nodes are one NVLink domain."""
        return max(self.gpus_per_node, self.link_domain)

    def joined_by(self, interconnect: str) -> Gpu | None:
        """The GPU where this ("pcie", "nvlink") joins those of a node; None where boards of its kind have no such link.

        NVLink bridges join two boards; more of them are estimated as if a switch did.
        """
        link = interconnect.lower().replace("-", "").replace("_", "")
        if link == "pcie":
            slow = min(self.link_bandwidth, self.pcie_bandwidth)
            return replace(
                self, link_bandwidth=slow, network_bandwidth=min(slow, self.network_bandwidth), link_domain=1
            )
        if link in (INFINITY_FABRIC if self.family.startswith("cdna") else NVLINK):
            rate = max(self.link_bandwidth, self.bridge_bandwidth)
            return replace(self, link_bandwidth=rate) if rate > self.pcie_bandwidth else None
        return None


@cache
def _table() -> dict[str, Gpu]:
    text = resources.files("profiler").joinpath("data/gpus.json").read_text(encoding="utf-8")
    fields = Gpu.__dataclass_fields__
    return {sku: Gpu(sku=sku, **{k: v for k, v in row.items() if k in fields}) for sku, row in json.loads(text).items()}


def skus() -> tuple[str, ...]:
    """Every SKU that is known here: those of the API, and others that people measure."""
    return tuple(_table())


def gpu(sku: str, *, vram_mb: float | None = None) -> Gpu:
    """The GPU of a SKU; `vram_mb` (MiB) overrides its memory. Raises InputError for an unknown SKU."""
    table = _table()
    if sku not in table:
        near = did_you_mean(sku, table)
        raise InputError(
            f'unknown GPU SKU "{sku}"',
            f"known are {', '.join(table)}",
            f'did you mean "{near}"?' if near else "",
        )
    found = table[sku]
    return replace(found, memory_bytes=vram_mb * 2**20) if vram_mb else found
