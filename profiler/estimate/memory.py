"""GPU memory: weights, what engines need beside them, and the KV cache that is left."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf

import numpy as np

from profiler.estimate.operations import dense_parameters
from profiler.estimate.points import FloatArray, Points
from profiler.estimate.system import System

# CUDA context, graphs, communication buffers and activations; assumed when `memory_use` was fitted.
BESIDE_WEIGHTS_BYTES = 4e9
# A running request holds half of its output at a random moment; the rest is blocks allotted ahead (assumed in the fit).
HELD_OUTPUT = 0.6


@dataclass(frozen=True)
class Memory:
    """Bytes per GPU, and what the KV cache of one engine holds."""

    weights: FloatArray
    for_kv: FloatArray  # may be negative where the weights do not fit
    kv_bytes_per_token: FloatArray  # on each GPU of the rank that holds the token
    kv_tokens: FloatArray  # per engine
    max_concurrency: FloatArray  # requests per engine

    def used_gib(self, points: Points, sequences: FloatArray) -> FloatArray:
        """GiB per GPU with `sequences` requests in memory."""
        kv = sequences / points.dp * held_tokens(points) * self.kv_bytes_per_token
        result: FloatArray = (self.weights + BESIDE_WEIGHTS_BYTES + kv) / 2**30
        return result


def held_tokens(points: Points) -> FloatArray:
    """Tokens that a running request holds on average."""
    return points.isl + HELD_OUTPUT * points.osl


def memory(system: System, points: Points) -> Memory:
    """The memory of one engine. Layers with a sliding window keep no more tokens than the window, those of
    linear attention a state of fixed size.

    Of pipeline stages the fullest counts: layers that do not divide make it larger, and it holds the embedding or the
    output projection (both ends hold a tied one).
    """
    model = system.model
    stage = np.ceil(model.layers / points.pp) / model.layers
    ends = np.where(points.pp > 1, 1, 1 if model.tied_embeddings else 2)
    weights = (
        dense_parameters(system, points) * system.dense_bytes
        + model.expert_parameters / points.ranks * system.expert_bytes
    ) * stage + ends * 2 * model.hidden * model.vocab / points.tp
    for_kv = system.gpu.memory_bytes * system.coefficients.memory_use - weights - BESIDE_WEIGHTS_BYTES
    held = held_tokens(points)
    kept = sum(
        span.kv_share if isinf(span.kept) else span.kv_share * np.minimum(held, span.kept) / held
        for span in system.spans
    )
    state = model.state_bytes / held / points.tp
    kv = system.kv_bytes * kept / np.minimum(points.tp, system.kv_shards)
    per_token = (kv + system.index_bytes + state) * stage
    kv_tokens = points.dp * np.maximum(for_kv, 0.0) / per_token
    return Memory(weights, for_kv, per_token, np.floor(kv_tokens), kv_tokens / held)
