"""Prefill and decode pools with a fixed number of requests in flight: the load of the measured disaggregated rows.

The closed network is solved by its open twin that holds as many requests on average (fixed-population-mean method,
Whitt 1984), with what an arrival meets reduced by its own share (arrival theorem, Reiser & Lavenberg 1980). Decode
workers run until their slots are full: beyond that Little's law gives the wait for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from profiler.search.queueing import prefill_ms

ROUNDS = 10  # a load generator sends ten prompts per request in flight; those of the first round arrive at once
HALVINGS = 50  # of the interval that holds the solution


@dataclass(frozen=True)
class PrefillPool:
    """Engines as in `profiler.search.queueing.prefill_ms`."""

    workers: int
    service_ms: float
    alone_ms: float
    batch: float

    def utilisation(self, rate: float) -> float:
        """At `rate` prompts per ms for all workers."""
        return rate * self.service_ms / self.workers

    def ttft_ms(self, rate: float, requests: float) -> float:
        """With `requests` in the network, of which a prompt meets all but itself; inf beyond what is sustained."""
        utilisation = self.utilisation(rate)
        if utilisation >= 1:
            return inf
        met = utilisation * (requests - 1) / requests
        return float(prefill_ms(met, self.workers, self.service_ms, self.alone_ms, self.batch))

    def first_round_ms(self, requests: float) -> float:
        """Where all arrive at once."""
        return burst_ms(requests / self.workers, self.service_ms, self.alone_ms, self.batch)


@dataclass(frozen=True)
class DecodePool:
    """Workers whose `itl_ms` follows from their running requests, of which each has at most `slots`."""

    workers: int
    slots: float
    tokens: float  # that each request takes from them
    itl_ms: Callable[[float], float]

    def rate(self, running: float) -> float:
        """Requests per ms of all workers with so many running in each."""
        return self.workers * running / (self.tokens * self.itl_ms(running))


@dataclass(frozen=True)
class Loop:
    """Means over all rounds in ms, of which `held_ms` is the wait for a decode slot; the prefill pool's utilisation."""

    ttft_ms: float
    itl_ms: float
    held_ms: float
    prefill_utilisation: float


def closed_loop(
    requests: float, prefill: PrefillPool, decode: DecodePool, handover_ms: Callable[[float], float]
) -> Loop:
    """`requests` in flight for ROUNDS rounds from an empty start; `handover_ms` takes the ITL."""

    def elsewhere(running: float) -> float:
        """Requests in prefill and hand-over."""
        rate = decode.rate(running)
        return rate * (prefill.ttft_ms(rate, requests) + handover_ms(decode.itl_ms(running)))

    most = min(decode.slots, requests / decode.workers)
    running, high = 0.0, most
    for _ in range(HALVINGS):
        middle = (running + high) / 2
        if decode.workers * middle + elsewhere(middle) > requests:
            high = middle
        else:
            running = middle
    rate, itl = decode.rate(running), decode.itl_ms(running)
    steady, handover = prefill.ttft_ms(rate, requests), handover_ms(itl)
    # Where slots or prefill engines are all taken the rate is theirs, and Little's law says how long a request waits.
    wait = max(0.0, requests / rate - steady - handover - decode.tokens * itl)
    held = wait if most - running < 1e-9 * most else 0.0
    steady += wait - held
    first = max(prefill.first_round_ms(requests), steady)
    ttft = (first + (ROUNDS - 1) * steady) / ROUNDS + handover + held
    return Loop(ttft, itl, held, prefill.utilisation(rate))


def burst_ms(prompts: float, service_ms: float, alone_ms: float, batch: float) -> float:
    """Mean time in ms to the first token where `prompts` arrive at one idle prefill engine at once.

    Full steps of `batch` prompts, one after the other; with fewer prompts than that, one step for all.
    """
    full = batch * service_ms
    first = min(alone_ms, full)
    step = first + (full - first) / max(batch - 1, 1.0) * (min(max(prompts, 1.0), batch) - 1)
    return alone_ms - first + step + service_ms / 2 * max(prompts - batch, 0.0)
