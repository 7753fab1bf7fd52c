"""The pick: the best of all candidates for a request, why it is, and what else there was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from crds.errors import NoCandidate
from profiler.estimate import REASONS, Reason
from profiler.pick.goals import Goal, Goals, Limit, Tie, goals
from profiler.pick.pareto import frontier
from profiler.pick.scaling import shortfall
from profiler.profile import Alternative, Configuration, Layout, Searched, Target
from profiler.request import Request
from profiler.search.columns import Candidates, IntColumn, SingleColumn, significant

if TYPE_CHECKING:
    from profiler.request import Hardware
    from profiler.search.sizing import Enough

CLOUD_POINTS: Final = 400  # a picture in a terminal shows no more

_SMALLER_WEIGHTS: Final = "use a checkpoint with smaller (quantised) weights or GPUs with more memory"
_NEXT_STEPS: Final = {
    REASONS[Reason.CONTEXT]: "lower spec.workload.isl or spec.workload.osl",
    REASONS[Reason.DTYPE]: "choose another GPU, or a checkpoint in a dtype that it supports",
    REASONS[Reason.ENGINE]: "choose another spec.backend or another GPU",
}


@dataclass(frozen=True)
class Pick:
    """The winner with everything that explains it; `frontier` and `cloud` as in `profile.Profile`."""

    winner: Configuration
    row: int  # of the winner among the candidates
    why: str
    sla_met: bool
    targets: tuple[Target, ...]
    alternatives: tuple[Alternative, ...]
    frontier: tuple[Configuration, ...]
    cloud: tuple[tuple[float, float], ...]
    searched: Searched
    warnings: tuple[str, ...]


def choose(request: Request, found: Candidates) -> Pick:
    """The best candidate: the one that misses its limits least, then by the request's goals.

    Where nothing meets every limit that is the closest one: the smallest worst relative miss. Raises NoCandidate where
    `found` is empty.
    """
    if not len(found):
        raise no_candidate(request, found.excluded)
    wanted = goals(request, found)
    miss = worst_miss(wanted.limits, len(found))
    order: tuple[Goal | Tie, ...] = (Goal(-miss, lambda _pick, _other: ""), *wanted.goals, *wanted.ties)
    winner = best(np.arange(len(found)), order)
    met = bool(miss[winner] == 0)
    bound = _binding(wanted, np.arange(len(found)), winner, met)
    edge = frontier(found.throughput_per_user, found.throughput_per_gpu)
    cloud = np.arange(0, len(found), -(-len(found) // CLOUD_POINTS))
    return Pick(
        winner=_configuration(request, found, winner),
        row=winner,
        why=_why(wanted, bound, met),
        sla_met=met,
        targets=tuple(_target(limit, winner, limit.name in bound) for limit in wanted.limits),
        alternatives=tuple(
            Alternative(
                _configuration(request, found, row),
                _why_not(wanted, miss, order, winner, row),
                "" if miss[row] else listed(limit.title for limit in _holding(wanted, _like(found, row), row)),
            )
            for row in _runners_up(found, order, winner)
        ),
        frontier=tuple(_configuration(request, found, int(row)) for row in edge),
        cloud=tuple(
            (significant(x), significant(y))
            for x, y in zip(found.throughput_per_user[cloud], found.throughput_per_gpu[cloud], strict=True)
        ),
        searched=_searched(found, wanted.limits, miss),
        warnings=_warnings(request, found, wanted.limits, bound, winner, met),
    )


def no_candidate(request: Request, excluded: Mapping[str, int], enough: Enough | None = None) -> NoCandidate:
    """The error for a request that nothing fits; `enough` is hardware that would do."""
    hardware = request.hardware
    gpus = f"{hardware.total_gpus} {hardware.gpu.sku} GPU{'' if hardware.total_gpus == 1 else 's'}"
    counts = sorted(excluded.items(), key=lambda item: (-item[1], item[0]))
    next_step = _NEXT_STEPS.get(counts[0][0], _SMALLER_WEIGHTS) if counts else _SMALLER_WEIGHTS
    return NoCandidate(
        f"no configuration of {request.model} fits {gpus} of {hardware.gpu.memory_bytes / 2**30:.0f} GiB",
        ", ".join(f"{reason} ({count} candidates)" for reason, count in counts),
        (enough and _way_out(hardware, enough)) or next_step,
    )


def _way_out(hardware: Hardware, enough: Enough) -> str:
    """What to set, and what else would help; empty where no amount of hardware does."""
    ways = []
    if enough.gpus:
        nodes = f" in nodes of {enough.gpus_per_node}" if enough.gpus_per_node != hardware.gpus_per_node else ""
        ways.append(f"set spec.hardware.totalGpus to {enough.gpus} or more{nodes}")
    if enough.memory_gib:
        ways.append(f"use GPUs with {enough.memory_gib} GiB or more")
    return ", or ".join([*ways, "use a checkpoint with smaller (quantised) weights"]) if ways else ""


def _configuration(request: Request, found: Candidates, row: int) -> Configuration:
    limit = request.sla.itl_ms
    if request.sla.e2e_latency_ms is not None and found.osl > 1:
        limit = (request.sla.e2e_latency_ms - float(found.ttft_ms[row])) / (found.osl - 1)
    return found.configuration(row, itl_limit_ms=limit)


def worst_miss(limits: Sequence[Limit], rows: int) -> SingleColumn:
    """How far each row is beyond the limit that it misses most, relative to it; 0 where all are met."""
    worst = np.zeros(rows, dtype=np.float32)
    for limit in limits:
        np.maximum(worst, limit.miss, out=worst)
    return worst


def best(rows: IntColumn, order: Sequence[Goal | Tie]) -> int:
    """The first of `rows` that no other beats, comparing goal by goal."""
    for goal in order:
        values = goal.at(rows)
        rows = rows[values == values.max()]
        if len(rows) == 1:
            break
    return int(rows[0])


def _binding(wanted: Goals, rows: IntColumn, winner: int, met: bool) -> frozenset[str]:
    """The limits without which a better answer exists; where limits are missed, the one that is missed most."""
    if not met:
        return frozenset({max(wanted.limits, key=lambda limit: float(limit.miss[winner])).name})
    return frozenset(limit.name for limit in _holding(wanted, rows, winner))


def _holding(wanted: Goals, rows: IntColumn, row: int) -> list[Limit]:
    """The limits that keep the best of `rows`, which is `row`, from being better."""
    holding = []
    for limit in wanted.limits:
        kept = [other.miss[rows] == 0 for other in wanted.limits if other is not limit]
        free = best(rows[np.logical_and.reduce(kept)] if kept else rows, wanted.goals)
        gains = [float(goal.at(free)) - float(goal.at(row)) for goal in wanted.goals]
        if next((gain for gain in gains if gain), 0.0) > 0:
            holding.append(limit)
    return holding


def _why(wanted: Goals, bound: frozenset[str], met: bool) -> str:
    limits = listed(limit.text for limit in wanted.limits)
    named = listed(limit.title for limit in wanted.limits if limit.name in bound)
    if not met:
        return f"closest to {limits}, which nothing within the budget meets; {named} is missed most"
    sentence = f"{wanted.text} with {limits}" if limits else wanted.text
    return f"{sentence}; limited by {named}" if named else sentence


def listed(items: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = [*items] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _warnings(
    request: Request, found: Candidates, limits: Sequence[Limit], bound: frozenset[str], winner: int, met: bool
) -> tuple[str, ...]:
    missed = None if met else _shortfall(limits, bound, winner)
    return tuple(text for text in (missed, shortfall(request, found, winner)) if text)


def _shortfall(limits: Sequence[Limit], bound: frozenset[str], winner: int) -> str:
    worst = next(limit for limit in limits if limit.name in bound)
    return f"SLA not met by any configuration; closest: {worst.says(winner)}"


def _target(limit: Limit, row: int, binding: bool) -> Target:
    value = significant(limit.values[row])
    return Target(limit.name, limit.limit, value, met=bool(limit.miss[row] == 0), binding=binding)


def _runners_up(found: Candidates, order: Sequence[Goal | Tie], winner: int) -> list[int]:
    """The best of every backend, mode and kind of layout, and of every layout; best first, without the winner."""
    engine = found.engine
    kinds = {kind: number for number, kind in enumerate(dict.fromkeys(_kind(layout) for layout in found.layouts))}
    kind = np.array([kinds[_kind(layout)] for layout in found.layouts], dtype=np.int16)
    layout = found.engines.layout.astype(np.int16)[engine]  # few bits, which sort fast
    family = (found.engines.backend.astype(np.int16)[engine] * 2 + found.disaggregated) * len(kinds) + kind[layout]
    rows = {*_best_of_each(family, order), *_best_of_each(layout, order)} - {winner}
    return sorted(rows, key=lambda row: [-float(goal.at(row)) for goal in order])


def _like(found: Candidates, row: int) -> IntColumn:
    """The rows of the same backend, mode and layout."""
    engine, layout, backend = found.engine, found.engines.layout, found.engines.backend
    same = (layout[engine] == layout[engine[row]]) & (backend[engine] == backend[engine[row]])
    return np.flatnonzero(same & (found.disaggregated == found.disaggregated[row]))


def _best_of_each(group: NDArray[Any], order: Sequence[Goal | Tie]) -> list[int]:
    by_group = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[by_group], prepend=-1))
    return [best(rows, order) for rows in np.split(by_group, starts[1:])]


def _kind(layout: Layout) -> str:
    """TP, TEP or DEP."""
    if layout.dp > 1:
        return "DEP"
    return "TEP" if layout.moe_ep > 1 else "TP"


def _why_not(wanted: Goals, miss: SingleColumn, order: Sequence[Goal | Tie], winner: int, row: int) -> str:
    """The first thing in which `row` is worse than the winner."""
    if miss[row] > miss[winner]:
        return max(wanted.limits, key=lambda limit: float(limit.miss[row])).says(row)
    for goal in order[1:]:
        pick, other = float(goal.at(winner)), float(goal.at(row))
        if pick != other:
            return goal.says(pick, other)
    return "equal to the pick"


def _searched(found: Candidates, limits: Sequence[Limit], miss: SingleColumn) -> Searched:
    excluded = dict(found.excluded)
    for limit in limits:
        missed = int(np.count_nonzero(limit.miss))
        if missed:
            excluded[f"misses {limit.text}"] = missed
    return Searched(
        candidates=len(found) + sum(found.excluded.values()),
        feasible=int(np.count_nonzero(miss == 0)),
        excluded=excluded,
    )
