"""The search: every whole deployment that the budget allows, as columns with their estimates.

Engines are estimated once each (backend, role, layout, concurrency: some hundred rows); deployments combine them
(aggregated: one row per engine; disaggregated: every prefill with every decode engine, in all counts that fit together)
without a loop over rows.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from crds.vocabulary import Backend
from profiler import estimate
from profiler.profile import Layout
from profiler.search.columns import Candidates, Engines, FloatColumn, IntColumn
from profiler.search.disaggregated import Units, counted_pairs, pairs, single_pairs
from profiler.search.engines import Scope
from profiler.search.layouts import Shape, needs_equal_tp
from profiler.search.packing import replicas

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.request import Hardware, Request

NOT_FINITE: Final = "the estimate is not a positive number"
PAIR_OVER_BUDGET: Final = "prefill and decode engines together need more GPUs than totalGpus"


def candidates(request: Request, model: Model, shape: Shape | None = None) -> Candidates:
    """All deployments for `request`, in a fixed order; may be empty, and then `excluded` says why.

    A deployment has as many replicas as the budget allows, or as the load needs where `workload` names one, or one for
    a planner to scale. With a `shape` it is that one deployment, at every load.
    """
    known: dict[Layout, int] = {}
    tables: list[Engines] = []
    aggregated: list[Units] = []
    disaggregated: list[Units] = []
    excluded: Counter[str] = Counter()
    for index in range(len(request.backends)):
        scope = Scope.of(request, model, index, known, shape)
        start = sum(len(table) for table in tables)
        worker, answer = scope.engines("worker", estimate.aggregated, grid=True)
        prefill, _ = scope.engines("prefill", estimate.prefill, grid=False)
        decode, _ = scope.engines("decode", estimate.decode, grid=True)
        tables += [worker, prefill, decode]
        aggregated.append(_aggregated(worker, request.hardware).shifted(start, 0))
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


def _aggregated(engines: Engines, hardware: Hardware) -> Units:
    one = np.ones(len(engines), dtype=np.int64)
    return Units(
        prefill=-one,
        engine=np.arange(len(engines)),
        prefill_workers=0 * one,
        workers=one,
        gpus=engines.gpus,
        fit=replicas(hardware, gpus=engines.gpus, workers=1),
        rate=engines.requests_per_s,
        ttft_ms=engines.ttft_ms,
        itl_ms=engines.itl_ms,
    )


def _disaggregated(scope: Scope, prefill: Engines, decode: Engines) -> Units:
    """Pools with their KV transfer: TTFT = wait + prefill + transfer, plus vLLM's first decode step."""
    hardware = scope.request.hardware
    if scope.shape:
        pools = counted_pairs(prefill, decode, hardware, scope.shape)
    else:
        pair = pairs if scope.request.planner is None else single_pairs
        pools = pair(prefill, decode, hardware, equal_tp=needs_equal_tp(scope.model, scope.backend))
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
    number = units.fit
    if request.planner is not None:
        number = np.ones_like(number)
    elif request.workload.request_rate:
        number = _needed(request.workload.request_rate, units.rate, number)
    elif request.workload.concurrency:
        number = _needed(request.workload.concurrency, in_flight, number)
    return Candidates(
        engine=units.engine,
        prefill=units.prefill,
        workers=units.workers,
        prefill_workers=units.prefill_workers,
        replicas=number,
        gpus=number * units.gpus,
        concurrency=_single(number * in_flight),
        ttft_ms=_single(units.ttft_ms),
        itl_ms=_single(units.itl_ms),
        request_rate=_single(number * units.rate),
        throughput_per_gpu=_single(units.rate * osl / units.gpus),
        osl=osl,
        **rest,
    )


def _needed(load: float, unit: FloatColumn, most: IntColumn) -> IntColumn:
    """Units that serve `load`, at least one and at most `most`; a load met to a millionth is met."""
    return np.minimum(np.maximum(np.ceil(load / unit - 1e-6), 1), most).astype(np.int64)


def _single(column: NDArray[Any]) -> FloatColumn:
    return column.astype(np.float32).astype(np.float64)
