"""The time of one forward step, whole and by operation."""

from __future__ import annotations

from profiler.estimate import operations
from profiler.estimate.operations import Batch
from profiler.estimate.points import FloatArray, Points
from profiler.estimate.system import System


def by_operation(system: System, points: Points, batch: Batch) -> dict[str, FloatArray]:
    """Milliseconds per operation; their sum is the step, as engines run the operations of a layer one by one."""
    kind, attention = "decode attention", operations.decode_attention
    if not batch.decodes:
        kind, attention = "prefill attention", operations.prefill_attention
    seconds = {
        "dense GEMM": operations.dense_gemm(system, points, batch),
        "experts": operations.expert_gemm(system, points, batch),
        kind: attention(system, points, batch),
        "all-reduce": operations.all_reduce(system, points, batch),
        "dispatch and combine": operations.exchange(system, points, batch),
        "element-wise": operations.element_wise(system, batch),
        "launch": operations.launch(system, batch),
        "head": operations.head(system, points),
    }
    return {name: value * 1e3 for name, value in seconds.items()}


def step_ms(system: System, points: Points, batch: Batch) -> FloatArray:
    """Milliseconds of one step on the GPUs."""
    return sum(by_operation(system, points, batch).values(), start=0 * points.isl)


def host_ms(system: System, points: Points, sequences: FloatArray) -> FloatArray:
    """Milliseconds per decode step that the host adds: scheduling, sampling, detokenising."""
    return system.coefficients.host_ms + system.coefficients.host_request_ms * sequences / points.dp
