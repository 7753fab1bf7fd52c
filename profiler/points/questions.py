"""What the estimator is asked about an engine, and how its experts are laid out where nobody said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from profiler import estimate
from profiler.estimate import Arrival, Estimates, FloatArray, Points
from profiler.hardware import Gpu
from profiler.models import Model
from profiler.models.formats import FP8_BLOCK

Mode = Literal["agg", "prefill", "decode"]

MODES: tuple[Mode, ...] = get_args(Mode)
ARRIVALS: tuple[Arrival, ...] = get_args(Arrival)


@dataclass(frozen=True)
class Question:
    """What many points may share: everything but layout and load."""

    model: Model
    gpu: Gpu
    backend: str
    mode: Mode = "agg"
    arrival: Arrival = "steady"
    admission_wait_steps: float = 0.0

    def estimate(self, points: Points) -> Estimates:
        """Ask the estimator."""
        if self.mode == "agg":
            waits = self.admission_wait_steps
            return estimate.aggregated(
                self.model, self.gpu, self.backend, points, arrival=self.arrival, admission_wait_steps=waits
            )
        ask = estimate.prefill if self.mode == "prefill" else estimate.decode
        return ask(self.model, self.gpu, self.backend, points)


def lay_out_experts(
    model: Model, tp: FloatArray, dp: FloatArray, moe_tp: FloatArray | None = None, moe_ep: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Ranks over which experts are split (TP) and spread (EP), where both or one of them is left open (None or NaN).

    All three engines split each expert over all ranks unless told otherwise; with attention data parallelism, and
    where the width of an expert does not split evenly, experts are spread, as recipes for such models do. Dense models
    have neither: 1, and `moe_tp = tp` says the same of an MLP.
    """
    ranks = tp * dp
    moe_tp = np.full_like(ranks, np.nan) if moe_tp is None else moe_tp
    moe_ep = np.full_like(ranks, np.nan) if moe_ep is None else moe_ep
    if not model.is_moe:
        split = np.where(np.isnan(moe_tp) | (moe_tp == tp), 1.0, moe_tp)
        return split, np.where(np.isnan(moe_ep), 1.0, moe_ep)
    tile = FP8_BLOCK if model.quantization == "fp8_block" else 1
    spread = (dp > 1) | (np.mod(model.expert_intermediate / tile, ranks) != 0)
    both = np.isnan(moe_tp) & np.isnan(moe_ep)
    found = np.where(both, np.where(spread, 1.0, ranks), moe_tp)
    found = np.where(np.isnan(found), np.maximum(np.floor(ranks / moe_ep), 1.0), found)
    return found, np.where(np.isnan(moe_ep), np.maximum(np.floor(ranks / found), 1.0), moe_ep)
