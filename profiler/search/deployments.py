"""The search: every whole deployment that the budget allows, as columns with their estimates.

Engines are estimated once each (backend, role, layout, concurrency: some hundred rows); deployments combine them
(aggregated: one row per engine; disaggregated: every prefill with every decode engine, in all counts that fit together)
without a loop over rows, and in blocks, so that what is calculated on the way stays small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
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
    from profiler.points.measured import Measurements
    from profiler.request import Hardware, Request

NOT_FINITE: Final = "the estimate is not a positive number"
PAIRS_AT_ONCE: Final = 16_384  # each becomes up to 39 rows of some 100 bytes before those that do not fit are left out
PAIR_OVER_BUDGET: Final = "prefill and decode engines together need more GPUs than totalGpus"
_ROUNDING: Final = 1.001  # far more than single precision and the tolerance of a target take

Columns = dict[str, NDArray[Any]]  # those of `Candidates` that have a row for each deployment


def candidates(
    request: Request,
    model: Model,
    shape: Shape | None = None,
    *,
    measurements: Measurements | None = None,
    within_targets: bool = False,
) -> Candidates:
    """All deployments for `request`, in a fixed order; may be empty, and then `excluded` says why.

    A deployment has as many replicas as the budget allows, or as the load needs where `workload` names one, or one for
    a planner to scale. With a `shape` it is that one deployment, at every load. `measurements` correct the estimates of
    every engine of a system that was measured. `within_targets` leaves out most of those that miss a latency target,
    before they cost time and memory.
    """
    keep = within_targets and request.planner is None  # a planner's mode follows from what there is
    known: dict[Layout, int] = {}
    tables: list[Engines] = []
    aggregated: list[Columns] = []
    disaggregated: list[Columns] = []
    excluded: Counter[str] = Counter()
    provenance: list[str] = []
    for index in range(len(request.backends)):
        scope = Scope.of(request, model, index, known, shape, measurements)
        start = sum(len(table) for table in tables)
        worker, answer = scope.engines("worker", grid=True)
        prefill, _ = scope.engines("prefill", grid=False)
        decode, _ = scope.engines("decode", grid=True)
        provenance.append(answer.provenance + (" calibrated" if answer.calibrated else ""))
        if keep:
            worker, prefill, decode = (_within_targets(request, table) for table in (worker, prefill, decode))
        tables += [worker, prefill, decode]
        aggregated.append(_replicated(scope, _aggregated(worker, request.hardware).shifted(start, 0)))
        first = start + len(worker)
        for units in _disaggregated(scope, prefill, decode):
            disaggregated.append(_replicated(scope, units.shifted(first + len(prefill), first)))
        excluded += scope.excluded
    return Candidates(
        **_joined(_of_modes(request, aggregated, disaggregated)),
        backends=request.backends,
        layouts=tuple(known),
        engines=Engines.stack(tables),
        osl=request.workload.osl,
        provenance=tuple(provenance),
        excluded=dict(sorted(excluded.items())),
    )


def _within_targets(request: Request, engines: Engines) -> Engines:
    """The engines that alone, without queues and transfers, are no more than rounding beyond the latency targets."""
    sla, osl = request.sla, request.workload.osl
    kept = np.ones(len(engines), dtype=np.bool_)
    for limit, values in (
        (sla.ttft_ms, engines.ttft_ms),
        (sla.itl_ms, engines.itl_ms),
        (sla.e2e_latency_ms, engines.ttft_ms + (osl - 1) * engines.itl_ms),
    ):
        if limit is not None:
            kept &= values <= _ROUNDING * limit
    return engines.take(kept)


def _of_modes(request: Request, aggregated: list[Columns], disaggregated: list[Columns]) -> list[Columns]:
    """Both modes; for a planner the one that it is configured for, or pools where two engines fit and else one."""
    if request.planner is None:
        return aggregated + disaggregated
    pools = any(len(block["gpus"]) for block in disaggregated)
    mode = request.planner.get("mode") or ("disagg" if pools else "agg")
    return aggregated if mode == "agg" else disaggregated


def _joined(blocks: list[Columns]) -> Columns:
    """The columns of all blocks, in order. They are taken out of the blocks, so that no column is there twice."""
    return {name: np.concatenate([block.pop(name) for block in blocks]) for name in tuple(blocks[0])}


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


def _disaggregated(scope: Scope, prefill: Engines, decode: Engines) -> Iterator[Units]:
    """Pools with their KV transfer, in blocks of some decode engines with every prefill engine."""
    step = max(1, PAIRS_AT_ONCE // max(1, len(prefill)))
    found = 0
    for start in range(0, max(1, len(decode)), step):
        pools = _pools(scope, prefill, decode.take(slice(start, start + step)))
        found += len(pools.gpus)
        yield pools.shifted(start, 0)
    if len(prefill) and len(decode) and not found:
        scope.excluded[PAIR_OVER_BUDGET] += len(prefill) * len(decode)


def _pools(scope: Scope, prefill: Engines, decode: Engines) -> Units:
    """All pools of these engines: TTFT = prefill pool + transfer + hand-over, plus vLLM's first decode step."""
    hardware = scope.request.hardware
    if scope.shape:
        pools = counted_pairs(prefill, decode, hardware, scope.shape)
    else:
        pair = pairs if scope.request.planner is None else single_pairs
        pools = pair(prefill, decode, hardware, equal_tp=needs_equal_tp(scope.model, scope.backend))
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
    ttft = pools.ttft_ms + np.where(pools.gpus > hardware.gpu_in_nodes.linked, far, near)
    ttft = ttft + estimate.handover_ms(pools.itl_ms)
    if scope.backend is Backend.VLLM:
        # Under NIXL a vLLM decode engine computes the first token again; others receive it with the KV cache.
        ttft = ttft + pools.itl_ms
    return pools.with_ttft(ttft)


def _replicated(scope: Scope, units: Units) -> Columns:
    """Whole deployments: each unit as often as the load needs and the budget allows."""
    request, osl = scope.request, scope.request.workload.osl
    sound = np.isfinite(units.ttft_ms) & np.isfinite(units.itl_ms) & np.isfinite(units.rate)
    sound &= (units.ttft_ms > 0) & (units.itl_ms > 0) & (units.rate > 0)
    if not sound.all():
        scope.excluded[NOT_FINITE] += int(np.count_nonzero(~sound))
        units = units.take(sound)
    in_flight = units.rate * (units.ttft_ms + (osl - 1) * units.itl_ms) / 1000  # Little's law
    number = units.fit
    if request.planner is not None:
        number = np.ones_like(number)
    elif request.workload.request_rate:
        number = _needed(request.workload.request_rate, units.rate, number)
    elif request.workload.concurrency:
        number = _needed(request.workload.concurrency, in_flight, number)
    counts = {
        "engine": units.engine,
        "prefill": units.prefill,
        "workers": units.workers,
        "prefill_workers": units.prefill_workers,
        "replicas": number,
        "gpus": number * units.gpus,
    }
    measures = {
        "concurrency": number * in_flight,
        "ttft_ms": units.ttft_ms,
        "itl_ms": units.itl_ms,
        "request_rate": number * units.rate,
        "throughput_per_gpu": units.rate * osl / units.gpus,
    }
    return {name: column.astype(np.int32) for name, column in counts.items()} | {
        name: column.astype(np.float32) for name, column in measures.items()
    }


def _needed(load: float, unit: FloatColumn, most: IntColumn) -> IntColumn:
    """Units that serve `load`, at least one and at most `most`; a load met to a millionth is met."""
    return np.minimum(np.maximum(np.ceil(load / unit - 1e-6), 1), most).astype(np.int64)
