"""Why a point has no answer, with the numbers of that point: the estimator's reason, and what it is about."""

from __future__ import annotations

from typing import Final

from profiler.estimate import REASONS, Points, Reason
from profiler.points.questions import Question
from profiler.profile import LAYOUT

COLUMNS: Final = (*LAYOUT, "isl", "osl")
DETAILS: Final = {
    Reason.CONTEXT: "{model.context:,} tokens",
    Reason.WEIGHTS: "{weights:,.0f} GiB in all, on {gpus:,.0f} x {room:,.0f} GiB",
    Reason.KV_CACHE: "{tokens:,.0f} tokens",
    Reason.DTYPE: "{model.quantization} on {gpu.sku}",
    Reason.ENGINE: "{backend} on {gpu.sku}",
    Reason.HEADS: "{model.heads} heads, {model.kv_heads} of keys and values, tp {tp:,.0f}",
    Reason.MLP: "width {model.intermediate}, tp {tp:,.0f}",
    Reason.EXPERTS: (
        "{model.experts} experts of width {model.expert_intermediate}, "
        "moe_tp {moe_tp:,.0f} * moe_ep {moe_ep:,.0f}, tp {tp:,.0f} * dp {dp:,.0f}"
    ),
    Reason.PIPELINE: "{model.name} in {backend}",
    Reason.STAGES: "{model.layers} layers, pp {pp:,.0f}",
}


def sentence(reason: Reason, question: Question, points: Points, place: int) -> str:
    """The reason of the row at `place`; empty where it has an answer."""
    model, gpu = question.model, question.gpu
    if reason is Reason.EXPERTS and not model.is_moe:
        return f"moe_tp and moe_ep are for models with experts, which {model.name} has none of"
    if reason not in DETAILS:
        return REASONS[reason]
    at = {name: float(getattr(points, name)[place]) for name in COLUMNS}
    detail = DETAILS[reason].format(
        model=model,
        gpu=gpu,
        backend=question.backend,
        weights=model.weight_bytes / 2**30,
        room=gpu.memory_bytes / 2**30,
        gpus=at["tp"] * at["pp"] * at["dp"],
        tokens=at["isl"] + at["osl"],
        **at,
    )
    return f"{REASONS[reason]} ({detail})"
