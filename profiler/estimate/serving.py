"""From step times to TTFT, ITL and rates: closed forms, no simulation and no iteration.

Little's law (L = lambda W, Little 1961) ties requests in flight, rate and latency. Constants that a comment calls
fitted are in `data/coefficients.json` (see NOTICE). With C requests in flight, of which B fit in KV memory:

    t_dec  decode step of B sequences           t_pf  marginal prefill of one prompt in a saturated engine
    ITL  = t_dec + mixing * B / osl * t_pf      every sequence sees the prefill of each other one per osl tokens
    TTFT = constant + steps * ITL + prefill_factor * t_step(prompts ahead and mine) + queue + wait for memory
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from profiler.estimate.coefficients import Arrival, ServingCoefficients, serving_coefficients
from profiler.estimate.memory import Memory
from profiler.estimate.operations import Batch
from profiler.estimate.points import FloatArray, Points
from profiler.estimate.step import decode_ms, host_ms, step_ms
from profiler.estimate.system import System

CHUNK_TOKENS = 8192.0  # prompt tokens that engines put into one step by default
ADMISSION_SHARPNESS = 8.0  # how abruptly KV memory limits the running requests


@dataclass(frozen=True)
class Latency:
    """What an engine does at a point: TTFT and ITL in ms, and the requests that run (KV memory admits them)."""

    ttft_ms: FloatArray
    itl_ms: FloatArray
    running: FloatArray


def aggregated(
    system: System, points: Points, memory: Memory, arrival: Arrival, admission_wait_steps: float
) -> Latency:
    """An engine that prefills and decodes, with `points.concurrency` requests in flight."""
    serving = serving_coefficients(system.engine, arrival)
    flight = np.maximum(points.concurrency, 1.0)  # while a request is served, at least that one is in flight
    running = smooth_min(flight, np.maximum(memory.max_concurrency, 1.0))
    decode = decode_ms(system, points, running)
    marginal = marginal_prefill_ms(system, points)
    itl = decode + serving.mixing * running / points.osl * marginal
    steps = serving.first_token_steps + system.coefficients.admission * admission_wait_steps
    ttft = serving.first_token_ms + steps * itl + serving.prefill_factor * _prompt_step(system, points, serving, flight)
    if arrival == "steady":
        ttft = ttft + _queue_ms(points, marginal, running, decode)
    alone = step_ms(system, points, Batch.prefilling(points, np.ones_like(flight), np.ones_like(flight)))
    # Little's law for the requests that KV memory does not admit: each waits for as many others to finish.
    ttft = ttft + serving.memory_wait * (flight / running - 1) * (points.osl * itl + alone)
    return Latency(ttft, itl, running)


def prefill(system: System, points: Points) -> Latency:
    """A prefill worker: one prompt alone. Memory is that of a saturated worker."""
    serving = serving_coefficients(system.engine, "steady")
    one = np.ones_like(points.isl)
    alone = step_ms(system, points, Batch.prefilling(points, one, one))
    ttft = serving.first_token_ms + host_ms(system, points, one) + serving.prefill_factor * alone
    return Latency(ttft, np.zeros_like(ttft), _full_step_prompts(points))


def prefill_rate(system: System, points: Points) -> FloatArray:
    """Prompts/s of a saturated prefill worker: full steps, back to back, on every data-parallel rank."""
    prompts = _full_step_prompts(points)
    full = step_ms(system, points, Batch.prefilling(points, prompts, prompts / points.dp))
    return 1e3 * prompts / (full + host_ms(system, points, prompts))


def decode(system: System, points: Points) -> Latency:
    """A decode worker with `points.concurrency` running sequences, whose prompts arrive prefilled."""
    running = np.maximum(points.concurrency, 1.0)
    itl = decode_ms(system, points, running)
    return Latency(np.zeros_like(itl), itl, running)


def marginal_prefill_ms(system: System, points: Points) -> FloatArray:
    """Milliseconds that one more prompt adds: the step of a full chunk, per prompt (weights are streamed anyway).

    With attention data parallelism all ranks wait for the one that prefills, so that part of the others' prompts
    counts as this rank's (fitted).
    """
    prompts = np.maximum(1.0, CHUNK_TOKENS / points.isl)
    stalled = prompts * (1 + system.coefficients.data_parallel_stall * (points.dp - 1)) / points.dp
    return step_ms(system, points, Batch.prefilling(points, prompts, stalled)) / prompts


def smooth_min(a: FloatArray, b: FloatArray) -> FloatArray:
    """The smaller of the two, at most 8 % less where they are equal."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    result: FloatArray = low * (1 + (low / high) ** ADMISSION_SHARPNESS) ** (-1 / ADMISSION_SHARPNESS)
    return result


def request_rate(points: Points, ttft_ms: FloatArray, itl_ms: FloatArray) -> FloatArray:
    """Requests/s by Little's law: in flight over time in the system."""
    return 1e3 * points.concurrency / (ttft_ms + (points.osl - 1) * itl_ms)


def _full_step_prompts(points: Points) -> FloatArray:
    return points.dp * np.maximum(1.0, CHUNK_TOKENS / points.isl)


def _prompt_step(system: System, points: Points, serving: ServingCoefficients, flight: FloatArray) -> FloatArray:
    """The step that computes my prompt with those ahead of it; a mean over the rounds of a load generator.

    In a closed loop only the first round arrives at once: of ten rounds, half of the others over ten are ahead on
    average. A burst is one round: half of the others are ahead. Steady arrivals have none (see `_queue_ms`).
    """
    prompts = 1 + serving.queue_share * np.maximum(flight - 1, 0.0) ** serving.queue_power
    return step_ms(system, points, Batch.prefilling(points, prompts, np.maximum(prompts / points.dp, 1.0)))


def _queue_ms(points: Points, prefill_ms: FloatArray, running: FloatArray, decode: FloatArray) -> FloatArray:
    """Wait behind earlier prompts under Poisson arrivals: M/D/1, W = rho / (1 - rho) * service / 2 (Kleinrock 1975).

    The engine spends osl * t_dec of each request's life decoding and running * t_pf on prompts, so that
    rho / (1 - rho) = running * t_pf / (osl * t_dec): finite at any load.
    """
    return running * prefill_ms / (points.osl * decode) * prefill_ms / 2
