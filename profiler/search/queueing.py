"""How long a prompt takes in a pool of prefill engines: its wait for others, and its step, shared with some."""

from __future__ import annotations

from typing import Any

import numpy as np

from profiler.search.columns import FloatColumn


def queueing_ms(utilisation: Any, servers: Any, service_ms: Any) -> FloatColumn:
    """Mean wait in ms for one of `servers` with Poisson arrivals and a fixed service time (M/D/c).

    W = s/2 * rho^(sqrt(2(c+1)) - 1) / (c (1 - rho)): Sakasegawa's approximation of M/M/c (1977) times the
    Allen-Cunneen factor (Ca^2 + Cs^2)/2 = 1/2; exact for c = 1.
    """
    rho = np.asarray(utilisation, dtype=np.float64)
    c = np.asarray(servers, dtype=np.float64)
    return np.asarray(service_ms / 2 * rho ** (np.sqrt(2 * (c + 1)) - 1) / (c * (1 - rho)))


def prefill_ms(utilisation: Any, workers: Any, service_ms: Any, alone_ms: Any, batch: Any) -> FloatColumn:
    """Mean time in ms from a prompt's arrival at a pool of prefill engines to its first token, under Poisson arrivals.

    `alone_ms` is that of a prompt that finds an engine idle, `service_ms` what each takes of an engine that runs full
    steps of `batch` prompts, back to back: shapes broadcast; `utilisation` (below 1) is of that sustained rate.

    An engine steps all its attention-DP ranks together and starts no step before the last has ended. A step of k
    prompts takes t(k), linear from one prompt to `batch`:

        prompts that share a step   k = lambda t(k)          those that arrived during the step before, 1 to `batch`
        rest of the step before     min(1, lambda t(1)) t(k) / 2        batch service with linear times, Inoue (2021)
        wait for a place in a step  M/D/c at the sustained rate

    With one prompt a step it is M/D/c; alone_ms at no load. Within 18 % of a simulation (tests).
    """
    rho, s, k_most = (np.asarray(value, dtype=np.float64) for value in (utilisation, service_ms, batch))
    full = k_most * s
    first = np.minimum(alone_ms, full)  # what is left of `alone_ms` does not keep the engine busy
    slope = (full - first) / np.maximum(k_most - 1, 1.0)
    rate = rho / s
    free = 1 - rate * slope
    k = np.where(free > 0, rate * (first - slope) / np.where(free > 0, free, 1.0), k_most)
    step = first + slope * (np.clip(k, 1.0, k_most) - 1)
    rest = np.minimum(1.0, rate * first) * step / 2 * (1 - 1 / k_most)
    return np.asarray(alone_ms + step - first + rest + queueing_ms(rho, workers, s))
