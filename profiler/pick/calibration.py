"""What a user's measurements have to do with a request: which are of what it asks about, and what they changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from crds import vocabulary as v
from crds.errors import InputError
from profiler import search
from profiler.estimate import Points
from profiler.pick.choice import Pick, choose
from profiler.profile import Calibration, Measured, Worker
from profiler.search.columns import Candidates, significant
from profiler.search.engines import question

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.points.measured import Compared, Measurements
    from profiler.points.questions import Question
    from profiler.request import Request

MOST_NAMED: Final = 3  # measurements of something else that a message names


def unused(request: Request, model: Model, measurements: Measurements) -> tuple[str, ...]:
    """A warning about the measurements that are not of the request's model, GPU and engines; empty where all are.

    Raises InputError where none is.
    """
    asked = _questions(request, model)
    used, others = measurements.used(asked), measurements.unused(asked)
    if not others:
        return ()
    named = [f"{one.measurement.source} is of {_difference(one, asked)}" for one in others[:MOST_NAMED]]
    more = [f"{len(others) - MOST_NAMED} more"] if len(others) > MOST_NAMED else []
    text = "; ".join(named + more)
    if not used:
        advice = "measure what you ask about, or profile without --measured"
        raise InputError("nothing that was measured is of what is asked about", text, advice)
    total = len(used) + len(others)
    return (f"{len(others)} of {total} measurements are of something else and not used: {text}",)


def _questions(request: Request, model: Model) -> list[Question]:
    """One for each system of the request: what is measured of an engine in one role corrects it in all."""
    return [question(request, model, backend, "worker") for backend in request.backends]


def _difference(one: Compared, asked: list[Question]) -> str:
    """In what a measurement differs from every question: `GPU b200_sxm (asked: h200_sxm)`."""
    of, first = one.measurement.question, asked[0]
    engines = [str(each.backend) for each in asked]
    parts = []
    if of.gpu.sku != first.gpu.sku:
        parts.append(f"GPU {of.gpu.sku} (asked: {first.gpu.sku})")
    if str(of.backend) not in engines:
        parts.append(f"engine {of.backend} (asked: {' or '.join(engines)})")
    if of.model.name != first.model.name:
        parts.append(f"model {of.model.name} (asked: {first.model.name})")
    elif of.model.quantization != first.model.quantization:
        parts.append(f"weights in {of.model.quantization} (asked: {first.model.quantization})")
    return ", ".join(parts) or f"another checkpoint of {of.model.name}"


def effect(request: Request, model: Model, measurements: Measurements, found: Candidates, chosen: Pick) -> Calibration:
    """What measurements of the request's systems changed: the times of the pick, and which one it is."""
    used = tuple(_measured(one) for one in measurements.used(_questions(request, model)))
    engine, prefill = int(found.engine[chosen.row]), int(found.prefill[chosen.row])

    def factor(metric: str, worker: Worker, row: int) -> float:
        """Corrected over estimated time of one engine of the pick at its load."""
        own = question(request, model, v.Backend(chosen.winner.backend), worker.role)
        points = Points.of(
            **asdict(worker.layout),
            isl=request.workload.isl,
            osl=request.workload.osl,
            concurrency=float(found.engines.concurrency[row]),
        )
        before = own.estimate(points)
        after = measurements.correction(own).apply(before, points, own.mode)
        return significant(getattr(after, metric)[0] / getattr(before, metric)[0])

    return Calibration(
        used=len(used),
        measurements=used,
        ttft_factor=factor("ttft_ms", chosen.winner.workers[0], prefill if prefill >= 0 else engine),
        itl_factor=factor("itl_ms", chosen.winner.workers[-1], engine),
        instead_of=choose(request, search.candidates(request, model)).winner,
    )


def _measured(one: Compared) -> Measured:
    it = one.measurement
    return Measured(
        source=it.source,
        backend=str(it.question.backend),
        mode=it.question.mode,
        layout=it.layout,
        isl=it.isl,
        osl=it.osl,
        concurrency=it.concurrency,
        ttft_ms=it.ttft_ms or None,
        ttft_ms_estimated=significant(one.ttft_ms) if it.ttft_ms else None,
        itl_ms=it.itl_ms or None,
        itl_ms_estimated=significant(one.itl_ms) if it.itl_ms else None,
    )
