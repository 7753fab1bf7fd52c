"""A discrete-event simulation of prefill engines that step batches, before decode slots: what closed forms stand for.

It has no formula of a queue in it. Prompts go to engines in turn; an engine steps up to `batch` prompts at a time, each
step as long as its number of prompts says; then a request holds a decode slot for a time drawn from within 11 % of its
mean, as the lengths of the public benchmark are.
"""

import heapq
from dataclasses import dataclass, field
from itertools import count

import numpy as np

SPREAD = 1 / 9


@dataclass
class Engine:
    """Prompts that wait, and whether a step runs."""

    waiting: list[int] = field(default_factory=list)
    steps: bool = False


@dataclass(frozen=True)
class Pools:
    """Times in ms; a step of k prompts is linear in k, from `alone_ms` to `batch` times `service_ms`."""

    workers: int
    alone_ms: float
    service_ms: float
    batch: int
    decode_ms: float = 0.0
    slots: int = 10**9

    def step_ms(self, prompts):
        """One step of so many prompts."""
        more = (self.batch * self.service_ms - self.alone_ms) / max(self.batch - 1, 1)
        return self.alone_ms + more * (prompts - 1)


def ttfts(pools, rng, *, total, rate=None, requests=None):
    """TTFTs in ms of `total` prompts that arrive at `rate` per ms (Poisson), or with `requests` always in flight."""
    events, order = [], count()
    engines = [Engine() for _ in range(pools.workers)]
    arrived, first = np.zeros(total), np.zeros(total)
    ready, running, issued = [], 0, 0

    def at(time, action, *what):
        heapq.heappush(events, (time, next(order), action, what))

    def arrive(time, index):
        arrived[index] = time
        engine = engines[index % pools.workers]
        engine.waiting.append(index)
        at(time, step, engine)  # after all that arrives at this very moment

    def step(time, engine):
        if engine.steps or not engine.waiting:
            return
        batch, engine.waiting = engine.waiting[: pools.batch], engine.waiting[pools.batch :]
        engine.steps = True
        at(time + pools.step_ms(len(batch)), stepped, engine, batch)

    def stepped(time, engine, batch):
        engine.steps = False
        ready.extend(batch)
        admit(time)
        step(time, engine)

    def admit(time):
        nonlocal running
        while ready and running < pools.slots:
            running += 1
            index = ready.pop(0)
            first[index] = time - arrived[index]
            at(time + pools.decode_ms * rng.uniform(1 - SPREAD, 1 + SPREAD), leave)

    def leave(time):
        nonlocal running
        running -= 1
        admit(time)
        if rate is None:
            issue(time)

    def issue(time):
        nonlocal issued
        if issued < total:
            at(time, arrive, issued)
            issued += 1

    if rate is None:
        for _ in range(min(requests, total)):
            issue(0.0)
    else:
        for index, time in enumerate(np.cumsum(rng.exponential(1 / rate, total))):
            at(time, arrive, index)
    while events:
        time, _, action, what = heapq.heappop(events)
        action(time, *what)
    return first
