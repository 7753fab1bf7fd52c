"""From the product names that GPUs report, or that people type, to the SKUs of the API."""

from __future__ import annotations

import re
from typing import Final

# A whole word of the product name: GH200 is no H200, GB300 no B300, T400 no T4, H20 no H200. What may follow the family
# without a blank: a form factor (H100SXM5, V100-SXM2), AMD's X and A, NVIDIA's S of V100S.
_FAMILY: Final = re.compile(
    r"(?<![A-Z0-9])(GB200|B200|H200|H100|A100|A30|L40S|L40|L4|V100|T4|MI300|MI250|MI200)"
    r"(?:[XAS](?![A-Z0-9])|(?=SXM|PCI|NVL|HGX|DGX)|(?![A-Z0-9]))"
)
# A slice of a GPU (MIG) has neither the memory nor the rates of its SKU.
_SLICE: Final = re.compile(r"(?<![A-Z0-9])MIG(?![A-Z])")
_ONLY: Final = {
    "GB200": "gb200_sxm",
    "B200": "b200_sxm",
    "H200": "h200_sxm",
    "A30": "a30",
    "L40S": "l40s",
    "L40": "l40",
    "L4": "l4",
    "T4": "t4",
    "MI300": "mi300",
    "MI250": "mi200",
    "MI200": "mi200",
}
_SUFFIXES: Final = {"MI300": "XA", "MI250": "X", "V100": "S", "A100": "X"}


# Said without a form factor these are two different GPUs; a person who means one has to say which.
AMBIGUOUS: Final = frozenset({"h100", "a100", "v100"})


def sku_of(product: str) -> str | None:
    """SKU of a GPU by its product name (label nvidia.com/gpu.product, DCGM's modelName), or None if it is none of ours.

    Families with two form factors: SXM, HGX and DGX say SXM, PCIe and NVL say PCIe; otherwise HBM3 says SXM, because
    PCIe cards name themselves (`NVIDIA H100 PCIe`, `NVIDIA H100 NVL`) and the SXM part does not (`NVIDIA H100 80GB
    HBM3`).
    """
    name = product.upper()
    found = _FAMILY.search(name)
    if not found or _SLICE.search(name):
        return None
    family = found[1]
    suffix = found[0][len(family) :]
    if suffix and suffix not in _SUFFIXES.get(family, ""):
        return None
    if family in _ONLY:
        return _ONLY[family]
    if re.search("SXM|HGX|DGX", name):
        return f"{family.lower()}_sxm"
    return f"{family.lower()}_sxm" if "HBM3" in name and not re.search("PCI|NVL", name) else f"{family.lower()}_pcie"
