"""Answers to a table of points: each question asked once for all of its rows, the rows back in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from profiler.estimate import REASONS, Estimates, FloatArray, Points, Reason, breakdown
from profiler.points.cells import Asked, Question, Rows
from profiler.points.measured import Measurements
from profiler.points.tables import NUMBERS_FOUND

FIELDS = {
    "ttft_ms": "ttft_ms",
    "ttft_ms_low": "ttft_low",
    "ttft_ms_high": "ttft_high",
    "itl_ms": "itl_ms",
    "itl_ms_low": "itl_low",
    "itl_ms_high": "itl_high",
    "throughput_per_gpu": "throughput_per_gpu",
    "throughput_per_gpu_low": "throughput_low",
    "throughput_per_gpu_high": "throughput_high",
    "memory_gib": "memory_gib",
}


@dataclass(frozen=True)
class Answer:
    """The estimates of one question for its rows."""

    question: Question
    rows: Rows
    points: Points
    estimates: Estimates

    def staged(self, place: int) -> bool:
        """Whether a row's layout has pipeline stages, which no measurement had."""
        return bool(self.points.pp[place] > 1)

    def provenance(self, place: int) -> str:
        """`measured` or `transferred`, and ` calibrated` where measurements of the deployment shifted the estimate."""
        whence = "transferred" if self.staged(place) else self.estimates.provenance
        return whence + (" calibrated" if self.estimates.calibrated else "")

    def why_not(self, place: int) -> str:
        """The reason why a row has no answer, empty where it has one."""
        reason, model = Reason(self.estimates.reason[place]), self.question.model
        text = REASONS[reason]
        if reason is Reason.CONTEXT:
            return f"{text} ({model.context:,} tokens)"
        if reason is Reason.EXPERTS and not model.is_moe:
            return f"moe_tp and moe_ep are for models with experts, which {model.name} has none of"
        return text


def answers(asked: Asked, measurements: Measurements | None = None) -> tuple[Answer, ...]:
    """One answer per question; `measurements` shift the estimates of what they measured and of its neighbours."""
    found = []
    for question, rows in asked.questions:
        points = asked.points(question, rows)
        estimates = question.estimate(points)
        if measurements:
            estimates = measurements.correction(question).apply(estimates, points, question.mode)
        found.append(Answer(question, rows, points, estimates))
    return tuple(found)


def columns(asked: Asked, found: Sequence[Answer], length: int) -> Mapping[str, list[Any]]:
    """The columns `profiler.points.FOUND` of a table of `length` rows; None where a row has no such number."""
    numbers = {name: np.full(length, np.nan) for name in NUMBERS_FOUND}
    provenance, reason = [""] * length, [""] * length
    for row, fault in asked.faults.items():
        reason[row] = fault
    for answer in found:
        answered = answer.estimates.answered
        for name in _known(answer.question):
            values: FloatArray = getattr(answer.estimates, FIELDS[name])
            numbers[name][answer.rows] = np.where(answered, values, np.nan)
        for place, row in enumerate(answer.rows.tolist()):
            if answered[place]:
                provenance[row] = answer.provenance(place)
            else:
                reason[row] = answer.why_not(place)
    texts = {"provenance": provenance, "reason": reason}
    return {name: [None if v != v else v for v in column.tolist()] for name, column in numbers.items()} | texts


def _known(question: Question) -> list[str]:
    """A prefill worker has no ITL, a decode worker no TTFT."""
    absent = {"agg": "-", "prefill": "itl_ms", "decode": "ttft_ms"}[question.mode]
    return [name for name in NUMBERS_FOUND if not name.startswith(absent)]


@dataclass(frozen=True)
class Parts:
    """Where the time of a decode step goes: ms by operation, largest first, and how many sequences it has.

    `prompts_ms`: what prefilling the prompts of others adds to the ITL of an aggregated engine.
    """

    operations: Mapping[str, float]
    sequences: float
    prompts_ms: float


def parts(answer: Answer) -> Parts:
    """The parts of the first row's ITL, scaled as measurements scale the whole; none for a prefill worker."""
    question, points, found = answer.question, answer.points, answer.estimates
    if question.mode == "prefill":
        return Parts({}, 0.0, 0.0)
    running = np.clip(points.concurrency, 1.0, np.maximum(found.max_concurrency, 1.0))
    batch = replace(points, concurrency=running)
    alone = breakdown(question.model, question.gpu, question.backend, batch)
    itl, decode = float(found.itl_ms[0]), float(sum(column[0] for column in alone.values()))
    whole = float(question.estimate(points).itl_ms[0])
    scale = itl / max(whole, decode)
    operations = {name: float(column[0]) * scale for name, column in alone.items() if column[0] > 0}
    ordered = dict(sorted(operations.items(), key=lambda item: -item[1]))
    return Parts(ordered, float(running[0]), max(itl - decode * scale, 0.0))
