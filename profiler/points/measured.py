"""A user's own measurements, held against the estimates that they correct.

`profiler.points.measured_files` reads them; how far each of them reaches, `profiler.points.correction` says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from crds.errors import InputError
from profiler.estimate import REASONS, FloatArray, Points
from profiler.models import Model
from profiler.points.correction import SHARES, Correction, Evidence, Place
from profiler.points.questions import Mode, Question
from profiler.profile import LAYOUT, Layout

MOST: Final = 200  # measurements of one system: each asks for a row and a column of a matrix
IMPLAUSIBLE: Final = math.log(20)  # no estimate errs by as much: wrong unit, or another deployment
METRICS: Final = ("ttft_ms", "itl_ms")
# What each kind of engine can be measured in: a prefill worker decodes nothing, a decode worker gets its first token.
METRICS_OF: Final[Mapping[Mode, tuple[str, ...]]] = {"agg": METRICS, "prefill": ("ttft_ms",), "decode": ("itl_ms",)}

System = tuple[Model, str, str]


@dataclass(frozen=True)
class Measurement:
    """One engine under one load and its mean times in ms, 0 where one was not measured.

    `question` is the system and mode, `concurrency` the requests in flight on this engine; messages call it `source`.
    """

    question: Question
    layout: Layout
    isl: float
    osl: float
    concurrency: float
    ttft_ms: float = 0.0
    itl_ms: float = 0.0
    source: str = "a measurement"


@dataclass(frozen=True)
class Compared:
    """A measurement beside the estimates of its point, in ms; 0 where the engine has no such time."""

    measurement: Measurement
    ttft_ms: float
    itl_ms: float

    def offset(self, metric: str) -> float | None:
        """log(measured / estimated) of `ttft_ms` or `itl_ms`; None where it was not measured."""
        value = getattr(self.measurement, metric)
        return math.log(value / getattr(self, metric)) if value else None


@dataclass(frozen=True)
class Measurements:
    """All that a user measured, by system: the model by its shape and format, the GPU, the engine."""

    systems: Mapping[System, tuple[Compared, ...]]

    @classmethod
    def of(cls, measurements: Iterable[Measurement]) -> Measurements:
        """Hold measurements against the estimates of their points.

        Raises InputError for one without an estimate or far from it, and for too many of one system.
        """
        questions: dict[Question, list[Measurement]] = {}
        for measurement in measurements:
            questions.setdefault(measurement.question, []).append(measurement)
        systems: dict[System, list[Compared]] = {}
        for question, members in questions.items():
            systems.setdefault(_system(question), []).extend(_compared(question, members))
        for members_of_one in systems.values():
            if len(members_of_one) > MOST:
                count = f"{len(members_of_one)} measurements of one model, GPU and engine"
                raise InputError(count, f"{MOST} are the most", "give means over repeated runs")
        return cls({system: tuple(found) for system, found in systems.items()})

    def of_system(self, question: Question) -> tuple[Compared, ...]:
        """What was measured of the system of a question, in any layout, mode and load."""
        return self.systems.get(_system(question), ())

    def used(self, questions: Sequence[Question]) -> list[Compared]:
        """What was measured of the systems of some questions, in their order."""
        return [one for question in questions for one in self.of_system(question)]

    def unused(self, questions: Sequence[Question]) -> list[Compared]:
        """What was measured of other systems."""
        asked = {_system(question) for question in questions}
        return [one for system, members in self.systems.items() if system not in asked for one in members]

    def correction(self, question: Question) -> Correction:
        """What it says about a question; neutral where its system was not measured."""
        compared = self.of_system(question)
        evidence = {}
        for metric in METRICS:
            known = [(one.measurement, offset) for one in compared if (offset := one.offset(metric)) is not None]
            if known:
                place = Place.stack([Place.of(_points([one]), one.question.mode) for one, _ in known])
                evidence[metric] = Evidence(place, np.array([offset for _, offset in known]), SHARES[metric])
        return Correction(evidence)


def _compared(question: Question, members: Sequence[Measurement]) -> list[Compared]:
    """Measurements of one question beside its estimates."""
    estimates = question.estimate(_points(members))
    found = []
    for i, one in enumerate(members):
        if estimates.reason[i]:
            raise InputError(f"{one.source} has no estimate to compare with", REASONS[estimates.reason[i]])
        if not all(0 <= time < math.inf for time in (one.ttft_ms, one.itl_ms)):
            raise InputError(f"{one.source}: ttft_ms and itl_ms must be positive numbers of milliseconds")
        known = METRICS_OF[question.mode]
        used = replace(
            one,
            ttft_ms=one.ttft_ms if "ttft_ms" in known else 0.0,
            itl_ms=one.itl_ms if "itl_ms" in known else 0.0,
        )
        if not used.ttft_ms and not used.itl_ms:
            raise InputError(f"{one.source} holds {_neither(question.mode)}")
        compared = Compared(used, float(estimates.ttft_ms[i]), float(estimates.itl_ms[i]))
        for metric in known:
            _check_offset(compared, metric)
        found.append(compared)
    return found


def _neither(mode: Mode) -> str:
    if mode == "agg":
        return "neither ttft_ms nor itl_ms"
    return f"no {METRICS_OF[mode][0]}, all that is measured of a {mode} worker"


def _check_offset(compared: Compared, metric: str) -> None:
    one, offset = compared.measurement, compared.offset(metric)
    if offset is not None and abs(offset) > IMPLAUSIBLE:
        raise InputError(
            f"{one.source}: {metric} {getattr(one, metric):g} cannot be",
            f"the estimate is {getattr(compared, metric):.4g} ms",
            "is it in milliseconds, and of this deployment?",
        )


def _points(members: Sequence[Measurement]) -> Points:
    def column(name: str) -> FloatArray:
        return np.array([getattr(one.layout if name in LAYOUT else one, name) for one in members], dtype=np.float64)

    return Points.of(**{name: column(name) for name in (*LAYOUT, "isl", "osl", "concurrency")})


def _system(question: Question) -> System:
    # By shape and format: the name, the context limit and the KV cache's format do not change what the error is.
    model = replace(question.model, name="", context=1, kv_dtype="bf16")
    return model, question.gpu.sku, str(question.backend)
