"""What hardware a model would take, where none of the request's fits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from profiler.search.deployments import candidates

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.request import Hardware, Request

# Nodes tried: an engine spans at most four (profiler.search.layouts), a prefill and a decode engine twice as many.
_NODES: Final = (1, 2, 4, 8)
_COMMON_NODE: Final = 8  # GPUs; where the request's own nodes are too small for any number of them
_LARGEST_GIB: Final = 4096.0  # of one GPU; beyond that memory is not what is missing


@dataclass(frozen=True)
class Enough:
    """Hardware that would do: so many of the same GPUs in such nodes, or GPUs of so much memory; None = no amount."""

    gpus: int | None
    gpus_per_node: int
    memory_gib: int | None


def enough(request: Request, model: Model) -> Enough:
    """The fewest GPUs of the request's kind, in its nodes if they can, and the least memory of as many as it has."""
    hardware = request.hardware
    for per_node in sorted({hardware.gpus_per_node, _COMMON_NODE}, key=lambda n: n != hardware.gpus_per_node):
        for nodes in _NODES:
            larger = replace(hardware, gpus_per_node=per_node, total_gpus=per_node * nodes)
            fewest = _fewest(request, model, larger)
            if fewest and fewest > hardware.total_gpus:
                return Enough(fewest, per_node, _least_memory(request, model))
    return Enough(None, hardware.gpus_per_node, _least_memory(request, model))


def _fewest(request: Request, model: Model, hardware: Hardware) -> int | None:
    found = candidates(replace(request, hardware=hardware), model)
    return int((found.gpus // found.replicas).min()) if len(found) else None


def _least_memory(request: Request, model: Model) -> int | None:
    """GiB per GPU, to a hundredth, rounded up."""
    hardware = request.hardware

    def fits(gib: float) -> bool:
        gpu = replace(hardware.gpu, memory_bytes=gib * 2**30)
        return _fewest(request, model, replace(hardware, gpu=gpu)) is not None

    low, high = hardware.gpu.memory_bytes / 2**30, _LARGEST_GIB
    if not fits(high):
        return None
    while high > 1.01 * low:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if fits(middle) else (middle, high)
    return int(np.ceil(high))
