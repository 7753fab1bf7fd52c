"""How an engine may be spread over GPUs: the layouts that a model, an engine and a node allow.

No layout here mixes expert TP with expert parallelism (vLLM forbids it) or attention TP with attention DP (TensorRT-LLM
forbids it); whether heads and experts divide evenly, the estimator says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crds.vocabulary import Backend
from profiler.profile import Layout

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.request import Hardware

# Dense models stay inside a node: tensor parallelism over the network costs more latency than it saves. Experts are
# worth spreading further (Dynamo 1.2 profiler: up to 4 nodes per MoE engine).
NODES_PER_DENSE_ENGINE: Final = 1
NODES_PER_MOE_ENGINE: Final = 4
# Block-quantised weights come in tiles of this edge, which vLLM and SGLang refuse to cut (DeepSeek-V3 FP8 format).
FP8_BLOCK: Final = 128

OVER_BUDGET: Final = "engine needs more GPUs than totalGpus"
CUT_BLOCK: Final = "TP cuts an FP8 weight block"


@dataclass(frozen=True)
class Allowed:
    """Layouts to try, smallest first, and how many were ruled out by reason."""

    layouts: tuple[Layout, ...]
    excluded: Counter[str]


def allowed(model: Model, backend: Backend, hardware: Hardware) -> Allowed:
    """Layouts of one engine within its nodes and the GPU budget."""
    kept: list[Layout] = []
    excluded: Counter[str] = Counter()
    for layout in _spread(model, hardware.gpus_per_node):
        if layout.gpus > hardware.total_gpus:
            excluded[OVER_BUDGET] += 1
        elif _cuts_block(layout, model, backend):
            excluded[CUT_BLOCK] += 1
        else:
            kept.append(layout)
    return Allowed(tuple(kept), excluded)


def _spread(model: Model, gpus_per_node: int) -> Iterator[Layout]:
    """Dense: TP. Experts: TEP and DEP, and TP where attention is not MLA (whose KV cache TP does not split)."""
    yield Layout()
    nodes = NODES_PER_MOE_ENGINE if model.is_moe else NODES_PER_DENSE_ENGINE
    for n in _sizes(gpus_per_node, nodes):
        if not model.is_moe:
            yield Layout(tp=n)
            continue
        if model.latent is None:
            yield Layout(tp=n, moe_tp=n)
        yield Layout(tp=n, moe_ep=n)
        yield Layout(dp=n, moe_ep=n)


def _sizes(gpus_per_node: int, nodes: int) -> Iterator[int]:
    """GPUs per engine above 1: powers of two inside a node, then whole nodes, doubling."""
    n = 2
    while n <= gpus_per_node:
        yield n
        n *= 2
    count = 2
    while count <= nodes:
        if count * gpus_per_node >= n:
            yield count * gpus_per_node
        count *= 2


def _cuts_block(layout: Layout, model: Model, backend: Backend) -> bool:
    if model.quantization != "fp8_block" or backend is Backend.TRTLLM:
        return False
    width = model.expert_intermediate // layout.moe_tp if model.is_moe else model.intermediate // layout.tp
    return width % FP8_BLOCK != 0
