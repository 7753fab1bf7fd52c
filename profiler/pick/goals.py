"""What a request wants of a deployment: limits to keep, then quantities to maximise in order, as columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crds.vocabulary import OptimizationType
from profiler.request import Request
from profiler.search.columns import Candidates, SingleColumn

_TIMES = 10  # from here on people read a ratio more easily than percent


@dataclass(frozen=True)
class Limit:
    """One constraint and every candidate's value of it."""

    name: str  # as in profile.Target
    title: str
    unit: str
    limit: float
    values: SingleColumn
    at_most: bool = True

    @cached_property
    def miss(self) -> SingleColumn:
        """How far beyond the limit, relative to it, in whole percent: 0 is met, 0.01 anything up to 1 % beyond.

        Whole percent, since a finer distance is far below what estimates resolve, and would buy itself with throughput.
        """
        values = self.values.astype(np.float64)
        ratio = values / self.limit if self.at_most else self.limit / values
        whole: SingleColumn = (np.ceil(100 * np.maximum(ratio - 1 - 1e-6, 0)) / 100).astype(np.float32)
        return whole

    def says(self, row: int) -> str:
        """`TTFT 812 ms is 62 % above the 500 ms asked`."""
        side = "above" if self.at_most else "below"
        value = float(self.values[row])
        ratio = value / self.limit
        off = f"{percent(abs(ratio - 1))} {side}" if ratio < _TIMES else f"{ratio:.0f} times"
        return f"{self.title} {_number(value)}{self.unit} is {off} the {_number(self.limit)}{self.unit} asked"

    @property
    def text(self) -> str:
        """`TTFT up to 500 ms`, `at least 10 requests/s`."""
        amount = f"{_number(self.limit)}{self.unit}"
        return f"{self.title} up to {amount}" if self.at_most else f"{self.title} of {amount}"

    def at(self, limit: float) -> Limit:
        """The same limit, placed elsewhere."""
        return replace(self, limit=limit)


@dataclass(frozen=True)
class Goal:
    """One quantity to maximise. `says(pick, other)` tells why the lower `other` lost, `gains(new, old)` what is won."""

    column: NDArray[Any]
    says: Callable[[float, float], str]
    gains: Callable[[float, float], str] = lambda _new, _old: "an equal that is simpler"

    def at(self, rows: Any) -> Any:
        """Its value in one row, or in some."""
        return self.column[rows]


@dataclass(frozen=True)
class Tie:
    """One quantity to maximise among equals, worked out only for the rows that are; `why` tells why others lost."""

    at: Callable[[Any], Any]
    why: str

    def says(self, _pick: float, _other: float) -> str:
        """Why the lower one lost."""
        return self.why


@dataclass(frozen=True)
class Goals:
    """Limits come first, then the goals in order, then the ties. `text` says what the first goal is."""

    limits: tuple[Limit, ...]
    goals: tuple[Goal, ...]
    ties: tuple[Tie, ...]
    text: str


def goals(request: Request, found: Candidates) -> Goals:
    """What `request` wants of the candidates in `found`."""
    text, wanted = _wanted(request, found)
    return Goals(_limits(request, found), wanted, _ties(found), text)


def _limits(request: Request, found: Candidates) -> tuple[Limit, ...]:
    sla, load = request.sla, request.workload
    limits = []
    if sla.ttft_ms is not None:
        limits.append(Limit("ttft_ms", "TTFT", " ms", sla.ttft_ms, found.ttft_ms))
    if sla.itl_ms is not None:
        limits.append(Limit("itl_ms", "ITL", " ms", sla.itl_ms, found.itl_ms))
    if sla.e2e_latency_ms is not None:
        limits.append(Limit("e2e_latency_ms", "latency end to end", " ms", sla.e2e_latency_ms, found.e2e_latency_ms))
    if request.planner is None and load.request_rate:
        limits.append(Limit("request_rate", "load", " requests/s", load.request_rate, found.request_rate, False))
    elif request.planner is None and load.concurrency:
        title = "requests in flight"
        limits.append(Limit("concurrency", title, "", load.concurrency, found.concurrency, False))
    return tuple(limits)


def _wanted(request: Request, found: Candidates) -> tuple[str, tuple[Goal, ...]]:
    latency = request.sla.optimization is OptimizationType.LATENCY
    throughput = _most("throughput", found.request_rate)
    if request.planner is not None:
        return _per_pool(found, latency)
    if latency:
        return "lowest latency end to end", (_least("latency", found.e2e_latency_ms), throughput)
    if request.workload.request_rate or request.workload.concurrency:
        fewest = Goal(
            -found.gpus,
            lambda pick, other: f"needs {pick - other:.0f} more GPUs for the load",
            lambda new, old: f"{-new:.0f} instead of {-old:.0f} GPUs",
        )
        return "fewest GPUs for the load", (fewest, throughput)
    return f"most tokens/s from {request.hardware.total_gpus} GPUs", (throughput,)


def _per_pool(found: Candidates, latency: bool) -> tuple[str, tuple[Goal, ...]]:
    """A planner scales prefill and decode apart, so each engine is chosen for itself."""
    engines, first = found.engines, np.where(found.disaggregated, found.prefill, found.engine)
    if latency:
        wanted = (_least("ITL", found.itl_ms), _least("TTFT", found.ttft_ms))
        return "lowest latency of each engine, for a planner to scale", wanted
    rate = (engines.requests_per_s / engines.gpus).astype(np.float32)
    decode = _most("decode throughput per GPU", rate[found.engine])
    prefill = _most("prefill throughput per GPU", rate[first])
    return "most tokens/s/GPU of each engine, for a planner to scale", (decode, prefill)


def _ties(found: Candidates) -> tuple[Tie, ...]:
    """What decides between equals, in a fixed order, so that the same request always gets the same answer."""
    engines, layout = found.engines, found.engines.layout

    def prompts(rows: Any) -> Any:
        each = engines.requests_per_s[found.prefill[rows]].astype(np.float32)
        number = found.replicas[rows].astype(np.float64) * found.prefill_workers[rows]
        return np.where(found.prefill[rows] < 0, 0, number * each)

    return (
        Tie(lambda rows: -found.gpus[rows], "equal, on more GPUs"),
        Tie(lambda rows: found.prefill[rows] < 0, "equal, with prefill and decode apart"),
        # Where decode is what limits, spare prefill takes the bursts.
        Tie(prompts, "equal, with less prefill to spare"),
        Tie(
            lambda rows: -engines.backend[found.engine[rows]],
            "equal, from a backend later in the order vllm, sglang, trtllm",
        ),
        Tie(lambda rows: -engines.gpus[found.engine[rows]], "equal, with larger engines"),
        Tie(lambda rows: -layout[found.engine[rows]], "equal, in a later layout"),
        Tie(
            lambda rows: -np.where(found.prefill[rows] < 0, 0, layout[found.prefill[rows]]),
            "equal, in a later prefill layout",
        ),
        Tie(lambda rows: found.request_rate[rows], "equal, with less throughput"),
    )


def _most(what: str, column: NDArray[Any]) -> Goal:
    """As much as possible of something."""
    return Goal(
        column,
        lambda pick, other: f"{percent(1 - other / pick)} less {what}",
        lambda new, old: f"{percent(new / old - 1)} more {what}",
    )


def _least(what: str, column: SingleColumn) -> Goal:
    """As little as possible of something."""
    return Goal(
        -column,
        lambda pick, other: f"{percent(other / pick - 1)} higher {what}",
        lambda new, old: f"{percent(1 - new / old)} lower {what}",
    )


def percent(ratio: float) -> str:
    """`12 %`; below ten with one decimal, so that a difference never reads as none."""
    value = 100 * ratio
    return f"{value:.0f} %" if value >= 10 else f"{max(value, 0.1):.1f} %"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
