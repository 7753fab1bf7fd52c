"""What a change of the request would buy: a tenth more latency, more GPUs, or what meets an SLA that was missed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from profiler.pick.choice import Pick, best, listed, worst_miss
from profiler.pick.goals import Goals, Limit, goals
from profiler.pick.scaling import needed_gpus, shortfall
from profiler.profile import Trade
from profiler.request import Request
from profiler.search import packing
from profiler.search.columns import Candidates, FloatColumn, IntColumn

MORE_LATENCY: Final = 1.1
LARGEST_BUDGET: Final = 4  # times the request's: what it takes to meet a missed SLA is looked for up to there
MANY: Final = 300_000  # candidates: of a budget that large, one more GPU is nobody's question, and costs as much again
MOST_COUNTS: Final = 8
NOTHING: Final = "nothing"
_CLEARLY: Final = 1.005  # a smaller gain is below what estimates resolve
_LATENCIES: Final = ("ttft_ms", "itl_ms", "e2e_latency_ms")


class Find(Protocol):
    """`search.candidates` for one model and what was measured of it."""

    def __call__(self, request: Request, *, within_targets: bool = False) -> Candidates:
        """All deployments for a request."""


def trades(request: Request, find: Find, found: Candidates, pick: Pick) -> tuple[Trade, ...]:
    """What changes of the request would buy, from the same candidates and one search with more GPUs.

    `find` is the search that found the candidates, for another request.
    """
    wanted = goals(request, found)
    if not pick.sla_met:
        return _to_meet(request, find, found, wanted, pick.row)
    latency = tuple(
        _with_more_latency(found, wanted, limit, pick.row)
        for limit in wanted.limits
        if limit.name in _LATENCIES and any(t.binding and t.name == limit.name for t in pick.targets)
    )
    if request.workload.request_rate or request.workload.concurrency:
        return latency + (_for_the_planner(request, found, pick) if request.planner is not None else ())
    return latency + (_with_more_gpus(request, find, wanted, pick) if len(found) <= MANY else ())


def _for_the_planner(request: Request, found: Candidates, pick: Pick) -> tuple[Trade, ...]:
    """GPUs with which a planner reaches the load, where it does not within the budget."""
    gpus = needed_gpus(request, found, pick.row)
    if not shortfall(request, found, pick.row):
        return ()
    load = request.workload
    asked = f"{load.request_rate:g} requests/s" if load.request_rate else f"{load.concurrency:g} requests in flight"
    return (Trade(f"{gpus} GPUs", f"serves {asked}, once scaled", pick.winner.label, gpus),)


def _with_more_latency(found: Candidates, wanted: Goals, limit: Limit, row: int) -> Trade:
    relaxed = limit.at(limit.limit * MORE_LATENCY)
    others = [other for other in wanted.limits if other is not limit]
    allowed = np.flatnonzero(worst_miss([relaxed, *others], len(found)) == 0)
    new = best(allowed, (*wanted.goals, *wanted.ties))
    gain = _gain(wanted, wanted, new, row)
    return Trade(relaxed.text, gain, *((_label(found, new), int(found.gpus[new])) if gain != NOTHING else ()))


def _gain(after: Goals, before: Goals, new: int, old: int) -> str:
    """The first goal in which `new` is clearly better than `old`, said in words."""
    for goal, was in zip(after.goals, before.goals, strict=True):
        value, had = float(goal.at(new)), float(was.at(old))
        if abs(value - had) > (_CLEARLY - 1) * abs(had):
            return goal.gains(value, had) if value > had else NOTHING
    return NOTHING


def _with_more_gpus(request: Request, find: Find, wanted: Goals, pick: Pick) -> tuple[Trade, ...]:
    """The next count of GPUs that buys something, or how many buy nothing."""
    hardware = request.hardware
    unit = pick.winner.gpus
    larger = _of_budget(request, hardware.total_gpus + min(max(unit, hardware.gpus_per_node), hardware.total_gpus))
    found = find(larger)
    after = goals(larger, found)
    allowed = np.flatnonzero(worst_miss(after.limits, len(found)) == 0)
    counts = _gpus_to_beat(found, after, float(wanted.goals[0].at(pick.row)))[allowed]
    reached = counts[counts <= larger.hardware.total_gpus]
    for count in _ascending(reached):
        trade = _with_gpus(_of_budget(request, count), found, wanted, pick)
        if trade.buys != NOTHING:
            return (trade,)
    return (Trade(f"{larger.hardware.total_gpus} GPUs", NOTHING),)


def _gpus_to_beat(found: Candidates, after: Goals, value: float) -> IntColumn:
    """GPUs on which each candidate's engines, in as many replicas as it takes, clearly beat `value` of the goal."""
    gpus, goal = _unit_gpus(found), after.goals[0].column.astype(np.float64)
    if after.goals[0].column is found.request_rate:  # grows with every replica
        each = goal / found.replicas
        return gpus * (np.floor(value * _CLEARLY / each) + 1).astype(np.int64)
    beats = goal > value + (_CLEARLY - 1) * abs(value)
    return np.where(beats, gpus, np.iinfo(np.int64).max)


def _with_gpus(request: Request, found: Candidates, before: Goals, pick: Pick) -> Trade:
    """The pick of a request for fewer GPUs than `found` has: its candidates, as often as they fit."""
    fit = _fit(request, found)
    replicas = np.maximum(fit, 1) if request.planner is None else found.replicas
    scale = replicas / found.replicas
    fewer = replace(
        found,
        replicas=replicas,
        gpus=replicas * _unit_gpus(found),
        request_rate=found.request_rate * scale,
        concurrency=found.concurrency * scale,
    )
    after = goals(request, fewer)
    allowed = np.flatnonzero((worst_miss(after.limits, len(fewer)) == 0) & (fit > 0))
    new = best(allowed, (*after.goals, *after.ties))
    gain = _gain(after, before, new, pick.row)
    return Trade(f"{request.hardware.total_gpus} GPUs", gain, _label(fewer, new), int(fewer.gpus[new]))


def _fit(request: Request, found: Candidates) -> IntColumn:
    """How often each candidate's engines fit on the nodes of a request; 0 = not at all."""
    gpus = found.engines.gpus
    return packing.replicas(
        request.hardware,
        gpus=gpus[found.engine],
        workers=found.workers,
        prefill_gpus=gpus[found.prefill],
        prefill_workers=found.prefill_workers,
    )


def _ascending(counts: IntColumn) -> list[int]:
    """The smallest of these counts, each once: the least that engines take, which is enough unless nodes split them."""
    ordered = np.sort(counts)
    return [int(count) for count in ordered[np.diff(ordered, prepend=0) > 0][:MOST_COUNTS]]


def _to_meet(request: Request, find: Find, found: Candidates, wanted: Goals, row: int) -> tuple[Trade, ...]:
    """What would meet a missed SLA: the fewest GPUs, or else how far the limits would have to give way."""
    largest = _of_budget(request, request.hardware.total_gpus * LARGEST_BUDGET)
    more = find(largest, within_targets=True)
    more = more.take(worst_miss(goals(largest, more).limits, len(more)) == 0)
    needed = _replicas_for(more, goals(largest, more).limits)
    counts = _unit_gpus(more) * needed
    for count in _ascending(counts):
        rows = np.flatnonzero(counts <= count)
        enough = rows[_fit(_of_budget(request, count), more.take(rows)) >= needed[rows]]
        if len(enough):
            label = _label(more, int(enough[0]), int(needed[enough[0]]))
            return (Trade(f"{count} GPUs", "meets all that was asked", label, count),)
    nothing = Trade(f"{largest.hardware.total_gpus} GPUs", "still misses it")
    alone = tuple(trade for limit in wanted.limits if (trade := _least_of(found, wanted, limit)))
    return (nothing, *(alone or (_all_of(found, wanted, row),)))


def _all_of(found: Candidates, wanted: Goals, row: int) -> Trade:
    """How far all missed limits would have to give way together: to what the closest configuration has."""
    missed = [limit.at(float(limit.values[row])).text for limit in wanted.limits if limit.miss[row] > 0]
    return Trade(listed(missed), "is met", _label(found, row), int(found.gpus[row]))


def _least_of(found: Candidates, wanted: Goals, limit: Limit) -> Trade | None:
    """How far one limit alone would have to give way; None where that is not enough, or it need not."""
    others = [other for other in wanted.limits if other is not limit]
    rows = np.flatnonzero(worst_miss(others, len(found)) == 0)
    if not len(rows) or np.any(limit.miss[rows] == 0):
        return None
    row = int(rows[np.argmin(limit.miss[rows])])
    return Trade(limit.at(float(limit.values[row])).text, "is met", _label(found, row), int(found.gpus[row]))


def _replicas_for(found: Candidates, limits: tuple[Limit, ...]) -> IntColumn:
    """Replicas of each candidate's engines that serve the load; one where there is none."""
    needed: FloatColumn = np.ones(len(found))
    for limit in limits:
        if not limit.at_most:
            np.maximum(needed, np.ceil(limit.limit * found.replicas / limit.values - 1e-6), out=needed)
    return needed.astype(np.int64)


def _unit_gpus(found: Candidates) -> IntColumn:
    return found.gpus // found.replicas


def _of_budget(request: Request, gpus: int) -> Request:
    return replace(request, hardware=replace(request.hardware, total_gpus=gpus))


def _label(found: Candidates, row: int, replicas: int | None = None) -> str:
    one = replace(found, replicas=np.full_like(found.replicas, replicas)) if replicas else found
    return one.configuration(row).label
