"""Waiting: behind prompts, for a place in the engine, and how late the latest tenth is.

Requests in flight are given, so that Little's law (L = lambda W, Little 1961) closes every formula; nothing iterates.
`tests/profiler/estimate/test_queueing.py` holds them against a simulation of the engine. Times in ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from profiler.estimate.points import FloatArray, Points
from profiler.estimate.stages import CHUNK_TOKENS

LATE_STEP = 0.4  # a request that arrives anywhere in a step: the 90th percentile waits 0.4 steps longer than the mean
LATE_IN_BURST = 0.8  # prompts ahead are uniform in a burst: the 90th percentile has 1.8 times the mean
ROUNDS = 10.0  # of a closed loop; its measurements were taken so
# Requests of a closed loop end one by one and follow each other more evenly than Poisson arrivals: the share of the
# Poisson queue's tail that the simulation shows.
CLOSED_TAIL = 0.4
LEAST_SLACK = 0.05  # of a decode step's elasticity to its batch below 1, so that nothing divides by zero
LOGISTIC_SPREAD = np.sqrt(3) / np.pi  # scale of a logistic distribution with a standard deviation of 1


def chunk_share(points: Points) -> FloatArray:
    """Steps' worth of prompt tokens that a prompt takes: engines put `CHUNK_TOKENS` of each rank into a step."""
    return points.isl / (CHUNK_TOKENS * points.dp * points.pp)


def places(points: Points, max_concurrency: FloatArray) -> FloatArray:
    """Requests that can run at once: KV memory holds them, and prompts enter as fast as they end.

    A step takes in 1 / `chunk_share` prompts and each then decodes for osl steps, so no more than that many times osl
    decode beside each other however many wait.
    """
    return np.maximum(np.minimum(max_concurrency, points.osl / chunk_share(points)), 1.0)


def fluctuation(points: Points, room: FloatArray, full: FloatArray, half: FloatArray, prompt: FloatArray) -> FloatArray:
    """Variance over mean of the requests in an engine under Poisson arrivals; 1 would be a Poisson distribution.

    Linear noise: arrivals and departures come at random, an arrival also stops others while its `prompt` is prefilled
    (1 / (1 - rho), rho the engine's share of prefill), and a fuller engine ends them less than proportionally faster
    (the elasticity of the decode step, from `full` to `half` of the `room`).
    """
    rho = room * prompt / (points.osl * full + room * prompt)
    slack = np.maximum(1 - np.log2(full / half), LEAST_SLACK)
    result: FloatArray = (1 + (1 - rho) ** -2) / (2 * slack)
    return result


@dataclass(frozen=True)
class Admission:
    """Requests that run, of those in flight, and the share of arrivals that find no place."""

    running: FloatArray
    turned_away: FloatArray

    @classmethod
    def of(cls, flight: FloatArray, room: FloatArray, variance: FloatArray) -> Admission:
        """The number in flight fluctuates around `flight`; what is over `room` waits.

        Logistic instead of normal, as its expected excess has a closed form: s log(1 + exp((flight - room) / s)).
        `variance` over the mean is capped where the number would fall below none (a geometric distribution's).
        """
        usual = np.minimum(flight, room)
        scale = LOGISTIC_SPREAD * np.sqrt(np.minimum(variance, 1 + usual) * usual)
        free = (room - flight) / scale
        waiting = scale * np.logaddexp(0.0, -free)
        turned_away = 1 / (1 + np.exp(np.minimum(free, 500.0)))
        return cls(np.maximum(flight - waiting, np.minimum(usual, 1.0)), turned_away)


def busy_share(flight: FloatArray, alone: FloatArray, service: FloatArray) -> FloatArray:
    """The share u of the time in which a prompt is in service, where requests take `alone` and what they queue.

    With C in flight, u = lambda s and lambda (alone + s u / (2 (1 - u))) = C: the root of a quadratic below 1.
    """
    demand = flight * service
    total = alone + demand
    root: FloatArray = 2 * demand / (total + np.sqrt(total * total - 4 * (alone - service / 2) * demand))
    return root


def queued(busy: FloatArray, service: FloatArray) -> FloatArray:
    """Mean wait of an M/D/1 queue (Kleinrock 1975): u s / (2 (1 - u))."""
    return busy * service / (2 * (1 - busy))


def tail(mean: FloatArray, share: FloatArray) -> FloatArray:
    """The 90th percentile of a wait that a `share` has at all, exponentially: 0 where fewer than a tenth have it."""
    some = np.maximum(share, 0.1)
    result: FloatArray = mean / some * np.log(10 * some)
    return result


def closed_tail(busy: FloatArray, service: FloatArray, first_round: FloatArray) -> FloatArray:
    """The 90th percentile of the wait in a closed loop, over all rounds.

    The first round arrives at once and waits up to `first_round`, evenly; later rounds wait exponentially. Of all
    requests a tenth are late where 9 P(later > y) = P(first < y), so that y exp(y / mean) = 9 u first_round: Lambert's
    W, by Winitzki's approximation (2003), unless the later rounds alone are later.
    """
    mean = CLOSED_TAIL * service / (2 * (1 - busy))
    log = np.log1p(9 * busy * first_round / mean)
    lambert = log * (1 - np.log1p(log) / (2 + log))
    later = np.log(np.maximum(9 * busy, 1.0))
    result: FloatArray = np.minimum(mean * np.maximum(lambert, later), first_round)
    return result
