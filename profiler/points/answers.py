"""Answers to a table of points: each question asked once for all of its rows, the rows back in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from profiler.estimate import Estimates, FloatArray, Points, Reason
from profiler.points.cells import Asked, Rows
from profiler.points.measured import Measurements
from profiler.points.questions import Question
from profiler.points.rates import Load
from profiler.points.reasons import sentence
from profiler.points.tables import MORE_FOUND, NUMBERS_FOUND

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
    "ttft_p90_ms": "ttft_p90_ms",
}


@dataclass(frozen=True)
class Answer:
    """The estimates of one question for its rows."""

    question: Question
    rows: Rows
    load: Load
    estimates: Estimates

    @property
    def points(self) -> Points:
        """The layouts and loads, one per row."""
        return self.load.points

    def staged(self, place: int) -> bool:
        """Whether a row's layout has pipeline stages, which no measurement had."""
        return bool(self.points.pp[place] > 1)

    def provenance(self, place: int) -> str:
        """`measured` or `transferred`, and ` calibrated` where measurements of the deployment shifted the estimate."""
        whence = "transferred" if self.staged(place) else self.estimates.provenance
        return whence + (" calibrated" if self.estimates.calibrated else "")

    def why_not(self, place: int) -> str:
        """The reason why a row has no answer, empty where it has one."""
        reason = Reason(self.estimates.reason[place])
        return self.load.beyond(place) or sentence(reason, self.question, self.points, place)


def answers(asked: Asked, measurements: Measurements | None = None) -> tuple[Answer, ...]:
    """One answer per question; `measurements` shift the estimates of what they measured and of its neighbours."""
    found = []
    for question, rows in asked.questions:
        ask = _estimate(question, measurements)
        load = Load.of(asked, question, rows, ask)
        found.append(Answer(question, rows, load, ask(load.points)))
    return tuple(found)


def _estimate(question: Question, measurements: Measurements | None) -> Callable[[Points], Estimates]:
    correction = measurements.correction(question) if measurements else None

    def ask(points: Points) -> Estimates:
        estimates = question.estimate(points)
        return correction.apply(estimates, points, question.mode) if correction else estimates

    return ask


def columns(asked: Asked, found: Sequence[Answer], length: int) -> Mapping[str, list[Any]]:
    """The columns `profiler.points.FOUND` of a table of `length` rows; None where a row has no such number."""
    numbers = {name: np.full(length, np.nan) for name in (*NUMBERS_FOUND, *MORE_FOUND)}
    provenance, reason = [""] * length, [""] * length
    for row, fault in asked.faults.items():
        reason[row] = fault
    for answer in found:
        answered = answer.estimates.answered
        for name in _known(answer.question):
            values: FloatArray = answer.points.concurrency if name == "in_flight" else _found(answer, name)
            numbers[name][answer.rows] = np.where(answered, values, np.nan)
        for place, row in enumerate(answer.rows.tolist()):
            if answered[place]:
                provenance[row] = answer.provenance(place)
            else:
                reason[row] = answer.why_not(place)
    texts = {"provenance": provenance, "reason": reason}
    return {name: [None if v != v else v for v in column.tolist()] for name, column in numbers.items()} | texts


def _found(answer: Answer, name: str) -> FloatArray:
    values: FloatArray = getattr(answer.estimates, FIELDS[name])
    return values


def _known(question: Question) -> list[str]:
    """A prefill worker has no ITL and nothing in flight, a decode worker no TTFT."""
    absent = {"agg": (), "prefill": ("itl", "in_flight"), "decode": ("ttft",)}[question.mode]
    return [name for name in (*NUMBERS_FOUND, *MORE_FOUND) if not name.startswith(absent)]
