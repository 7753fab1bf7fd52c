"""The operations of one forward step, each as a roofline: the slower of computing and moving bytes.

Compute and memory overlap imperfectly near the ridge; `smooth_max` rounds the corner off ("roofline with a smooth
maximum", cf. Williams et al., CACM 2009). All functions take one `System` (scalars), the layout and the `Batch`
(columns) and return seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf

import numpy as np

from profiler.estimate.points import FloatArray, Points
from profiler.estimate.system import System

HEAD_BANDWIDTH = 0.85  # share of the memory bandwidth that the output projection reaches
# Measured where DeepEP's low-latency kernels cross nodes of H100 and H200 (scripts/fit/operations).
NETWORK_HOP_SECONDS = 14e-6
NETWORK_EFFICIENCY = 0.83
EXCHANGE_BYTES = 2.0 + 2.0  # per element of a token: there and back, in 16 bit


@dataclass(frozen=True)
class Batch:
    """What one step works on: sequences that decode at a context, or whole prompts; `rank_*` is the busiest rank's."""

    tokens: FloatArray
    length: FloatArray  # context of the sequences, or tokens of a prompt
    rank_tokens: FloatArray
    rank_requests: FloatArray  # sequences or prompts
    decodes: bool

    @classmethod
    def decoding(cls, points: Points, sequences: FloatArray) -> Batch:
        """`sequences` decode one token each, on average half way through their output."""
        share = sequences / points.dp
        return cls(sequences, points.isl + points.osl / 2, share, share, decodes=True)

    @classmethod
    def prefilling(cls, points: Points, prompts: FloatArray, rank_prompts: FloatArray) -> Batch:
        """`prompts` whole prompts in all, `rank_prompts` of them on the busiest data-parallel rank."""
        return cls(prompts * points.isl, points.isl, rank_prompts * points.isl, rank_prompts, decodes=False)


def smooth_max(a: FloatArray, b: FloatArray) -> FloatArray:
    """(a^3 + b^3)^(1/3): the larger of the two, up to 26 % more where they are equal."""
    high = np.maximum(a, b)
    ratio = np.minimum(a, b) / np.maximum(high, 1e-300)
    return high * np.cbrt(1 + ratio * ratio * ratio)


def dense_parameters(system: System, points: Points) -> FloatArray:
    """Parameters per GPU outside of the routed experts and the embeddings."""
    model = system.model
    split = model.attention_parameters - model.replicated_parameters + model.mlp_parameters
    return model.replicated_parameters + split / points.tp


def dense_gemm(system: System, points: Points, batch: Batch) -> FloatArray:
    """Projections of attention, dense MLPs, shared experts and routers."""
    c, parameters = system.coefficients, dense_parameters(system, points)
    compute = 2 * batch.rank_tokens * parameters / (system.dense_flops * c.dense_compute)
    memory = parameters * system.dense_bytes / (system.gpu.bandwidth * c.dense_bandwidth)
    return smooth_max(compute, memory)


def expert_gemm(system: System, points: Points, batch: Batch) -> FloatArray:
    """Grouped GEMMs of the routed experts: only experts that some token picked are read."""
    model, c = system.model, system.coefficients
    if not model.is_moe:
        return np.zeros_like(batch.tokens)
    share = min(model.experts_per_token / model.experts, 1.0)
    parameters = model.expert_parameters / points.ranks
    # Expected share of experts that at least one of m tokens picks, each expert with probability k/E.
    touched = -np.expm1(batch.tokens * np.log1p(-share)) if share < 1 else 1.0
    compute = 2 * batch.tokens * parameters * share / (system.expert_flops * c.expert_compute)
    memory = touched * parameters * system.expert_bytes / (system.gpu.bandwidth * c.expert_bandwidth)
    imbalance = np.where(points.moe_ep > 1, c.expert_imbalance, 1.0)
    return imbalance * smooth_max(compute, memory)


def decode_attention(system: System, points: Points, batch: Batch) -> FloatArray:
    """Reading the KV cache (and the state of linear attention) of the running sequences."""
    sequences, context = batch.rank_requests, batch.length
    kv_seen, seen = _seen(system, context, 1.0)
    kv = system.kv_bytes / np.minimum(points.tp, system.kv_shards)
    moved = sequences * (kv * kv_seen + system.index_bytes * context + system.state_bytes / points.tp)
    flops = sequences * (system.decode_flops * seen + system.index_flops * context) / points.tp
    memory = moved / (system.gpu.bandwidth * system.coefficients.decode_bandwidth)
    return smooth_max(memory, flops / (system.flops16 * system.coefficients.decode_compute))


def prefill_attention(system: System, points: Points, batch: Batch) -> FloatArray:
    """Attention of whole prompts: quadratic in their length up to a window."""
    isl = batch.length
    _, seen = _seen(system, isl, 2.0)  # of a prompt half is seen on average, of a window all once it is full
    per_token = system.prefill_flops * seen + system.index_flops * isl / 2 + system.state_flops
    flops = batch.rank_requests * isl * per_token / points.tp
    return flops / (system.flops16 * system.coefficients.prefill_compute)


def all_reduce(system: System, points: Points, batch: Batch) -> FloatArray:
    """A sum over the tensor-parallel ranks after each attention and each MLP; `exchange` replaces that of the experts
    where attention is data parallel.

    Latency grows with the logarithm of the ranks, volume is a ring's 2 (N-1)/N; across nodes, each GPU of a node
    carries its share over the network (hierarchical collectives).
    """
    model, tp = system.model, points.tp
    message = batch.rank_tokens * model.hidden * 2.0
    times = np.where(points.dp > 1, model.sublayers - model.moe_layers, model.sublayers)
    local, nodes = _domains(system, tp)
    inside, across = 2 * message * (local - 1) / local, 2 * message / local * (nodes - 1) / nodes
    latency = system.coefficients.hop_us * 1e-6 * np.log2(tp)
    return np.where(tp > 1, times * (latency + _moving(system, local, nodes, inside, across)), 0.0)


def exchange(system: System, points: Points, batch: Batch) -> FloatArray:
    """Dispatch of tokens to their experts, and combining what comes back, where attention is data parallel.

    A token goes to every expert-parallel group that holds one of its k experts: 1 - (1 - 1/EP)^k of them on average
    (balls into bins). With EP 1 that is an all-gather and a reduce-scatter.
    """
    model, ranks = system.model, points.ranks
    if not model.is_moe:
        return np.zeros_like(batch.tokens)
    groups = 1 - (1 - 1 / points.moe_ep) ** model.experts_per_token
    each = batch.rank_tokens / points.tp * model.hidden * EXCHANGE_BYTES * groups
    local, nodes = _domains(system, ranks)
    latency = 2e-6 * system.coefficients.exchange_us
    seconds = latency + _moving(system, local, nodes, each * (local - 1), each * (ranks - local))
    return np.where(points.dp > 1, model.moe_layers * seconds, 0.0)


def element_wise(system: System, batch: Batch) -> FloatArray:
    """Norms, rotary positions, activations and residuals: streamed passes over the hidden state.

    Hyper-connections of n streams move 3 n + 2 hidden states more around each block (mHC, arXiv:2512.24880, fused).
    """
    model = system.model
    passes = system.coefficients.streamed_bytes * (model.sublayers / 2)
    if model.residual_streams > 1:
        passes = passes + model.sublayers * (3 * model.residual_streams + 2)
    moved = passes * batch.rank_tokens * model.hidden * 2
    return moved / system.gpu.bandwidth


def launch(system: System, batch: Batch) -> FloatArray:
    """Launching and draining kernels, the same for every batch."""
    return system.kernels * system.coefficients.kernel_us * 1e-6 + np.zeros_like(batch.tokens)


def head(system: System, points: Points) -> FloatArray:
    """Reading the output projection once, in 16 bit."""
    return 2 * system.model.hidden * system.model.vocab / points.tp / (system.gpu.bandwidth * HEAD_BANDWIDTH)


def _domains(system: System, ranks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ranks that fast links join, and how many such groups there are."""
    together = system.gpu.linked
    return np.minimum(ranks, together), np.ceil(ranks / together)


def _moving(system: System, local: FloatArray, nodes: FloatArray, inside: FloatArray, across: FloatArray) -> FloatArray:
    """Seconds for bytes that each GPU sends over its links and, there and back, over the network."""
    gpu, c = system.gpu, system.coefficients
    # PCIe has no switch that joins all GPUs of a node: what two have to themselves, more of them share.
    shared = np.maximum(local / 2, 1.0) ** c.link_sharing
    seconds = inside * shared / (gpu.link_bandwidth * c.link_efficiency)
    network = 2 * NETWORK_HOP_SECONDS + across / (gpu.network_bandwidth * NETWORK_EFFICIENCY)
    return np.where(nodes > 1, seconds + network, seconds)


def _seen(system: System, length: FloatArray, reach: float) -> tuple[FloatArray, FloatArray]:
    """Positions of `length` that a token sees: means over the layers by KV cache, and by FLOP of attention."""
    each = [length if isinf(span.seen) else np.minimum(length, reach * span.seen) for span in system.spans]
    if len(each) == 1:
        return each[0], each[0]
    kv, flops = np.zeros_like(length), np.zeros_like(length)
    for span, seen in zip(system.spans, each, strict=True):
        kv, flops = kv + span.kv_share * seen, flops + span.flops_share * seen
    return kv, flops
