"""Intervals of pools are wider than those of the engines in them, as measurements of pools ask for."""

from math import log

import numpy as np
import pytest

from profiler.estimate import pool_powers
from profiler.models import load
from profiler.search import candidates
from tests.profiler.requests import DENSE, request


def widths(found, row):
    metrics = found.configuration(row).metrics
    named = ("ttft_ms", "itl_ms", "throughput_per_gpu")
    return [log(interval.high / interval.low) for interval in (getattr(metrics, f"{name}_interval") for name in named)]


def test_pools_are_less_certain_than_their_engines():
    found = candidates(request(backend="vllm"), load(DENSE))
    pool = int(np.flatnonzero(found.disaggregated)[0])
    engine, first = found.engine[pool], found.prefill[pool]
    table, (ttft, itl) = found.engines, pool_powers()
    own = [
        log(table.ttft_high[first] / table.ttft_low[first]),
        log(table.itl_high[engine] / table.itl_low[engine]),
        log(table.throughput_high[engine] / table.throughput_low[engine]),
    ]
    wider = [power * width for power, width in zip((ttft, itl, itl), own, strict=True)]
    assert widths(found, pool) == pytest.approx(wider, rel=1e-3)
    assert min(ttft, itl) >= 1


def test_engines_that_do_both_keep_their_own():
    found = candidates(request(backend="vllm"), load(DENSE))
    row = int(np.flatnonzero(~found.disaggregated)[0])
    engine, table = found.engine[row], found.engines
    assert widths(found, row)[1] == pytest.approx(log(table.itl_high[engine] / table.itl_low[engine]), rel=1e-3)
