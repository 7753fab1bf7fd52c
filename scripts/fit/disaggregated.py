"""Disaggregated rows that state their workers, against the search's prefill pools, KV transfer, hand-over and decode.

The rows check that estimates of single engines add up to those of pools; only HANDOVER_STEPS was taken from them, and
how much wider the intervals of pools are (`widened`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from profiler.estimate import Estimates, FloatArray, Points, decode, handover_ms, kv_transfer_ms, prefill
from profiler.hardware import Gpu, gpu
from profiler.models import Model
from scripts.fit import recipes
from scripts.fit.closed_loop import DecodePool, Loop, PrefillPool, closed_loop
from scripts.fit.groups import Column, served, sku
from scripts.fit.intervals import LEVEL
from scripts.fit.rows import ARCHITECTURES, PUBLIC_LENGTHS, quantization

PREFILL_STEP_TOKENS = 8192  # per attention-DP rank
LOADS = 40  # of a decode worker at which its ITL is estimated; it is smooth in between
BUSY = 0.9  # utilisation of a prefill pool at which requests begin to pile up before it
TRAY = 4  # GPUs of a GB200 or GB300 compute tray


@dataclass(frozen=True)
class Pools:
    """One row: pools under a closed loop, and what was measured. Times in ms."""

    model: Model
    gpu: Gpu
    sku: str
    engine: str
    architecture: str
    precision: str
    prefill: Mapping[str, float]
    decode: Mapping[str, float]
    prefill_workers: int
    decode_workers: int
    slots: float  # sequences that a decode worker runs at most; inf where no recipe says it
    isl: float
    osl: float
    concurrency: float
    ttft_ms: float
    itl_ms: float

    @property
    def deployment(self) -> str:
        """Architecture, GPU, engine and precision."""
        return f"{self.architecture}|{self.sku}|{self.engine}|{self.precision}"


@dataclass(frozen=True)
class Judged:
    """Rows that have an answer, with log(measured / estimated), and the logarithms of the engines' own bounds.

    `itl_bounds` and `ttft_bounds` have shape (rows, 2): low and high. `limits` says what holds requests back.
    """

    rows: tuple[Pools, ...]
    limits: tuple[str, ...]
    itl: Column
    ttft: Column
    itl_bounds: Column
    ttft_bounds: Column


def pools(rows: Iterable[Mapping[str, str]]) -> tuple[Pools, ...]:
    """Rows with worker counts and a concurrency."""
    stated = (row for row in rows if row["mode"] == "disagg" and row["prefill_num_workers"])
    return tuple(_pools(row, int(found[1])) for row in stated if (found := _CONCURRENCY.search(row[_SOURCE])))


def estimated(row: Pools) -> tuple[Loop, Estimates, Estimates] | None:
    """The pools, and the prefill and decode engines that they are made of, or None where one has no answer."""
    shape = {"isl": row.isl, "osl": row.osl}
    first = prefill(row.model, row.gpu, row.engine, Points.of(**row.prefill, **shape))
    loads = np.unique(np.geomspace(1, max(row.concurrency / row.decode_workers, 2), LOADS))
    then = decode(row.model, row.gpu, row.engine, Points.of(**row.decode, **shape, concurrency=loads))
    if not (first.answered[0] and then.answered[0]):
        return None
    held, itls = loads[then.answered], then.itl_ms[then.answered]

    def itl_ms(running: float) -> float:
        return float(np.interp(running, held, itls))

    prompts = PrefillPool(
        workers=row.prefill_workers,
        service_ms=1e3 / float(first.requests_per_s[0]),
        alone_ms=float(first.ttft_ms[0]),
        batch=row.prefill["dp"] * max(1.0, PREFILL_STEP_TOKENS / row.isl),
    )
    generation = DecodePool(row.decode_workers, min(row.slots, float(then.max_concurrency[0])), row.osl - 1, itl_ms)
    move = kv_transfer_ms(
        row.model,
        row.gpu,
        row.isl,
        prefill_gpus=row.prefill["tp"],
        decode_gpus=row.decode["tp"],
        across_nodes=True,
        rdma=True,
    )
    again = 1 if row.engine == "vllm" else 0  # its decode engines compute the first token once more
    found = closed_loop(row.concurrency, prompts, generation, lambda itl: float(move + handover_ms(itl)) + again * itl)
    return found, first, then


def judged(rows: Iterable[Pools]) -> Judged:
    """The errors of all rows that have an answer."""
    answers = [(row, *found) for row in rows if (found := estimated(row))]
    return Judged(
        rows=tuple(row for row, *_ in answers),
        limits=tuple(_limit(found) for _, found, _, _ in answers),
        itl=np.array([np.log(row.itl_ms / found.itl_ms) for row, found, _, _ in answers]),
        ttft=np.array([np.log(row.ttft_ms / found.ttft_ms) for row, found, _, _ in answers]),
        itl_bounds=np.array([_bounds(then.itl_low, then.itl_ms, then.itl_high) for *_, then in answers]),
        ttft_bounds=np.array([_bounds(first.ttft_low, first.ttft_ms, first.ttft_high) for _, _, first, _ in answers]),
    )


def powers(rows: Iterable[Pools]) -> dict[str, float]:
    """By which the engines' own bounds, as factors, become those of pools: at least 1."""
    found = judged(rows)
    names = [row.deployment for row in found.rows]
    itl, ttft = (widened(*pair, names) for pair in ((found.itl, found.itl_bounds), (found.ttft, found.ttft_bounds)))
    return {"itl": max(1.0, round(itl, 2)), "ttft": max(1.0, round(ttft, 2))}


def widened(errors: Column, bounds: Column, deployments: Sequence[str]) -> float:
    """The power of an engine's bounds (as factors) that covers LEVEL of these rows, each deployment weighing the same.

    Split conformal with the distance to the estimate, in units of the engine's own bound on that side, as its score.
    """
    names = np.array(deployments)
    weights = 1 / np.array([np.count_nonzero(names == name) for name in names])
    scores = _scores(errors, bounds)
    order = np.argsort(scores, kind="stable")
    reached = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    return float(np.interp(LEVEL + 0.5 / len(errors), reached, scores[order]))


def covered(errors: Column, bounds: Column, power: float | Column) -> float:
    """Share of rows within the bounds to that power, one number or one per row."""
    return float(np.mean(_scores(errors, bounds) <= power))


def left_out(errors: Column, bounds: Column, deployments: Sequence[str]) -> Column:
    """For each row, what `widened` says of the other deployments."""
    names = np.array(deployments)
    powers = np.empty(len(names))
    for name in set(deployments):
        rest = names != name
        powers[~rest] = widened(errors[rest], bounds[rest], names[rest].tolist())
    return powers


_SOURCE = "silicon_data_source"
_CONCURRENCY = re.compile(r"silicon_concurrency=(\d+)")


def _limit(found: Loop) -> str:
    if found.held_ms > 0:
        return "decode slots, all taken"
    return "prefill, busy for over 90 %" if found.prefill_utilisation > BUSY else "nothing"


def _scores(errors: Column, bounds: Column) -> Column:
    return np.maximum(errors / bounds[:, 1], errors / bounds[:, 0])


def _bounds(low: FloatArray, middle: FloatArray, high: FloatArray) -> tuple[float, float]:
    return float(np.log(low[0] / middle[0])), float(np.log(high[0] / middle[0]))


def _pools(row: Mapping[str, str], load: int) -> Pools:
    architecture, precision, name = ARCHITECTURES[row["model_path"]], row["precision"] or "bf16", row["system"]
    accelerator = _accelerator(name)
    model = served(architecture, quantization(row, precision), accelerator)
    workers = int(float(row["prefill_num_workers"])), int(float(row["decode_num_workers"]))
    lengths = int(float(row["isl"])), int(float(row["osl"]))
    layout = _layout(row, "decode", model)
    most = recipes.batch(architecture, name, precision, lengths, workers, load) if row["backend"] == "trtllm" else None
    return Pools(
        model=model,
        gpu=accelerator,
        sku=name,
        engine=row["backend"],
        architecture=architecture,
        precision=precision,
        prefill=_layout(row, "prefill", model),
        decode=layout,
        prefill_workers=workers[0],
        decode_workers=workers[1],
        slots=inf if most is None else most * layout["dp"],
        isl=lengths[0] * PUBLIC_LENGTHS,
        osl=lengths[1] * PUBLIC_LENGTHS,
        concurrency=float(load),
        ttft_ms=float(row["silicon_ttft_ms"]),
        itl_ms=float(row["silicon_tpot_ms"]),
    )


def _accelerator(name: str) -> Gpu:
    """The GPU of a row; a GB300 is a B300 in the trays, the rack and at the clock of a GB200."""
    if name != "gb300":
        return sku(name)
    rack = sku("gb200")
    fields = ("fp16_flops", "bf16_flops", "fp8_flops", "network_bandwidth", "link_domain")
    same = {field: getattr(rack, field) for field in fields}
    return replace(gpu("b300_sxm"), sku=name, gpus_per_node=rack.gpus_per_node, **same)


def _layout(row: Mapping[str, str], role: str, model: Model) -> dict[str, float]:
    """As written, but where attention is data parallel and experts are said not to be spread over all ranks.

    The public recipes spread them over all. SGLang's of 2025 write so of single trays too, whose fp8 weights would not
    fit with a copy of attention on each rank; its later recipes call the same workers tensor parallel.
    """
    tp, dp, moe_tp, moe_ep = (
        max(int(float(row[f"{role}_{name}"] or 1)), 1)
        for name in ("tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
    )
    if not model.is_moe:
        return {"tp": tp * dp, "dp": 1}
    if dp > 1 and moe_ep == 1 and row["backend"] == "sglang" and tp * dp <= TRAY:
        return {"tp": tp * dp, "dp": 1, "moe_tp": tp * dp, "moe_ep": 1}
    if (dp > 1 and moe_ep == 1) or tp * dp != moe_tp * moe_ep:
        moe_tp, moe_ep = 1, tp * dp
    return {"tp": tp, "dp": dp, "moe_tp": moe_tp, "moe_ep": moe_ep}
