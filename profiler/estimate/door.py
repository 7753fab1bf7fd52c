"""The calls that other rooms make: check the points, estimate those that have an answer, add offsets and bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crds.errors import InputError
from crds.vocabulary import ENGINES
from profiler.estimate import feasibility, serving
from profiler.estimate.coefficients import Arrival, Trust, serving_coefficients, trust
from profiler.estimate.memory import Memory, memory
from profiler.estimate.points import Estimates, FloatArray, Points, Reason
from profiler.estimate.serving import Latency
from profiler.estimate.stages import decoding, prefilling
from profiler.estimate.system import System
from profiler.hardware import Gpu
from profiler.models.model import Model

Rate = Callable[[FloatArray, FloatArray], FloatArray]

# No measurement had pipeline stages: their intervals are as much wider as those of a GPU family that nobody measured.
# Judged; there is nothing to check it with.
STAGED_BOUNDS_POWER = 1.6
CHUNK = 16384  # points at a time: their columns stay in the CPU's cache, and memory does not grow with their number


@dataclass(frozen=True)
class _Question:
    """Points made safe to compute with, beside the reasons why some of them have no answer."""

    system: System
    points: Points
    memory: Memory
    reason: npt.NDArray[np.int8]
    trust: Trust

    @classmethod
    def of(cls, model: Model, gpu: Gpu, backend: str, points: Points) -> _Question:
        engine = str(backend)
        if engine not in ENGINES:
            raise InputError(f'cannot estimate backend "{engine}"', f"known are {', '.join(ENGINES)}")
        reason = feasibility.points_at_fault(model, gpu, engine, points)
        system, safe = System.of(model, gpu, engine), points.made_safe(reason != Reason.ANSWERED)
        found = memory(system, safe)
        reason = np.where(reason == Reason.ANSWERED, feasibility.memory_at_fault(safe, found), reason)
        return cls(system, safe, found, reason, trust(model, gpu, engine))

    def without(self, bad: npt.NDArray[np.bool_], why: Reason) -> npt.NDArray[np.int8]:
        """The reasons, with `why` where `bad` and nothing else is at fault."""
        return np.where((self.reason == Reason.ANSWERED) & bad, np.int8(why), self.reason)


def aggregated(
    model: Model,
    gpu: Gpu,
    backend: str,
    points: Points,
    *,
    arrival: Arrival = "steady",
    admission_wait_steps: npt.ArrayLike = 0,
) -> Estimates:
    """Engines that prefill and decode, `points.concurrency` requests in flight on each.

    `arrival`: steady (Poisson, what users see), closed (a fixed number in flight from an empty start, ten rounds) or
    burst (all at once). `admission_wait_steps`: decode steps for which the engine is configured to hold requests back,
    one number or one per point. Raises InputError for an unknown backend.
    """
    waits = np.broadcast_to(np.asarray(admission_wait_steps, dtype=np.float64), len(points))

    def ask(rows: slice) -> Estimates:
        question = _Question.of(model, gpu, backend, points.take(rows))
        safe, system = question.points, question.system
        coefficients = serving_coefficients(model, gpu, system.engine, arrival)
        found = serving.aggregated(system, safe, question.memory, coefficients, arrival, waits[rows])

        def rate(ttft: FloatArray, itl: FloatArray) -> FloatArray:
            return serving.request_rate(safe, ttft, itl)

        return _estimates(question, found, question.reason, rate, safe.osl)

    return _in_chunks(ask, len(points))


def prefill(model: Model, gpu: Gpu, backend: str, points: Points) -> Estimates:
    """One prefill worker: `ttft_ms` of a prompt alone with its first token, `requests_per_s` of a saturated worker.

    The concurrency of the points is not used; `itl_ms` is 0. Raises InputError for an unknown backend.
    """
    question = _Question.of(model, gpu, backend, points)
    safe = question.points
    found, saturated = serving.prefill(question.system, safe), serving.prefill_rate(question.system, safe)

    def rate(ttft: FloatArray, itl: FloatArray) -> FloatArray:  # noqa: ARG001 - nothing decodes here
        return saturated * found.ttft_ms / ttft

    return _estimates(question, found, question.reason, rate, np.ones_like(safe.osl))


def decode(model: Model, gpu: Gpu, backend: str, points: Points) -> Estimates:
    """One decode worker with `points.concurrency` running sequences; `ttft_ms` is 0.

    Points with more sequences than KV memory holds have no answer. Raises InputError for an unknown backend.
    """
    question, reason = _decoding(model, gpu, backend, points)
    safe = question.points

    def rate(ttft: FloatArray, itl: FloatArray) -> FloatArray:  # noqa: ARG001 - the first token comes from elsewhere
        return 1e3 * safe.concurrency / (safe.osl * itl)

    return _estimates(question, serving.decode(question.system, safe), reason, rate, safe.osl)


def breakdown(model: Model, gpu: Gpu, backend: str, points: Points) -> dict[str, FloatArray]:
    """Milliseconds per operation of one decode step; they sum to `decode(...).itl_ms`, 0 where that has no answer."""
    question, reason = _decoding(model, gpu, backend, points)
    parts = decoding(question.system, question.points, np.maximum(question.points.concurrency, 1.0))
    return {name: np.where(reason == Reason.ANSWERED, value, 0.0) for name, value in parts.items()}


def first_token_breakdown(
    model: Model,
    gpu: Gpu,
    backend: str,
    points: Points,
    *,
    arrival: Arrival = "steady",
    admission_wait_steps: npt.ArrayLike = 0,
    alone: bool = False,
) -> dict[str, FloatArray]:
    """Milliseconds per operation and wait until the first token; they sum to `aggregated(...).ttft_ms`.

    With `alone`, of a prefill worker: they sum to `prefill(...).ttft_ms`. 0 where there is no answer.
    """
    question = _Question.of(model, gpu, backend, points)
    safe, system = question.points, question.system
    if alone:
        first = serving.prefill(system, safe).first
    else:
        coefficients = serving_coefficients(model, gpu, system.engine, arrival)
        waits = np.broadcast_to(np.asarray(admission_wait_steps, dtype=np.float64), len(points))
        first = serving.aggregated(system, safe, question.memory, coefficients, arrival, waits).first
    operations = prefilling(system, safe, first.together, first.on_rank)
    scale = first.prompts / sum(operations.values(), start=0 * safe.isl)
    parts = {name: value * scale for name, value in operations.items()} | {
        "host" if alone else "steps that decode": first.steps,
        "outside of steps": first.outside,
        "prompts before it": first.queue,
        "wait for a place": first.place,
    }
    answered = question.reason == Reason.ANSWERED
    return {name: np.where(answered, value, 0.0) for name, value in parts.items()}


def _decoding(model: Model, gpu: Gpu, backend: str, points: Points) -> tuple[_Question, npt.NDArray[np.int8]]:
    """The points of a decode worker, and the reasons: more sequences than KV memory holds are none of its points."""
    question = _Question.of(model, gpu, backend, points)
    full = question.points.concurrency > np.maximum(question.memory.max_concurrency, 1.0)
    return question, question.without(full, Reason.CONCURRENCY)


def _in_chunks(ask: Callable[[slice], Estimates], count: int) -> Estimates:
    if count <= CHUNK:
        return ask(slice(0, count))
    return Estimates.stack([ask(slice(start, start + CHUNK)) for start in range(0, count, CHUNK)])


def _estimates(
    question: _Question, found: Latency, reason: npt.NDArray[np.int8], rate: Rate, tokens: FloatArray
) -> Estimates:
    """The answer with its bounds; `rate` turns (TTFT, ITL) into requests/s, `tokens` is what a request puts out."""
    points, bounds, answered = question.points, question.trust, reason == Reason.ANSWERED
    ttft, itl = found.ttft_ms, found.itl_ms
    wider = np.where(points.pp > 1, STAGED_BOUNDS_POWER, 1.0)
    ttft_low, ttft_high = (ttft * factor**wider for factor in bounds.ttft_bounds)
    itl_low, itl_high = (itl * factor**wider for factor in bounds.itl_bounds)
    rates = [rate(ttft, itl), rate(ttft_high, itl_high), rate(ttft_low, itl_low)]
    per_gpu = [value * tokens / points.gpus for value in rates]
    columns = {
        "ttft_ms": ttft,
        "ttft_p90_ms": found.ttft_p90_ms,
        "itl_ms": itl,
        "throughput_per_gpu": per_gpu[0],
        "requests_per_s": rates[0],
        "running": found.running,
        "memory_gib": question.memory.used_gib(points, found.running),
        "kv_tokens": question.memory.kv_tokens,
        "max_concurrency": question.memory.max_concurrency,
        "ttft_low": ttft_low,
        "ttft_high": ttft_high,
        "itl_low": itl_low,
        "itl_high": itl_high,
        "throughput_low": per_gpu[1],
        "throughput_high": per_gpu[2],
    }
    if not answered.all():
        columns = {name: np.where(answered, column, 0.0) for name, column in columns.items()}
    provenance = "measured" if question.system.gpu.measured else "transferred"
    return Estimates(**columns, reason=reason.astype(np.int8), provenance=provenance, calibrated=bounds.calibrated)
