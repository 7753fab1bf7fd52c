"""One model on one kind of GPU under one engine: the constants that every step of every layout shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from profiler.estimate.coefficients import PRECISIONS, StepCoefficients, step_coefficients
from profiler.hardware import Gpu
from profiler.models.blocks import Span
from profiler.models.formats import FOUR_BIT, WEIGHT_BYTES, Quantization
from profiler.models.model import Model

# Kernels launched per layer in decode, typical of today's engines. The fitted time per kernel belongs to these counts:
# change one and the other must be fitted again.
KERNELS_ATTENTION = 6
KERNELS_NORM_OR_GATE = 2  # query-key norms, or the gate on the output
KERNELS_LATENT = 11
KERNELS_INDEXER = 8
KERNELS_LINEAR = 10
KERNELS_MLP = 4
KERNELS_EXPERTS = 8
KERNELS_SHARED_EXPERT = 2


@dataclass(frozen=True)
class System:
    """Parameters, rates (FLOP/s) and per-position costs (over all layers) of a model on a GPU under an engine."""

    model: Model
    gpu: Gpu
    engine: str
    coefficients: StepCoefficients
    flops16: float  # attention and everything without quantisation
    dense_flops: float
    expert_flops: float
    dense_bytes: float  # per weight
    expert_bytes: float
    kv_bytes: float  # per token, over all layers and heads
    kv_shards: int  # ranks over which tensor parallelism can split the KV cache
    index_bytes: float  # per position, of the indexer of sparse attention
    index_flops: float
    state_bytes: float  # read and written per step and sequence by linear attention
    state_flops: float
    prefill_flops: float  # per token and visible position (causal half)
    decode_flops: float  # per position
    spans: tuple[Span, ...]  # how far the layers look that share the per-position costs
    kernels: float  # launched per step

    @classmethod
    def of(cls, model: Model, gpu: Gpu, engine: str) -> System:
        """The system of a model, a GPU and an engine (cached: the three are immutable)."""
        return _system(model, gpu, engine)


@lru_cache(maxsize=256)
def _system(model: Model, gpu: Gpu, engine: str) -> System:
    flops16 = gpu.bf16_flops or gpu.fp16_flops  # engines fall back to fp16 where bf16 is missing
    precision, native = PRECISIONS[model.quantization], _native_flops(gpu, model.quantization)
    expert_flops = dense_flops = native or flops16  # without support engines unpack weights and compute in 16 bit
    if model.rest_quantization:
        rest_flops, share = _native_flops(gpu, model.rest_quantization) or flops16, model.rest_share
        dense_flops = 1 / (share / rest_flops + (1 - share) / expert_flops)
    elif model.is_moe and model.quantization in FOUR_BIT:
        dense_flops = flops16  # not quantised, see Model.dense_weight_bytes
    quantise = {"fp8": 1, "fp4": 2}.get(precision, 0) if native else 0
    linear, sparse = model.linear, model.sparse
    state, index_entries = linear.state_elements if linear else 0, model.index_entries_per_token
    return System(
        model=model,
        gpu=gpu,
        engine=engine,
        coefficients=step_coefficients(model, gpu, engine),
        flops16=flops16,
        dense_flops=dense_flops,
        expert_flops=expert_flops,
        dense_bytes=model.dense_weight_bytes,
        expert_bytes=WEIGHT_BYTES[model.quantization],
        kv_bytes=model.kv_elements_per_token * (1.0 if model.kv_dtype == "fp8" and gpu.fp8_flops else 2.0),
        kv_shards=1 if model.latent else model.kv_heads,
        index_bytes=index_entries * sparse.head_dim * 1.03 if sparse else 0.0,  # fp8 keys with one scale per 128
        index_flops=index_entries * 2 * sparse.heads * sparse.head_dim if sparse else 0.0,
        state_bytes=model.state_bytes * 2,  # read and written
        state_flops=state * 8,
        prefill_flops=_prefill_flops(model),
        decode_flops=model.attention_flops_per_position,
        spans=model.spans,
        kernels=_kernels(model) + model.layers * quantise,
    )


def _native_flops(gpu: Gpu, quantization: Quantization) -> float:
    """FLOP/s of GEMMs in the format of the weights, 0 where the GPU has no such instructions or it is 16 bit."""
    return {"fp8": gpu.fp8_flops, "fp4": gpu.fp4_flops}.get(PRECISIONS[quantization], 0.0)


def _prefill_flops(model: Model) -> float:
    if model.latent:
        mla = model.latent  # decode absorbs the up projections, prefill multiplies expanded heads
        return model.full_attention_layers * model.heads * (mla.nope + mla.rope + mla.value)
    return model.attention_flops_per_position / 2


def _kernels(model: Model) -> int:
    if model.latent or model.compressed:
        attention = KERNELS_LATENT
    else:
        attention = KERNELS_ATTENTION + (KERNELS_NORM_OR_GATE if model.query_key_norm or model.gated_attention else 0)
    linear_layers = model.linear.layers if model.linear else 0
    experts = KERNELS_EXPERTS + (KERNELS_SHARED_EXPERT if model.shared_intermediate else 0)
    return (
        model.full_attention_layers * attention
        + model.indexer_layers * KERNELS_INDEXER
        + linear_layers * KERNELS_LINEAR
        + model.dense_layers * KERNELS_MLP
        + model.moe_layers * experts
    )
