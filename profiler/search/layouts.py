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
from profiler.models.formats import FP8_BLOCK
from profiler.profile import Layout
from profiler.search.packing import replicas

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.request import Hardware

# Dense models stay inside a node: tensor parallelism over the network costs more latency than it saves. Experts are
# worth spreading further (Dynamo 1.2 profiler: up to 4 nodes per MoE engine).
NODES_PER_DENSE_ENGINE: Final = 1
NODES_PER_MOE_ENGINE: Final = 4
# Four nodes of eight; where NVLink joins smaller nodes (GB200 NVL72: trays of four), an engine may have as many GPUs.
GPUS_PER_RACK_ENGINE: Final = 32

OVER_BUDGET: Final = "engine needs more GPUs than totalGpus"
CUT_BLOCK: Final = "TP cuts an FP8 weight block"


@dataclass(frozen=True)
class Allowed:
    """Layouts to try, smallest first, and how many were ruled out by reason."""

    layouts: tuple[Layout, ...]
    excluded: Counter[str]


@dataclass(frozen=True)
class Shape:
    """One deployment: `workers` engines of a layout, fed by `prefill_workers` of another where prefill is apart."""

    worker: Layout
    workers: int
    prefill: Layout | None = None
    prefill_workers: int = 0

    @property
    def gpus(self) -> int:
        """GPUs of all engines."""
        return self.workers * self.worker.gpus + self.prefill_workers * (self.prefill.gpus if self.prefill else 0)


def allowed(model: Model, backend: Backend, hardware: Hardware) -> Allowed:
    """Layouts of one engine within its nodes and the GPU budget."""
    kept: list[Layout] = []
    excluded: Counter[str] = Counter()
    for layout in _spread(model, hardware):
        if not replicas(hardware, gpus=layout.gpus, workers=1):
            excluded[OVER_BUDGET] += 1
        elif _cuts_block(layout, model, backend):
            excluded[CUT_BLOCK] += 1
        else:
            kept.append(layout)
    return Allowed(tuple(kept), excluded)


def needs_equal_tp(model: Model, backend: Backend) -> bool:
    """Whether prefill and decode engines must split attention alike to hand their state over.

    SGLang cuts and joins KV heads on the way, but not the state of windowed or linear attention (its pull requests
    10912 and 23744); MLA has one latent for all heads, and vLLM and TensorRT-LLM resize whatever they send.
    """
    return backend is Backend.SGLANG and bool(model.linear or (model.latent is None and model.window_layers))


def _spread(model: Model, hardware: Hardware) -> Iterator[Layout]:
    """Dense: TP. Experts: TEP and DEP, and TP where attention is not MLA (whose KV cache TP does not split)."""
    yield Layout()
    for n in _sizes(hardware.gpus_per_node, _most_nodes(model, hardware)):
        if not model.is_moe:
            yield Layout(tp=n)
            continue
        if model.latent is None:
            yield Layout(tp=n, moe_tp=n)
        yield Layout(tp=n, moe_ep=n)
        yield Layout(dp=n, moe_ep=n)


def _most_nodes(model: Model, hardware: Hardware) -> int:
    if not model.is_moe:
        return NODES_PER_DENSE_ENGINE
    if hardware.gpu.link_domain > hardware.gpus_per_node:
        return max(NODES_PER_MOE_ENGINE, GPUS_PER_RACK_ENGINE // hardware.gpus_per_node)
    return NODES_PER_MOE_ENGINE


def _sizes(gpus_per_node: int, nodes: int) -> Iterator[int]:
    """GPUs per engine above 1: powers of two inside a node, then whole nodes, of which all small numbers."""
    n = 2
    while n < gpus_per_node:
        yield n
        n *= 2
    for count in range(1, nodes + 1):
        if count * gpus_per_node > 1 and (count <= NODES_PER_MOE_ENGINE or count & (count - 1) == 0):
            yield count * gpus_per_node


def _cuts_block(layout: Layout, model: Model, backend: Backend) -> bool:
    """Whether a rank's share of an MLP ends inside a tile of block-quantised weights: vLLM and SGLang refuse that."""
    if model.quantization != "fp8_block" or backend is Backend.TRTLLM:
        return False
    width = model.expert_intermediate // layout.moe_tp if model.is_moe else model.intermediate // layout.tp
    return width % FP8_BLOCK != 0
