"""The load of an engine that requests reach at a rate: how many are then in flight, by Little's law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from profiler.estimate import Estimates, FloatArray, Points
from profiler.points.cells import Asked, Rows
from profiler.points.questions import Mode, Question

MOST_IN_FLIGHT = 1e6  # an engine whose rate still is too low with these has reached what it sustains
HALVINGS = 32  # of the logarithm of what lies between: to eight digits


@dataclass(frozen=True)
class Load:
    """Points with their requests in flight.

    `rates` are the requests/s that were asked for, NaN where a concurrency was; `most` what the engine sustains, NaN
    where that is enough. Points beyond it have infinitely many requests in flight: the queue grows without end.
    """

    points: Points
    rates: FloatArray
    most: FloatArray

    @classmethod
    def of(cls, asked: Asked, question: Question, rows: Rows, ask: Callable[[Points], Estimates] | None = None) -> Load:
        """The load of some rows; `ask` is the estimate of their question, corrected where measurements shift it."""
        points, rates = asked.points(question, rows), asked.numbers["request_rate"][rows]
        if np.isnan(rates).all():
            return cls(points, rates, rates)
        found, most = _in_flight(ask or question.estimate, points, np.nan_to_num(rates), question.mode)
        beyond = most < rates
        in_flight = np.where(np.isnan(rates), points.concurrency, np.where(beyond, np.inf, found))
        return cls(replace(points, concurrency=in_flight), rates, np.where(beyond, most, np.nan))

    def beyond(self, place: int) -> str:
        """What the engine of a row sustains, where more was asked for; else empty."""
        most = float(self.most[place])
        return "" if np.isnan(most) else f"request_rate: the engine sustains no more than {most:.3g} requests/s"

    def engines(self, place: int) -> int:
        """How many such engines sustain the rate of a row that one does not; 0 where one does."""
        most = float(self.most[place])
        return 0 if np.isnan(most) else int(np.ceil(self.rates[place] / most))


def _in_flight(
    ask: Callable[[Points], Estimates], points: Points, rates: FloatArray, mode: Mode
) -> tuple[FloatArray, FloatArray]:
    """Requests in flight at which each engine serves `rates`, and the most that it serves (inf without an answer).

    The rate never falls as more are in flight, so that halving what lies between finds it.
    """
    one = replace(points, concurrency=np.ones(len(points)))
    alone = ask(one)
    answered = alone.answered
    slowest = np.where(answered, alone.requests_per_s, np.inf)
    if mode == "prefill":  # its rate does not depend on what is in flight
        return np.ones(len(points)), slowest
    room = np.maximum(alone.max_concurrency, 1.0) if mode == "decode" else np.full(len(points), MOST_IN_FLIGHT)
    high = np.where(answered, room, 1.0)
    most = np.where(answered, ask(replace(one, concurrency=high)).requests_per_s, np.inf)
    low = np.ones(len(points))
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        enough = ask(replace(one, concurrency=middle)).requests_per_s >= rates
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    # With less than one in flight on average, a request is alone while it is served.
    return np.where(rates <= slowest, rates / slowest, high), most
