"""A simulation of one engine with continuous batching and chunked prefill, on the estimator's step times.

It has no formula of a queue in it: requests arrive, prompts are cut into chunks beside the sequences that decode, and
everybody waits for the step to end. Lengths are drawn from within 11 % of their means, as the public benchmark draws
them from 80 to 100 % of the nominal ones; attention is not data parallel.
"""

from collections import deque
from dataclasses import dataclass, fields

import numpy as np

from profiler.estimate import Points
from profiler.estimate.memory import memory
from profiler.estimate.serving import marginal_prefill_ms
from profiler.estimate.stages import CHUNK_TOKENS, decode_ms, prefill_ms
from profiler.estimate.system import System

SPREAD = 1 / 9  # of lengths around their mean
PLACES = 32  # sizes of a step of prompts alone that are computed; those between are interpolated


@dataclass(frozen=True)
class Engine:
    """Step times in ms by the number of sequences that decode, and what a prompt's token adds to them."""

    isl: int
    osl: int
    decode: list[float]  # by number of sequences; the first is never used
    alone: list[float]  # steps of prompts only, by CHUNK_TOKENS / PLACES tokens
    token_ms: float
    room: int  # requests that KV memory admits

    @classmethod
    def of(cls, model, gpu, backend, point):
        """The engine of one point."""
        system = System.of(model, gpu, backend)
        sequences, tokens = np.arange(1.0, 4097.0), np.maximum(np.linspace(0, CHUNK_TOKENS, PLACES + 1), 1.0)
        by_sequences, by_tokens = (_repeated(point, len(column)) for column in (sequences, tokens))
        prompts = tokens / by_tokens.isl
        return cls(
            isl=int(point.isl[0]),
            osl=int(point.osl[0]),
            decode=[0.0, *decode_ms(system, by_sequences, sequences).tolist()],
            alone=prefill_ms(system, by_tokens, prompts, prompts).tolist(),
            token_ms=float(marginal_prefill_ms(system, point)[0] / point.isl[0]),
            room=int(max(memory(system, point).max_concurrency[0], 1)),
        )

    def step_ms(self, decoding: int, tokens: int) -> float:
        """One step: sequences that decode, tokens of prompts beside them."""
        if decoding:
            return self.decode[decoding] + tokens * self.token_ms
        place = tokens / CHUNK_TOKENS * PLACES
        low = int(place)
        return self.alone[low] + (place - low) * (self.alone[min(low + 1, PLACES)] - self.alone[low])


def _repeated(point, count):
    return Points(*(np.repeat(getattr(point, field.name), count) for field in fields(point)))


@dataclass(frozen=True)
class Seen:
    """What the requests saw, in order of their first tokens; how many were in flight and ended per ms on average."""

    ttft_ms: np.ndarray
    itl_ms: np.ndarray
    in_flight: float
    rate: float


def run(engine, arrivals, rng, total=0):
    """Serve `arrivals` (ms, ascending); each request that ends is followed by another until there were `total`."""
    pending = deque(arrivals)
    waiting = deque()  # [arrival, tokens left]
    prefilling = deque()
    ends = {}  # step -> requests whose last token it gives
    ttft, itl = [], []
    now, step, decoding, held, area, last = 0.0, 0, 0, 0, 0.0, 0.0
    born = len(pending)

    def drawn(mean):
        return max(int(mean * rng.uniform(1 - SPREAD, 1 + SPREAD) + 0.5), 2)

    while pending or waiting or prefilling or decoding:
        while pending and pending[0] <= now:
            waiting.append([pending.popleft(), drawn(engine.isl)])
        while waiting and held < engine.room:
            prefilling.append(waiting.popleft())
            held += 1
        if not prefilling and not decoding:
            now = last = pending[0]
            continue
        budget, tokens, ready = CHUNK_TOKENS, 0, []
        while prefilling and budget > 0:
            taken = min(budget, prefilling[0][1])
            prefilling[0][1] -= taken
            budget -= taken
            tokens += taken
            if prefilling[0][1] == 0:
                ready.append(prefilling.popleft()[0])
        now += engine.step_ms(decoding, tokens)
        area += (len(waiting) + held) * (now - last)
        last = now
        step += 1
        done = ends.pop(step, [])
        decoding -= len(done)
        for begun, tokens in done:
            itl.append((now - begun) / tokens)
        for arrived in ready:
            ttft.append(now - arrived)
            tokens = drawn(engine.osl) - 1
            ends.setdefault(step + tokens, []).append((now, tokens))
            decoding += 1
        held -= len(done)
        for _ in done:
            if born < total:
                pending.append(now)
                born += 1
    return Seen(np.array(ttft), np.array(itl), area / now, len(itl) / now)
