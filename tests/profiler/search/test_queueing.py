"""The closed forms of prefill pools against a simulation, and what always holds of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.search.queueing import prefill_ms, queueing_ms
from tests.profiler.search.simulation import Pools, ttfts

# workers, alone, service, batch: one and two prompts a step, then attention DP over 4 with short prompts, 8 with long
POOLS = [(1, 100, 100, 1), (4, 100, 100, 1), (1, 100, 90, 2), (1, 60, 14, 36), (4, 60, 14, 36), (1, 400, 125, 8)]


@pytest.mark.parametrize("utilisation", [0.1, 0.5, 0.9])
def test_one_server_waits_as_in_md1(utilisation: float) -> None:
    exact = utilisation / (2 * (1 - utilisation)) * 100.0
    assert queueing_ms(utilisation, 1, 100.0) == pytest.approx(exact)


def test_more_servers_at_one_utilisation_wait_less() -> None:
    waits = queueing_ms(np.full(6, 0.8), np.array([1, 2, 4, 8, 16, 64]), 100.0)
    assert np.all(np.diff(waits) < 0)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("utilisation", [0.1, 0.3, 0.5, 0.75, 0.9])
def test_prompts_take_as_long_as_in_a_simulation(pool: tuple[int, float, float, int], utilisation: float) -> None:
    workers, alone, service, batch = pool
    simulated = Pools(workers, alone, service, batch)
    rate = utilisation * workers / service
    found = ttfts(simulated, np.random.default_rng(7), total=20_000, rate=rate)[2_000:].mean()
    assert prefill_ms(utilisation, workers, service, alone, batch) == pytest.approx(found, rel=0.2)


@given(
    workers=st.integers(1, 64),
    alone=st.floats(1, 1e4),
    service=st.floats(0.1, 1e4),
    batch=st.integers(1, 512),
    utilisations=st.lists(st.floats(0, 0.99), min_size=2, max_size=8),
)
def test_a_busier_pool_is_slower_and_an_idle_one_takes_a_prompt_alone(
    workers: int, alone: float, service: float, batch: int, utilisations: list[float]
) -> None:
    times = prefill_ms(np.array([0.0, *sorted(utilisations)]), workers, service, alone, batch)
    assert times[0] == pytest.approx(alone)
    assert np.all(np.diff(times) >= -1e-6 * times[:-1])
    assert np.all(np.isfinite(times))


@given(alone=st.floats(1, 1e4), service=st.floats(0.1, 1e4), utilisation=st.floats(0, 0.99))
def test_one_prompt_a_step_waits_as_in_mdc(alone: float, service: float, utilisation: float) -> None:
    times = prefill_ms(utilisation, 3, service, alone, 1)
    assert times == pytest.approx(alone + queueing_ms(utilisation, 3, service))
