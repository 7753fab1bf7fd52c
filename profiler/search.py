"""The search: every whole deployment that the budget allows, as columns with their estimates.

Engines are estimated once each (backend, role, layout, concurrency: some hundred rows); deployments combine them
(aggregated: one row per engine; disaggregated: every prefill with every decode engine, in all counts that fit together)
without a loop over rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from crds.vocabulary import Backend
from profiler import estimate
from profiler.candidates import Candidates, Engines, FloatColumn, IntColumn
from profiler.disaggregated import Units, pairs, single_pairs
from profiler.estimate import Estimates, Points
from profiler.layouts import allowed
from profiler.profile import Layout, Role

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.request import Request

NOT_FINITE: Final = "the estimate is not a positive number"
PREFILL_STEP_TOKENS: Final = 8192  # what an engine prefills in one step, per attention-DP rank
PAIR_OVER_BUDGET: Final = "prefill and decode engines together need more GPUs than totalGpus"
_STEPS_PER_OCTAVE: Final = 6
_MAX_SEQUENCES_PER_GPU: Final = 512  # the engines' own batch limits are of this order


@dataclass(frozen=True)
class _Scope:
    """One backend of a request: its layouts, how all layouts are numbered, and counts of what was ruled out."""

    request: Request
    model: Model
    index: int
    layouts: tuple[Layout, ...]
    numbers: IntColumn
    excluded: Counter[str]

    @property
    def backend(self) -> Backend:
        return self.request.backends[self.index]

    @classmethod
    def of(cls, request: Request, model: Model, index: int, known: dict[Layout, int]) -> _Scope:
        """`known` numbers the layouts of all backends; it grows."""
        permitted = allowed(model, request.backends[index], request.hardware)
        numbers = [known.setdefault(layout, len(known)) for layout in permitted.layouts]
        return cls(request, model, index, permitted.layouts, np.array(numbers, dtype=np.int64), permitted.excluded)

    def engines(self, role: Role, ask: Callable[..., Estimates], grid: bool) -> tuple[Engines, Estimates]:
        """Engines of one role in all layouts: at each concurrency of the `grid`, or with the prompts of one step."""
        workload = self.request.workload
        step = max(1, round(PREFILL_STEP_TOKENS / workload.isl))
        sizes = [
            _concurrencies(layout, self.request) if grid else np.array([float(layout.dp * step)])
            for layout in self.layouts
        ]
        which = np.repeat(np.arange(len(sizes)), [len(size) for size in sizes])
        in_flight = np.concatenate(sizes) if sizes else np.zeros(0)
        shape = {
            name: np.array([getattr(layout, name) for layout in self.layouts], dtype=np.int64)[which]
            for name in ("tp", "pp", "dp", "moe_tp", "moe_ep")
        }
        points = Points.of(**shape, isl=workload.isl, osl=workload.osl, concurrency=in_flight)
        answer = ask(self.model, self.request.hardware.gpu, self.backend, points)
        for code, count in enumerate(np.bincount(answer.reason)):
            if code and count:
                self.excluded[estimate.REASONS[code]] += int(count)
        engines = Engines.of(
            answer,
            backend=self.index,
            role=role,
            layout=self.numbers[which],
            gpus=shape["tp"] * shape["pp"] * shape["dp"],
            dp=shape["dp"],
            concurrency=in_flight,
        )
        return engines, answer


def candidates(request: Request, model: Model) -> Candidates:
    """All deployments for `request`, in a fixed order; may be empty, and then `excluded` says why.

    A deployment has as many replicas as the budget allows, or as the load needs where `workload` names one, or one for
    a planner to scale.
    """
    known: dict[Layout, int] = {}
    tables: list[Engines] = []
    aggregated: list[Units] = []
    disaggregated: list[Units] = []
    excluded: Counter[str] = Counter()
    for index in range(len(request.backends)):
        scope = _Scope.of(request, model, index, known)
        start = sum(len(table) for table in tables)
        worker, answer = scope.engines("worker", estimate.aggregated, grid=True)
        worker = _running(worker, scope.excluded)
        prefill, _ = scope.engines("prefill", estimate.prefill, grid=False)
        decode, _ = scope.engines("decode", estimate.decode, grid=True)
        tables += [worker, prefill, decode]
        aggregated.append(_aggregated(worker).shifted(start, 0))
        first = start + len(worker)
        disaggregated.append(_disaggregated(scope, prefill, decode).shifted(first + len(prefill), first))
        excluded += scope.excluded
    units = _of_modes(request, Units.stack(aggregated), Units.stack(disaggregated))
    sound = np.isfinite(units.ttft_ms) & np.isfinite(units.itl_ms) & np.isfinite(units.rate)
    sound &= (units.ttft_ms > 0) & (units.itl_ms > 0) & (units.rate > 0)
    excluded += Counter({NOT_FINITE: int(np.count_nonzero(~sound))})
    return _replicated(
        request,
        units.take(sound),
        backends=request.backends,
        layouts=tuple(known),
        engines=Engines.stack(tables),
        provenance=answer.provenance + (" calibrated" if answer.calibrated else ""),
        excluded=dict(sorted(excluded.items())),
    )


def _of_modes(request: Request, aggregated: Units, disaggregated: Units) -> Units:
    """Both modes; for a planner the one that it is configured for, or pools where two engines fit and else one."""
    if request.planner is None:
        return Units.stack([aggregated, disaggregated])
    mode = request.planner.get("mode") or ("disagg" if len(disaggregated.gpus) else "agg")
    return aggregated if mode == "agg" else disaggregated


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


def _running(engines: Engines, excluded: Counter[str]) -> Engines:
    """The engines that run all their requests: more than fit the KV cache only wait, and show as endless TTFTs."""
    fits = engines.concurrency <= np.maximum(engines.max_concurrency, 1)
    excluded[estimate.REASONS[estimate.Reason.CONCURRENCY]] += int(np.count_nonzero(~fits))
    return engines.take(fits)


def _aggregated(engines: Engines) -> Units:
    one = np.ones(len(engines), dtype=np.int64)
    return Units(
        prefill=-one,
        engine=np.arange(len(engines)),
        prefill_workers=0 * one,
        workers=one,
        gpus=engines.gpus,
        rate=engines.requests_per_s,
        ttft_ms=engines.ttft_ms,
        itl_ms=engines.itl_ms,
    )


def _disaggregated(scope: _Scope, prefill: Engines, decode: Engines) -> Units:
    """Pools with their KV transfer: TTFT = wait + prefill + transfer, plus vLLM's first decode step."""
    hardware = scope.request.hardware
    pair = pairs if scope.request.planner is None else single_pairs
    pools = pair(prefill, decode, hardware.total_gpus)
    if len(prefill) and len(decode) and not len(pools.gpus):
        scope.excluded[PAIR_OVER_BUDGET] += len(prefill) * len(decode)
    ranks = {  # of one attention-DP rank: those share a prompt
        "prefill_gpus": (prefill.gpus // prefill.dp)[pools.prefill],
        "decode_gpus": (decode.gpus // decode.dp)[pools.engine],
    }
    near, far = (
        estimate.kv_transfer_ms(
            scope.model,
            hardware.gpu,
            scope.request.workload.isl,
            **ranks,
            across_nodes=across,
            rdma=hardware.rdma is not False,
        )
        for across in (False, True)
    )
    ttft = pools.ttft_ms + np.where(pools.gpus > hardware.gpus_per_node, far, near)
    if scope.backend is Backend.VLLM:
        # Under NIXL a vLLM decode engine computes the first token again; others receive it with the KV cache.
        ttft = ttft + pools.itl_ms
    return pools.with_ttft(ttft)


def _replicated(request: Request, units: Units, **rest: Any) -> Candidates:
    """Whole deployments: each unit as often as the load needs and the budget allows."""
    osl = request.workload.osl
    in_flight = units.rate * (units.ttft_ms + (osl - 1) * units.itl_ms) / 1000  # Little's law
    replicas = request.hardware.total_gpus // units.gpus
    if request.planner is not None:
        replicas = np.ones_like(replicas)
    elif request.workload.request_rate:
        replicas = _needed(request.workload.request_rate, units.rate, replicas)
    elif request.workload.concurrency:
        replicas = _needed(request.workload.concurrency, in_flight, replicas)
    return Candidates(
        engine=units.engine,
        prefill=units.prefill,
        workers=units.workers,
        prefill_workers=units.prefill_workers,
        replicas=replicas,
        gpus=replicas * units.gpus,
        concurrency=_single(replicas * in_flight),
        ttft_ms=_single(units.ttft_ms),
        itl_ms=_single(units.itl_ms),
        request_rate=_single(replicas * units.rate),
        throughput_per_gpu=_single(units.rate * osl / units.gpus),
        osl=osl,
        **rest,
    )


def _needed(load: float, unit: FloatColumn, most: IntColumn) -> IntColumn:
    """Units that serve `load`, at least one and at most `most`; a load met to a millionth is met."""
    return np.minimum(np.maximum(np.ceil(load / unit - 1e-6), 1), most).astype(np.int64)


def _single(column: NDArray[Any]) -> FloatColumn:
    return column.astype(np.float32).astype(np.float64)
