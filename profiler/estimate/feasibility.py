"""Which points have no answer, and why: checked before any time is computed."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import numpy.typing as npt

from profiler.estimate.coefficients import PRECISIONS
from profiler.estimate.memory import Memory
from profiler.estimate.points import TOO_LARGE, BoolArray, FloatArray, Points, Reason
from profiler.hardware import Gpu
from profiler.models.model import Model

Reasons = npt.NDArray[np.int8]
Checks = tuple[tuple[Reason, BoolArray | np.bool_], ...]

# GPU families that an engine runs on: what its recent releases name as supported.
ENGINE_FAMILIES = {
    "vllm": {"volta", "turing", "ampere", "ada", "hopper", "blackwell", "cdna2", "cdna3"},
    "sglang": {"turing", "ampere", "ada", "hopper", "blackwell", "cdna3"},
    "trtllm": {"ampere", "ada", "hopper", "blackwell"},
}
# Families without the instructions of a format where engines have kernels that unpack weights to 16 bit, or native
# support. Others refuse to start.
DTYPE_FAMILIES = {
    "bf16": {"volta", "turing", "ampere", "ada", "hopper", "blackwell", "cdna2", "cdna3"},  # as fp16 where needed
    "fp8": {"ampere", "ada", "hopper", "blackwell", "cdna3"},
    "int4": {"turing", "ampere", "ada", "hopper", "blackwell", "cdna3"},
    "fp4": {"ampere", "ada", "hopper", "blackwell", "cdna3"},
}
# Attention that an engine does not cut into pipeline stages: SGLang's models with linear attention (Qwen3-Next) assert
# that they are the first and the last stage. vLLM and TensorRT-LLM take stages for all that the catalogue has.
UNSTAGED_ATTENTION: dict[str, set[str]] = {"vllm": set(), "sglang": {"lin"}, "trtllm": set()}


def points_at_fault(model: Model, gpu: Gpu, engine: str, points: Points) -> Reasons:
    """The first reason that applies to each point, from the model, the engine and the layout alone."""
    columns: FloatArray = np.stack([getattr(points, field.name) for field in fields(points)])
    layout, known = columns[:5], np.where(np.isnan(columns), 1.0, columns)
    insane: Checks = (
        (Reason.NOT_A_NUMBER, np.isnan(columns).any(axis=0)),
        (Reason.NOT_POSITIVE, (known <= 0).any(axis=0) | (points.isl < 1) | (points.osl < 1)),
        (Reason.TOO_LARGE, (known >= TOO_LARGE).any(axis=0)),
        (Reason.NOT_WHOLE, (layout != np.floor(layout)).any(axis=0)),
    )
    sane = _first(insane) == Reason.ANSWERED
    whole = points.made_safe(~sane)
    everywhere = np.ones_like(sane)
    checks: Checks = (
        *insane,
        (Reason.ENGINE, everywhere & (gpu.family not in ENGINE_FAMILIES[engine])),
        (Reason.DTYPE, everywhere & (gpu.family not in DTYPE_FAMILIES[PRECISIONS[model.quantization]])),
        (Reason.PIPELINE, (whole.pp > 1) & (model.attention in UNSTAGED_ATTENTION[engine])),
        (Reason.STAGES, whole.pp > model.layers),
        (Reason.CONTEXT, whole.isl + whole.osl > model.context),
        (Reason.HEADS, ~_heads_split(model, whole)),
        (Reason.MLP, _rest(model.intermediate if model.dense_layers else 0, whole.tp)),
        (Reason.DATA_PARALLEL, (whole.dp > 1) & (not model.is_moe)),
        (Reason.EXPERTS, ~_experts_split(model, whole)),
    )
    return _first(checks)


def memory_at_fault(points: Points, found: Memory) -> Reasons:
    """Points whose weights or whose longest request do not fit."""
    return _first(
        (
            (Reason.WEIGHTS, found.for_kv <= 0),
            (Reason.KV_CACHE, found.kv_tokens / points.dp < points.isl + points.osl),
        )
    )


def _first(checks: Checks) -> Reasons:
    conditions = [condition for _, condition in checks]
    return np.select(conditions, [np.int8(reason) for reason, _ in checks], np.int8(Reason.ANSWERED)).astype(np.int8)


def _rest(width: float | FloatArray, parts: float | FloatArray) -> BoolArray:
    quotient = width / parts  # exact where it is whole; a remainder of floats takes ten times as long
    result: BoolArray = np.not_equal(quotient, np.floor(quotient))
    return result


def _heads_split(model: Model, points: Points) -> BoolArray:
    whole = ~_rest(model.heads, points.tp)
    if model.latent:
        return whole
    # KV heads are split, or copied where there are fewer than ranks.
    split: BoolArray = ~_rest(model.kv_heads, points.tp) | ~_rest(points.tp, model.kv_heads)
    return whole & split


def _experts_split(model: Model, points: Points) -> BoolArray:
    if not model.is_moe:
        dense: BoolArray = points.moe_tp * points.moe_ep == 1
        return dense
    result: BoolArray = (
        (points.moe_tp * points.moe_ep == points.ranks)
        & ~_rest(model.experts, points.moe_ep)
        & ~_rest(model.expert_intermediate, points.moe_tp)
    )
    return result
