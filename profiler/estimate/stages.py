"""Pipeline parallelism: the layers in stages, one after the other, each on GPUs of its own.

Engines keep one batch per stage in flight (vLLM's `max_concurrent_batches`, SGLang's `pp_loop_size`, TensorRT-LLM's
micro batches), as training does with micro-batches (GPipe, Huang et al. 2019; Megatron-LM, Narayanan et al. 2021):

    m      batches in flight: one per stage, or fewer where a rank has fewer sequences
    s      the busiest stage's share of a step: its layers rounded up, or rounded down and the output projection
    cycle  step(sequences / m) * max(1, m s): a batch passes all stages, and waits for the busiest one to be free
    chunks of a prompt follow each other: the last one passes all stages, those before it take s of their step each

Layers count as alike. No measurement had stages: these equations rest on the papers, the hop between stages is assumed.
"""

from __future__ import annotations

import numpy as np

from profiler.estimate import operations
from profiler.estimate.operations import Batch
from profiler.estimate.points import FloatArray, Points
from profiler.estimate.step import by_operation, host_ms, step_ms
from profiler.estimate.system import System

CHUNK_TOKENS = 8192.0  # prompt tokens that engines put into one step by default
# One stage handing a batch to the next: ten to twenty us of NCCL send and receive, and the next stage's host that
# wakes up. Assumed.
HOP_SECONDS = 50e-6
SENT_BYTES = 4.0  # per token and hidden unit: hidden state and residual in 16 bit, as vLLM and SGLang send them


def staged(points: Points) -> bool:
    """Whether any point has stages: nothing here costs those that have none."""
    return bool((points.pp > 1).any())


def decoding(system: System, points: Points, sequences: FloatArray) -> dict[str, FloatArray]:
    """Milliseconds per token of `sequences` that only decode, by operation; they sum to `decode_ms`."""
    batches = _batches(points, sequences)
    each = sequences / batches
    parts = by_operation(system, points, Batch.decoding(points, each))
    host = host_ms(system, points, each)
    if not staged(points):
        return parts | {"host": host}
    whole = sum(parts.values(), start=0 * points.isl)
    stretch = np.maximum(1.0, batches * busiest_share(system, points, whole))
    parts = {name: value * stretch for name, value in parts.items()}
    parts["between stages"] = between_stages_ms(system, points, each / points.dp)
    cycle = whole * stretch + parts["between stages"]
    # One scheduler serves all batches: its time for the others hides behind the GPUs' where it is the shorter one.
    return parts | {"host": np.maximum(host, batches * host - cycle)}


def decode_ms(system: System, points: Points, sequences: FloatArray) -> FloatArray:
    """Milliseconds per token of `sequences` that only decode."""
    return sum(decoding(system, points, sequences).values(), start=0 * points.isl)


def prefilling(system: System, points: Points, prompts: FloatArray, rank_prompts: FloatArray) -> dict[str, FloatArray]:
    """Milliseconds until `prompts` whole prompts, `rank_prompts` of them on the busiest rank, are prefilled."""
    parts = by_operation(system, points, Batch.prefilling(points, prompts, rank_prompts))
    if not staged(points):
        return parts
    whole = sum(parts.values(), start=0 * points.isl)
    share = busiest_share(system, points, whole)
    chunk = np.minimum(1.0, CHUNK_TOKENS / (rank_prompts * points.isl))
    last = by_operation(system, points, Batch.prefilling(points, prompts * chunk, rank_prompts * chunk))
    parts = {name: share * value + (1 - share) * last[name] for name, value in parts.items()}
    return parts | {"between stages": between_stages_ms(system, points, rank_prompts * chunk * points.isl)}


def prefill_ms(system: System, points: Points, prompts: FloatArray, rank_prompts: FloatArray) -> FloatArray:
    """Milliseconds until `prompts` whole prompts are prefilled, in a pipeline that had nothing to do."""
    return sum(prefilling(system, points, prompts, rank_prompts).values(), start=0 * points.isl)


def full_prefill_ms(
    system: System, points: Points, prompts: FloatArray, rank_prompts: FloatArray, sequences: FloatArray | None = None
) -> FloatArray:
    """Milliseconds by which a step with these prompts holds up everything else: the busiest stage's time.

    With few `sequences` beside it (None: enough for all stages) there are fewer batches than stages to work on.
    """
    whole = step_ms(system, points, Batch.prefilling(points, prompts, rank_prompts))
    if not staged(points):
        return whole
    share = busiest_share(system, points, whole)
    if sequences is not None:
        share = np.maximum(share, 1.0 / _batches(points, sequences))
    return whole * share


def busiest_share(system: System, points: Points, step: FloatArray) -> FloatArray:
    """The busiest stage's share of a step of `step` ms: 1 where there are no stages."""
    head = operations.head(system, points) * 1e3
    layers = system.model.layers
    first = np.ceil(layers / points.pp) / layers * (step - head)
    last = np.floor(layers / points.pp) / layers * (step - head) + head
    return np.where(points.pp > 1, np.maximum(first, last) / step, 1.0)


def between_stages_ms(system: System, points: Points, rank_tokens: FloatArray) -> FloatArray:
    """Handing one batch on from stage to stage, `rank_tokens` on each data-parallel rank.

    Each tensor-parallel rank sends its slice and the receivers gather the rest over their links (Narayanan et al.
    2021, section 4.1); where the next stage is on another node, the slices also pass the network.
    """
    gpu, efficiency = system.gpu, system.coefficients.link_efficiency
    sent = rank_tokens * system.model.hidden * SENT_BYTES
    stages_of_a_node = np.maximum(np.floor(gpu.linked / points.ranks), 1.0)
    across = np.ceil(points.pp / stages_of_a_node) - 1
    link = HOP_SECONDS + sent / (gpu.link_bandwidth * efficiency)
    network = operations.NETWORK_HOP_SECONDS + sent / points.tp / (gpu.network_bandwidth * efficiency)
    return 1e3 * ((points.pp - 1) * link + across * network)


def _batches(points: Points, sequences: FloatArray) -> FloatArray:
    """Batches in flight."""
    return np.clip(sequences / points.dp, 1.0, points.pp)
