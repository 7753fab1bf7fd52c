"""From step times to TTFT, ITL and rates: closed forms, no simulation and no iteration.

Little's law (L = lambda W, Little 1961) ties requests in flight, rate and latency. Constants that a comment calls
fitted are in `data/coefficients.json` (see NOTICE). With C requests in flight, of which B fit in KV memory:

    t_dec  decode step of B sequences           t_pf  marginal prefill of one prompt in a saturated engine
    ITL  = t_dec + mixing * B / osl * t_pf      every sequence sees the prefill of each other one per osl tokens
    TTFT = constant + steps * ITL + prefill_factor * t_step(prompts ahead and mine) + queue + wait for memory
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from profiler.estimate.coefficients import Arrival, ServingCoefficients, serving_coefficients
from profiler.estimate.memory import Memory
from profiler.estimate.points import FloatArray, Points
from profiler.estimate.queueing import (
    LATE_IN_BURST,
    LATE_STEP,
    ROUNDS,
    Admission,
    busy_share,
    chunk_share,
    closed_tail,
    fluctuation,
    places,
    queued,
    tail,
)
from profiler.estimate.stages import CHUNK_TOKENS, decode_ms, full_prefill_ms, prefill_ms, staged
from profiler.estimate.step import host_ms
from profiler.estimate.system import System

ADMISSION_DOUBLINGS = 3  # how abruptly KV memory limits the running requests: a norm of order 2^3


@dataclass(frozen=True)
class FirstToken:
    """Milliseconds until a first token, by cause; they sum to the mean TTFT.

    `outside` of the engine's steps, `steps` of those that decode meanwhile, `prompts` (mine, and those that share its
    step: `together` in all, `on_rank` on the busiest rank), the `queue` behind earlier prompts and the wait for a
    `place` in the engine.
    """

    outside: FloatArray
    steps: FloatArray
    prompts: FloatArray
    queue: FloatArray
    place: FloatArray
    together: FloatArray
    on_rank: FloatArray

    @property
    def ms(self) -> FloatArray:
        """The mean TTFT."""
        return self.outside + self.steps + self.prompts + self.queue + self.place


@dataclass(frozen=True)
class Latency:
    """What an engine does at a point: TTFT and ITL in ms, and the requests that run (KV memory admits them)."""

    first: FirstToken
    ttft_ms: FloatArray
    ttft_p90_ms: FloatArray
    itl_ms: FloatArray
    running: FloatArray


def aggregated(
    system: System,
    points: Points,
    memory: Memory,
    serving: ServingCoefficients,
    arrival: Arrival,
    admission_wait_steps: FloatArray,
) -> Latency:
    """An engine that prefills and decodes, with `points.concurrency` requests in flight."""
    flight = np.maximum(points.concurrency, 1.0)  # while a request is served, at least that one is in flight
    marginal = marginal_prefill_ms(system, points)
    if arrival == "steady":
        admission = _admission(system, points, memory, flight, marginal)
        running = admission.running
    else:
        running = smooth_min(flight, np.maximum(memory.max_concurrency, 1.0))
    decode = decode_ms(system, points, running)
    mixed = marginal_prefill_ms(system, points, running) if staged(points) else marginal
    itl = decode + serving.mixing * running / points.osl * mixed
    steps = serving.first_token_steps + system.coefficients.admission * admission_wait_steps
    ahead = _prompts_ahead(serving, flight, arrival)
    together, on_rank = 1 + ahead, np.maximum((1 + ahead) / points.dp, 1.0)
    # Little's law for the requests that are not admitted: each waits for as many others to finish.
    over = flight / running - 1
    first = FirstToken(
        outside=serving.first_token_ms + 0 * itl,
        steps=steps * itl,
        prompts=serving.prefill_factor * prefill_ms(system, points, together, on_rank),
        queue=0 * itl,
        place=serving.memory_wait * over * (points.osl * itl + marginal),
        together=together,
        on_rank=on_rank,
    )
    late = LATE_STEP * itl
    others = serving.prefill_factor * ahead * marginal  # what those who arrive at once cost each other, on average
    if arrival == "burst":
        return Latency(first, first.ms, first.ms + (late + LATE_IN_BURST * others), itl, running)
    # The steps that carry a prompt also decode; as many prompts as `places` lets in then keep the engine just busy.
    service = serving.mixing * marginal + chunk_share(points) * decode
    if arrival == "closed":
        busy = busy_share(flight, first.ms + points.osl * itl, service)
        late = late + np.maximum(closed_tail(busy, service, 2 * ROUNDS * others) - others, 0.0)
        return Latency(first, first.ms, first.ms + late, itl, running)
    served = replace(first, place=0 * itl).ms + (points.osl - 1) * itl
    place = over * served
    busy = busy_share(flight, served + place, service)
    queue = queued(busy, service)
    first = replace(first, queue=queue, place=place)
    latest = np.maximum(tail(queue, busy) - queue, tail(place, admission.turned_away) - place)
    return Latency(first, first.ms, first.ms + late + np.maximum(latest, 0.0), itl, running)


def _admission(system: System, points: Points, memory: Memory, flight: FloatArray, marginal: FloatArray) -> Admission:
    room = places(points, memory.max_concurrency)
    full, half = (decode_ms(system, points, share * room) for share in (1.0, 0.5))
    return Admission.of(flight, room, fluctuation(points, room, full, half, marginal))


def prefill(system: System, points: Points) -> Latency:
    """A prefill worker: one prompt alone. Memory is that of a saturated worker."""
    serving = serving_coefficients(system.model, system.gpu, system.engine, "steady")
    one = np.ones_like(points.isl)
    first = FirstToken(
        outside=serving.first_token_ms * one,
        steps=host_ms(system, points, one),
        prompts=serving.prefill_factor * prefill_ms(system, points, one, one),
        queue=0 * one,
        place=0 * one,
        together=one,
        on_rank=one,
    )
    return Latency(first, first.ms, first.ms, 0 * one, _full_step_prompts(points))


def prefill_rate(system: System, points: Points) -> FloatArray:
    """Prompts/s of a saturated prefill worker: full steps, back to back, on every data-parallel rank."""
    prompts = _full_step_prompts(points)
    full = full_prefill_ms(system, points, prompts, prompts / points.dp)
    return 1e3 * prompts / (full + host_ms(system, points, prompts))


def decode(system: System, points: Points) -> Latency:
    """A decode worker with `points.concurrency` running sequences, whose prompts arrive prefilled."""
    running = np.maximum(points.concurrency, 1.0)
    itl = decode_ms(system, points, running)
    none = np.zeros_like(itl)
    return Latency(FirstToken(*[none] * 7), none, none, itl, running)


def marginal_prefill_ms(system: System, points: Points, sequences: FloatArray | None = None) -> FloatArray:
    """Milliseconds that one more prompt adds: the step of a full chunk, per prompt (weights are streamed anyway).

    `sequences` that decode beside it: with fewer than pipeline stages, prompts hold them up for longer (None: enough).

    With attention data parallelism all ranks wait for the one that prefills, so that part of the others' prompts
    counts as this rank's (fitted).
    """
    prompts = np.maximum(1.0, CHUNK_TOKENS / points.isl)
    stalled = prompts * (1 + system.coefficients.data_parallel_stall * (points.dp - 1)) / points.dp
    return full_prefill_ms(system, points, prompts, stalled, sequences) / prompts


def smooth_min(a: FloatArray, b: FloatArray) -> FloatArray:
    """The smaller of the two, at most 8 % less where they are equal."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    ratio = low / high
    for _ in range(ADMISSION_DOUBLINGS):
        ratio = ratio * ratio
    share = 1 + ratio
    for _ in range(ADMISSION_DOUBLINGS):
        share = np.sqrt(share)
    result: FloatArray = low / share
    return result


def request_rate(points: Points, ttft_ms: FloatArray, itl_ms: FloatArray) -> FloatArray:
    """Requests/s by Little's law: in flight over time in the system."""
    return 1e3 * points.concurrency / (ttft_ms + (points.osl - 1) * itl_ms)


def _full_step_prompts(points: Points) -> FloatArray:
    return points.dp * np.maximum(1.0, CHUNK_TOKENS / points.isl)


def _prompts_ahead(serving: ServingCoefficients, flight: FloatArray, arrival: Arrival) -> FloatArray:
    """Prompts that share the step with mine or go before it; a mean over the rounds of a load generator.

    In a closed loop only the first round arrives at once: of ten rounds, half of the others over ten are ahead on
    average. A burst is one round: half of the others are ahead. Steady arrivals have none, they queue
    (`queueing.queued`).
    """
    if arrival == "steady":
        return np.zeros_like(flight)
    result: FloatArray = serving.queue_share * np.maximum(flight - 1, 0.0) ** serving.queue_power
    return result
