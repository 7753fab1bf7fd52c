"""Disaggregated rows that state their workers, against the search's sum of queue, prefill, KV transfer and decode.

The rows check that estimates of single engines add up; only the time of the hand-over was taken from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from profiler.estimate import Points, decode, kv_transfer_ms, prefill
from profiler.hardware import Gpu
from profiler.models import Model
from profiler.search.disaggregated import queueing_ms
from scripts.fit.groups import served, sku
from scripts.fit.rows import ARCHITECTURES, PUBLIC_LENGTHS, quantization

ROUNDS = 10  # of a closed loop; all requests of the first arrive at once, so half of them over ten are ahead
BUSIEST = 0.9  # utilisation beyond which a closed loop holds its requests back instead of queueing them


@dataclass(frozen=True)
class Pools:
    """One row: pools under a closed loop, and what was measured. Times in ms."""

    model: Model
    gpu: Gpu
    sku: str
    engine: str
    prefill: Mapping[str, float]
    decode: Mapping[str, float]
    prefill_workers: int
    decode_workers: int
    isl: float
    osl: float
    concurrency: float
    ttft_ms: float
    itl_ms: float


def pools(rows: Iterable[Mapping[str, str]]) -> tuple[Pools, ...]:
    """Rows with worker counts and a concurrency."""
    stated = (row for row in rows if row["mode"] == "disagg" and row["prefill_num_workers"])
    return tuple(_pools(row, float(found[1])) for row in stated if (found := _CONCURRENCY.search(row[_SOURCE])))


def estimated(row: Pools) -> tuple[float, float] | None:
    """TTFT and ITL in ms, or None where an engine has no answer."""
    each = row.concurrency / row.decode_workers
    shape = {"isl": row.isl, "osl": row.osl}
    first = prefill(row.model, row.gpu, row.engine, Points.of(**row.prefill, **shape))
    then = decode(row.model, row.gpu, row.engine, Points.of(**row.decode, **shape, concurrency=max(each, 1.0)))
    if not (first.answered[0] and then.answered[0]):
        return None
    itl, alone = then.itl_ms[0], first.ttft_ms[0]
    sustained = row.prefill_workers * first.requests_per_s[0] / 1e3  # prompts per ms
    ranks = row.prefill["dp"]
    rate = row.concurrency / (alone + row.osl * itl)
    wait = queueing_ms(
        min(rate / sustained, BUSIEST), row.prefill_workers * ranks, ranks * 1e3 / first.requests_per_s[0]
    )
    burst = max(row.concurrency - 1, 0) / (2 * ROUNDS) / sustained
    move = kv_transfer_ms(
        row.model,
        row.gpu,
        row.isl,
        prefill_gpus=row.prefill["tp"],
        decode_gpus=row.decode["tp"],
        across_nodes=True,
        rdma=True,
    )
    ttft = alone + wait + burst + float(move) + (itl if row.engine == "vllm" else 0.0)
    held_back = row.concurrency / sustained - row.osl * itl  # Little's law where prefill is the bottleneck
    return float(max(ttft, held_back)), float(itl)


_SOURCE = "silicon_data_source"
_CONCURRENCY = re.compile(r"silicon_concurrency=(\d+)")


def _pools(row: Mapping[str, str], concurrency: float) -> Pools:
    name = row["system"]
    accelerator = replace(sku("gb200"), sku=name) if name == "gb300" else sku(name)
    model = served(ARCHITECTURES[row["model_path"]], quantization(row, row["precision"] or "bf16"), accelerator)
    return Pools(
        model=model,
        gpu=accelerator,
        sku=name,
        engine=row["backend"],
        prefill=_layout(row, "prefill", model),
        decode=_layout(row, "decode", model),
        prefill_workers=int(float(row["prefill_num_workers"])),
        decode_workers=int(float(row["decode_num_workers"])),
        isl=float(row["isl"]) * PUBLIC_LENGTHS,
        osl=float(row["osl"]) * PUBLIC_LENGTHS,
        concurrency=concurrency,
        ttft_ms=float(row["silicon_ttft_ms"]),
        itl_ms=float(row["silicon_tpot_ms"]),
    )


def _layout(row: Mapping[str, str], role: str, model: Model) -> dict[str, float]:
    """As written; where tp and dp both hold the ranks, attention is data parallel."""
    tp, dp, moe_tp, moe_ep = (
        max(int(float(row[f"{role}_{name}"] or 1)), 1)
        for name in ("tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
    )
    if not model.is_moe:
        return {"tp": tp * dp, "dp": 1}
    if tp * dp != moe_tp * moe_ep:
        moe_tp, moe_ep = 1, tp * dp
    return {"tp": tp, "dp": dp, "moe_tp": moe_tp, "moe_ep": moe_ep}


def log_errors(rows: Iterable[Pools]) -> tuple[tuple[Pools, ...], np.ndarray, np.ndarray]:
    """Answered rows, and log(measured / estimated) of their ITL and TTFT."""
    answers = [(row, found) for row in rows if (found := estimated(row))]
    itl = np.array([np.log(row.itl_ms / found[1]) for row, found in answers])
    ttft = np.array([np.log(row.ttft_ms / found[0]) for row, found in answers])
    return tuple(row for row, _ in answers), itl, ttft
