"""Columns in, columns out: the points to estimate and their estimates, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

TOO_LARGE = 1e9  # of lengths, requests in flight and ranks: no one means it, and products of them stay finite


class Reason(IntEnum):
    """Why a point has no answer; 0 = it has one. `REASONS[reason]` is the sentence for a person."""

    ANSWERED = 0
    NOT_POSITIVE = 1
    CONTEXT = 2
    WEIGHTS = 3
    KV_CACHE = 4
    DTYPE = 5
    ENGINE = 6
    HEADS = 7
    MLP = 8
    EXPERTS = 9
    DATA_PARALLEL = 10
    PIPELINE = 11
    CONCURRENCY = 12
    STAGES = 13
    NOT_A_NUMBER = 14
    TOO_LARGE = 15
    NOT_WHOLE = 16


REASONS: tuple[str, ...] = (
    "",
    "isl and osl must be at least 1, concurrency greater than 0, and no part of the layout 0 or less",
    "isl + osl exceed the context limit of the model",
    "weights do not fit in GPU memory",
    "KV cache too small for one request",
    "dtype not supported by this GPU",
    "engine does not run on this GPU",
    "heads not divisible by TP",
    "MLP width not divisible by TP",
    "experts not divisible by EP, or moe_tp * moe_ep is not tp * dp",
    "attention data parallelism is only for models with experts",
    "this engine does not run this model in pipeline stages",
    "more running sequences than the KV cache holds",
    "more pipeline stages than layers",
    "isl, osl, concurrency or a part of the layout is not a number",
    f"isl, osl, concurrency or a part of the layout is too large: {TOO_LARGE:,.0f} or more",
    "tp, pp, dp, moe_tp and moe_ep must be whole numbers",
)


@dataclass(frozen=True)
class Points:
    """What to estimate, one row each, shape (n,).

    `tp`, `pp`, `dp` (attention), `moe_tp`, `moe_ep` as in `profiler.profile.Layout`; `isl`, `osl` mean lengths in
    tokens; `concurrency` is requests in flight on one engine, all data-parallel ranks together.
    """

    tp: FloatArray
    pp: FloatArray
    dp: FloatArray
    moe_tp: FloatArray
    moe_ep: FloatArray
    isl: FloatArray
    osl: FloatArray
    concurrency: FloatArray

    @classmethod
    def of(
        cls,
        *,
        isl: npt.ArrayLike,
        osl: npt.ArrayLike,
        concurrency: npt.ArrayLike = 1.0,
        tp: npt.ArrayLike = 1.0,
        pp: npt.ArrayLike = 1.0,
        dp: npt.ArrayLike = 1.0,
        moe_tp: npt.ArrayLike = 1.0,
        moe_ep: npt.ArrayLike = 1.0,
    ) -> Points:
        """Columns from scalars and arrays, broadcast to one length. Raises ValueError where lengths differ."""
        given = (tp, pp, dp, moe_tp, moe_ep, isl, osl, concurrency)
        columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in given))
        return cls(*columns)

    @property
    def gpus(self) -> FloatArray:
        """GPUs of one engine."""
        return self.tp * self.pp * self.dp

    @property
    def ranks(self) -> FloatArray:
        """GPUs that work on one layer together."""
        return self.tp * self.dp

    def __len__(self) -> int:
        return len(self.isl)

    def take(self, rows: slice) -> Points:
        """These rows."""
        return Points(*(getattr(self, field.name)[rows] for field in fields(self)))

    def made_safe(self, bad: BoolArray) -> Points:
        """The same rows with harmless values where `bad`, so that no arithmetic below can warn or overflow."""
        if not bad.any():
            return self
        return Points(*(np.where(bad, 1.0, getattr(self, field.name)) for field in fields(self)))


@dataclass(frozen=True)
class Estimates:
    """One row per point, shape (n,), always finite: rows without an answer hold 0 and a `reason`.

    `ttft_ms`, `itl_ms` are means in ms, `ttft_p90_ms` the 90th percentile over requests; `throughput_per_gpu` in output
    tokens/s/GPU; `requests_per_s` of one engine and `running`, those of its requests that are not held back;
    `memory_gib` per GPU at this load; `kv_tokens` and `max_concurrency`
    (requests that fit in KV memory) per engine. `*_low` and `*_high` bound 80 % of what one should see.
    `provenance`: measured (the coefficients saw this GPU) or transferred (by data sheet); `calibrated`: whether this
    very deployment was measured and has coefficients of its own.
    """

    ttft_ms: FloatArray
    ttft_p90_ms: FloatArray
    itl_ms: FloatArray
    throughput_per_gpu: FloatArray
    requests_per_s: FloatArray
    running: FloatArray
    memory_gib: FloatArray
    kv_tokens: FloatArray
    max_concurrency: FloatArray
    reason: npt.NDArray[np.int8]
    ttft_low: FloatArray
    ttft_high: FloatArray
    itl_low: FloatArray
    itl_high: FloatArray
    throughput_low: FloatArray
    throughput_high: FloatArray
    provenance: str
    calibrated: bool

    @classmethod
    def stack(cls, parts: Sequence[Estimates]) -> Estimates:
        """All rows of all parts (one at least, of one deployment), in order."""
        columns: dict[str, Any] = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
            if isinstance(getattr(parts[0], field.name), np.ndarray)
        }
        return replace(parts[0], **columns)

    @property
    def answered(self) -> BoolArray:
        """Rows that have an answer."""
        result: BoolArray = self.reason == Reason.ANSWERED
        return result
