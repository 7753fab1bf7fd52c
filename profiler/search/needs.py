"""What a model needs on each kind of GPU: the smallest engine that holds it with one request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from crds.vocabulary import ENGINES
from profiler import estimate
from profiler.estimate import REASONS, Estimates, Points
from profiler.hardware import Gpu
from profiler.models import Model
from profiler.points.questions import lay_out_experts
from profiler.request import Workload

SIZES: Final = (1, 2, 4, 8, 16, 32)  # GPUs, tensor parallel


@dataclass(frozen=True)
class Need:
    """The smallest engine on one kind of GPU, or why there is none.

    `engines` run it at that size; `calibrated` are those of which measurements of this very deployment exist.
    """

    gpu: Gpu
    gpus: int  # 0 = no size fits
    memory_gib: float  # per GPU
    kv_tokens: float
    engines: tuple[str, ...]
    calibrated: tuple[str, ...]
    reason: str


def needs(model: Model, gpus: Iterable[Gpu]) -> list[Need]:
    """One row per kind of GPU."""
    return [_need(model, gpu) for gpu in gpus]


def request_of(model: Model) -> tuple[int, int]:
    """ISL and OSL of the request that must fit: the default lengths, or what the context allows of them."""
    share = min(1.0, model.context / (Workload.isl + Workload.osl))
    return int(Workload.isl * share), int(Workload.osl * share)


def _need(model: Model, gpu: Gpu) -> Need:
    isl, osl = request_of(model)
    sizes = np.array(SIZES, dtype=np.float64)
    moe_tp, moe_ep = lay_out_experts(model, sizes, np.ones_like(sizes))
    points = Points.of(tp=sizes, moe_tp=moe_tp, moe_ep=moe_ep, isl=isl, osl=osl, concurrency=1)
    found = {str(engine): estimate.aggregated(model, gpu, engine, points) for engine in ENGINES}
    places = {engine: _first(estimates) for engine, estimates in found.items()}
    sound = {engine: place for engine, place in places.items() if place is not None}
    if not sound:
        # The largest engine fails for what no size can mend, unless it cuts what the smaller ones do not.
        reasons = [REASONS[estimates.reason[-1]] for estimates in found.values()]
        return Need(gpu, 0, 0.0, 0.0, (), (), reasons[0])
    best = min(sound.values())
    engines = tuple(engine for engine, place in sound.items() if place == best)
    estimates = found[engines[0]]
    return Need(
        gpu=gpu,
        gpus=SIZES[best],
        memory_gib=float(estimates.memory_gib[best]),
        kv_tokens=float(estimates.kv_tokens[best]),
        engines=engines,
        calibrated=tuple(engine for engine in engines if found[engine].calibrated),
        reason="",
    )


def _first(estimates: Estimates) -> int | None:
    places = np.flatnonzero(estimates.answered)
    return int(places[0]) if len(places) else None
