"""The closed network that measured disaggregated rows are compared with: against a simulation, and Little's law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.fit.closed_loop import ROUNDS, DecodePool, PrefillPool, burst_ms, closed_loop
from tests.profiler.search.simulation import Pools, ttfts
from tests.profiler.search.test_queueing import POOLS

TOKENS = 1000.0


def loop(requests, pool, decode_ms, slots=1e9, handover_ms=0.0):
    workers, alone, service, batch = pool
    prefill = PrefillPool(workers, service, alone, batch)
    decode = DecodePool(1, slots, TOKENS, lambda _: decode_ms / TOKENS)
    return closed_loop(requests, prefill, decode, lambda _: handover_ms)


@pytest.mark.parametrize("pool", [(1, 100, 100, 1), (4, 100, 100, 1), (2, 60, 14, 36), (1, 400, 125, 8)])
@pytest.mark.parametrize("load", [0.1, 0.3, 0.6, 0.8, 1.5])
def test_ten_rounds_take_as_long_as_in_a_simulation(pool, load):
    decode_ms = 10_000
    requests = max(2, int(load * pool[0] / pool[2] * decode_ms))
    rng = np.random.default_rng(3)
    simulated = Pools(*pool, decode_ms=decode_ms)
    found = [ttfts(simulated, rng, total=ROUNDS * requests, requests=requests).mean() for _ in range(3)]
    assert loop(requests, pool, decode_ms).ttft_ms == pytest.approx(np.mean(found), rel=0.2)


@pytest.mark.parametrize("requests", [40, 64, 100])
def test_requests_wait_for_decode_slots_as_in_a_simulation(requests):
    pool, decode_ms, slots = (1, 60, 14, 36), 10_000, 32
    simulated = Pools(*pool, decode_ms=decode_ms, slots=slots)
    found = ttfts(simulated, np.random.default_rng(3), total=ROUNDS * requests, requests=requests).mean()
    expected = loop(requests, pool, decode_ms, slots)
    assert expected.ttft_ms == pytest.approx(found, rel=0.15)
    assert expected.held_ms == pytest.approx((requests / slots - 1) * decode_ms, rel=0.1)


def test_decode_runs_what_prefill_does_not_hold():
    slow = closed_loop(
        64,
        PrefillPool(1, 200.0, 200.0, 1),
        DecodePool(2, 1e9, TOKENS, lambda running: 5 + running / 10),
        lambda itl: 15 * itl,
    )
    assert slow.prefill_utilisation == pytest.approx(1, abs=0.02)
    assert slow.itl_ms < 5 + 32 / 10  # not with half of all requests in each of both workers


@given(
    requests=st.integers(1, 5000),
    workers=st.integers(1, 16),
    service=st.floats(1, 500),
    batch=st.integers(1, 72),
    decode_ms=st.floats(100, 1e5),
    slots=st.integers(1, 2000),
    handover_ms=st.floats(0, 1000),
)
def test_littles_law_holds(requests, workers, service, batch, decode_ms, slots, handover_ms):
    pool = (workers, service, service, batch)
    found = loop(requests, pool, decode_ms, slots, handover_ms)
    rate = found.prefill_utilisation * workers / service
    assert rate * decode_ms <= min(slots, requests) * (1 + 1e-6)
    assert found.prefill_utilisation <= 1
    steady = requests / rate - decode_ms  # TTFT of the rounds after the first
    first = PrefillPool(workers, service, service, batch).first_round_ms(requests)
    assert found.ttft_ms >= steady * (1 - 1e-6) or steady < 1e-6 * decode_ms
    assert found.ttft_ms <= (steady + first / ROUNDS) * (1 + 1e-6) + 1e-6 * decode_ms


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("prompts", [1, 3, 40])
def test_a_burst_takes_as_long_as_in_a_simulation(pool: tuple[int, float, float, int], prompts: int) -> None:
    _, alone, service, batch = pool
    found = ttfts(Pools(1, alone, service, batch), np.random.default_rng(7), total=prompts, requests=prompts).mean()
    assert burst_ms(prompts, service, alone, batch) == pytest.approx(found, rel=0.15)
