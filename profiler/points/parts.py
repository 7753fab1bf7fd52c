"""Where the time of one point goes: its ITL by operation of a decode step, its TTFT by operation and wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from profiler.estimate import FloatArray, breakdown, first_token_breakdown, kv_transfer_ms
from profiler.points.answers import Answer

NOTHING: Final = 1e-6  # a part of a time below this share is not shown


@dataclass(frozen=True)
class Parts:
    """Times in ms, largest first.

    `operations` are those of a decode step of `sequences`, and `prompts_ms` is what prefilling the prompts of others
    adds to the ITL of an aggregated engine; `first_token` has the parts of the TTFT. `kv_transfer_ms`: from a prefill
    worker to a decode worker of the same tensor parallelism, over RDMA.
    """

    operations: Mapping[str, float]
    sequences: float
    prompts_ms: float
    first_token: Mapping[str, float]
    kv_transfer_ms: float

    @classmethod
    def of(cls, answer: Answer) -> Parts:
        """The parts of the first row's ITL and TTFT, scaled as measurements scale the whole."""
        question, points, found = answer.question, answer.points, answer.estimates
        model, gpu, backend = question.model, question.gpu, question.backend
        first = _first_token(answer) if question.mode != "decode" else {}
        if question.mode == "prefill":
            tp, isl = points.tp, points.isl
            moved = kv_transfer_ms(model, gpu, isl, prefill_gpus=tp, decode_gpus=tp, across_nodes=True, rdma=True)
            return cls({}, 0.0, 0.0, first, float(moved[0]))
        running = np.minimum(found.running, found.max_concurrency)  # a full engine's may be more by a rounding
        batch = replace(points, concurrency=np.maximum(running, 1.0))
        alone = breakdown(model, gpu, backend, batch)
        itl, decode = float(found.itl_ms[0]), float(sum(column[0] for column in alone.values()))
        scale = itl / float(question.estimate(points).itl_ms[0])
        return cls(
            operations=_ordered(alone, decode * scale),
            sequences=float(batch.concurrency[0]),
            prompts_ms=max(itl - decode * scale, 0.0),
            first_token=first,
            kv_transfer_ms=0.0,
        )


def _first_token(answer: Answer) -> dict[str, float]:
    question = answer.question
    columns = first_token_breakdown(
        question.model,
        question.gpu,
        question.backend,
        answer.points,
        arrival=question.arrival,
        admission_wait_steps=question.admission_wait_steps,
        alone=question.mode == "prefill",
    )
    return _ordered(columns, float(answer.estimates.ttft_ms[0]))


def _ordered(columns: Mapping[str, FloatArray], whole: float) -> dict[str, float]:
    """The first row of each column that counts, largest first, scaled to sum to `whole`."""
    least = NOTHING * sum(float(column[0]) for column in columns.values())
    values = {name: float(column[0]) for name, column in columns.items() if column[0] > least}
    scale = whole / sum(values.values())
    return {name: value * scale for name, value in sorted(values.items(), key=lambda item: -item[1])}
