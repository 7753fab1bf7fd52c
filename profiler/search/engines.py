"""The engines of one backend: each layout that it may have, at each load, with its estimate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crds.vocabulary import Backend
from profiler import estimate
from profiler.estimate import Estimates, Points
from profiler.points.questions import Mode, Question
from profiler.profile import LAYOUT, Layout, Role
from profiler.search.columns import Engines, FloatColumn
from profiler.search.layouts import Shape, allowed

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.points.measured import Measurements
    from profiler.request import Request

MODES: Final[dict[Role, Mode]] = {"worker": "agg", "prefill": "prefill", "decode": "decode"}
PREFILL_STEP_TOKENS: Final = 8192  # what an engine prefills in one step, per attention-DP rank
_STEPS_PER_OCTAVE: Final = 6
_MAX_SEQUENCES_PER_GPU: Final = 512  # the engines' own batch limits are of this order


def question(request: Request, model: Model, backend: Backend, role: Role) -> Question:
    """What the estimator is asked about the engines of a request."""
    return Question(model, request.hardware.gpu_in_nodes, str(backend), MODES[role])


@dataclass(frozen=True)
class Scope:
    """One backend of a request: its layouts, how all layouts are numbered, and counts of what was ruled out."""

    request: Request
    model: Model
    index: int
    layouts: tuple[Layout, ...]
    known: dict[Layout, int]
    excluded: Counter[str]
    shape: Shape | None
    measurements: Measurements | None

    @property
    def backend(self) -> Backend:
        """The engine."""
        return self.request.backends[self.index]

    @classmethod
    def of(
        cls,
        request: Request,
        model: Model,
        index: int,
        known: dict[Layout, int],
        shape: Shape | None,
        measurements: Measurements | None,
    ) -> Scope:
        """`known` numbers the layouts of all backends; it grows. `shape`: this one deployment and no other."""
        if shape:
            return cls(request, model, index, (), known, Counter(), shape, measurements)
        permitted = allowed(model, request.backends[index], request.hardware)
        return cls(request, model, index, permitted.layouts, known, permitted.excluded, None, measurements)

    def engines(self, role: Role, grid: bool) -> tuple[Engines, Estimates]:
        """Engines of one role in all layouts: at each concurrency of the `grid`, or with the prompts of one step.

        What was measured of this system corrects the estimates.
        """
        workload = self.request.workload
        step = max(1, round(PREFILL_STEP_TOKENS / workload.isl))
        layouts = self._layouts(role)
        sizes = [
            _concurrencies(layout, self.request) if grid else np.array([float(layout.dp * step)]) for layout in layouts
        ]
        which = np.repeat(np.arange(len(sizes)), np.array([len(size) for size in sizes], dtype=np.int64))
        in_flight = np.concatenate(sizes) if sizes else np.zeros(0)
        shape = {
            name: np.array([getattr(layout, name) for layout in layouts], dtype=np.int64)[which] for name in LAYOUT
        }
        points = Points.of(**shape, isl=workload.isl, osl=workload.osl, concurrency=in_flight)
        asked = question(self.request, self.model, self.backend, role)
        answer = asked.estimate(points)
        if self.measurements:
            answer = self.measurements.correction(asked).apply(answer, points, asked.mode)
        for code, count in enumerate(np.bincount(answer.reason)):
            if code and count:
                self.excluded[estimate.REASONS[code]] += int(count)
        numbers = np.array([self.known.setdefault(layout, len(self.known)) for layout in layouts], dtype=np.int64)
        engines = Engines.of(
            answer,
            backend=self.index,
            role=role,
            layout=numbers[which],
            gpus=shape["tp"] * shape["pp"] * shape["dp"],
            dp=shape["dp"],
            concurrency=in_flight,
        )
        return self._running(engines) if grid else engines, answer

    def _layouts(self, role: Role) -> tuple[Layout, ...]:
        if self.shape is None:
            return self.layouts
        if role == "prefill":
            return (self.shape.prefill,) if self.shape.prefill else ()
        return (self.shape.worker,) if (role == "worker") == (self.shape.prefill is None) else ()

    def _running(self, engines: Engines) -> Engines:
        """Those that run all their requests: more than fit the KV cache only wait, and show as endless TTFTs."""
        fits = engines.concurrency <= np.maximum(engines.max_concurrency, 1)
        self.excluded[estimate.REASONS[estimate.Reason.CONCURRENCY]] += int(np.count_nonzero(~fits))
        return engines.take(fits)


def _concurrencies(layout: Layout, request: Request) -> FloatColumn:
    """Requests in flight on one engine: whole numbers evenly spaced by ratio, and the equal shares of a given load."""
    top = _MAX_SEQUENCES_PER_GPU * layout.gpus
    grid = np.rint(2 ** np.arange(0, np.log2(top) + 1e-9, 1 / _STEPS_PER_OCTAVE))
    load = request.workload.concurrency
    if load:
        engines = np.arange(1, min(request.hardware.total_gpus // layout.gpus, top) + 1)
        grid = np.concatenate((grid, np.ceil(load / engines)))
    ordered = np.sort(np.minimum(grid, top))
    return ordered[np.diff(ordered, prepend=0) > 0]  # np.unique would import numpy.ma, a tenth of the whole run
