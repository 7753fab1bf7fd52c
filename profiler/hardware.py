"""GPUs by SKU: memory, bandwidth, peak rates and links, from `data/gpus.json` (each with its source)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from crds.errors import InputError
from crds.fields import did_you_mean


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
    link_domain: int = 1  # GPUs that links of that speed join, where that is more than a node


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
