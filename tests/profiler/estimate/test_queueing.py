"""The closed forms of waiting against a simulation of the engine that has no formula of a queue in it.

Both use the estimator's step times. In place of the fitted constants of the first token stand those of an engine that
does nothing but its steps: a prompt waits for half a step, shares one with the sequences that decode, and adds its own
tokens to it.
"""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.estimate import Points, aggregated, serving
from profiler.estimate.coefficients import ServingCoefficients
from profiler.estimate.memory import memory
from profiler.estimate.queueing import Admission, busy_share, closed_tail, queued
from profiler.estimate.stages import prefill_ms
from profiler.estimate.system import System
from profiler.hardware import gpu
from profiler.models import load
from tests.profiler.estimate.simulation import Engine, run

ENGINES = {
    "32B on two H200": ("Qwen/Qwen3-32B", "h200_sxm", 2),
    "8B on an H100": ("meta-llama/Llama-3.1-8B-Instruct", "h100_sxm", 1),
    "120B with experts on two B200": ("openai/gpt-oss-120b", "b200_sxm", 2),
}
LENGTHS = [(1000, 200), (4000, 500), (6000, 100), (20_000, 300)]
REQUESTS = 3000
WARM_UP = 500


def theory(arrival):
    """The serving constants of an engine that does nothing but its steps."""
    ahead = {"steady": 0.0, "closed": 1 / 20, "burst": 1 / 2}[arrival]
    mixing, steps = (0.5, 1.0) if arrival == "burst" else (1.0, 1.5)
    return {
        "mixing": mixing,
        "first_token_ms": 0.0,
        "first_token_steps": steps,
        "queue_share": ahead,
        "queue_power": 1.0,
        "memory_wait": 1.0,
    }


def points(name, isl, osl, concurrency):
    model, _, tp = ENGINES[name]
    return Points.of(isl=isl, osl=osl, tp=tp, moe_ep=tp if load(model).is_moe else 1, concurrency=concurrency)


@cache
def engine(name, isl, osl):
    model, sku, _ = ENGINES[name]
    return Engine.of(load(model), gpu(sku), "vllm", points(name, isl, osl, 1))


@cache
def most(name, isl, osl):
    """Requests per ms that the simulated engine sustains."""
    simulated = engine(name, isl, osl)
    plenty = 2 * int(min(simulated.room, osl * 8192 / isl)) + 2
    return run(simulated, [0.0] * plenty, np.random.default_rng(1), total=6 * plenty).rate


def estimated(name, isl, osl, concurrency, arrival):
    model, sku, _ = ENGINES[name]
    system, asked = System.of(load(model), gpu(sku), "vllm"), points(name, isl, osl, concurrency)
    one = np.ones(1)
    own = serving.marginal_prefill_ms(system, asked) / prefill_ms(system, asked, one, one)
    constants = ServingCoefficients(**theory(arrival), prefill_factor=float(own[0]))
    return serving.aggregated(system, asked, memory(system, asked), constants, arrival, np.zeros(1))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("isl", "osl"), LENGTHS)
@pytest.mark.parametrize("busy", [0.2, 0.5, 0.75])
def test_steady_arrivals(name, isl, osl, busy):
    rng = np.random.default_rng(7)
    rate = busy * most(name, isl, osl)
    seen = run(engine(name, isl, osl), np.cumsum(rng.exponential(1 / rate, REQUESTS)).tolist(), rng)
    found = estimated(name, isl, osl, seen.in_flight, "steady")
    ttft = seen.ttft_ms[WARM_UP:-100]
    assert found.ttft_ms[0] == pytest.approx(ttft.mean(), rel=0.15)
    assert found.ttft_p90_ms[0] == pytest.approx(np.quantile(ttft, 0.9), rel=0.25)
    assert found.itl_ms[0] == pytest.approx(seen.itl_ms.mean(), rel=0.15)
    per_ms = seen.in_flight / (found.ttft_ms[0] + (osl - 1) * found.itl_ms[0])
    assert per_ms == pytest.approx(rate, rel=0.15)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("lengths", [(1000, 200), (4000, 500), (6000, 100)])
@pytest.mark.parametrize("clients", [8, 16, 32])
def test_a_closed_loop_of_ten_rounds(name, lengths, clients):
    seen = [
        run(engine(name, *lengths), [0.0] * clients, np.random.default_rng(seed), total=10 * clients).ttft_ms
        for seed in range(4)
    ]
    found = estimated(name, *lengths, clients, "closed")
    late = found.ttft_p90_ms[0] / found.ttft_ms[0]  # the mean is fitted
    assert found.ttft_ms[0] == pytest.approx(np.mean(seen), rel=0.3)
    assert late == pytest.approx(np.mean([np.quantile(ttft, 0.9) / ttft.mean() for ttft in seen]), rel=0.3)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("lengths", [(4000, 500), (6000, 100), (20_000, 300)])
def test_a_burst(name, lengths):
    simulated = engine(name, *lengths)
    clients = min(simulated.room // 2, 64)
    seen = run(simulated, [0.0] * clients, np.random.default_rng(0)).ttft_ms
    found = estimated(name, *lengths, clients, "burst")
    assert found.ttft_ms[0] == pytest.approx(seen.mean(), rel=0.3)  # fitted: theory ignores who shares my chunk
    assert found.ttft_p90_ms[0] / found.ttft_ms[0] == pytest.approx(np.quantile(seen, 0.9) / seen.mean(), rel=0.1)


@given(
    st.sampled_from(list(ENGINES)),
    st.sampled_from(("vllm", "sglang", "trtllm")),
    st.sampled_from(("steady", "closed", "burst")),
    st.integers(100, 30_000),
    st.integers(20, 5000),
)
def test_more_load_never_makes_the_latest_earlier_nor_the_engine_do_less(name, backend, arrival, isl, osl):
    model, sku, _ = ENGINES[name]
    load_steps = points(name, isl, osl, np.geomspace(0.1, 20_000, 100))
    found = aggregated(load(model), gpu(sku), backend, load_steps, arrival=arrival)
    assert (found.ttft_p90_ms >= found.ttft_ms).all()
    assert (np.diff(found.ttft_p90_ms) >= 0).all()
    if arrival == "steady":  # by a few hundredths just where everything is full
        assert (found.requests_per_s >= 0.95 * np.maximum.accumulate(found.requests_per_s)).all()


def test_an_overloaded_engine_keeps_everyone_waiting_as_littles_law_says():
    admitted = Admission.of(np.array([1000.0]), np.array([50.0]), np.array([3.0]))
    assert admitted.running == pytest.approx([50.0])
    assert admitted.turned_away == pytest.approx([1.0])


def test_a_place_for_everyone_keeps_nobody_waiting():
    admitted = Admission.of(np.array([50.0]), np.array([1000.0]), np.array([3.0]))
    assert admitted.running == pytest.approx([50.0])
    assert admitted.turned_away == pytest.approx([0.0])


def test_the_busy_share_obeys_littles_law():
    flight, alone, service = np.array([0.5, 3.0, 50.0, 1e4]), 800.0, 90.0
    busy = busy_share(flight, np.full(4, alone), np.full(4, service))
    assert ((busy > 0) & (busy < 1)).all()
    assert busy / service * (alone + queued(busy, service)) == pytest.approx(flight)


def test_nobody_in_a_closed_loop_waits_longer_than_its_whole_first_round():
    assert closed_tail(np.array([0.9]), np.array([100.0]), np.array([0.0])) == pytest.approx([0.0])
    assert closed_tail(np.array([0.9]), np.array([100.0]), np.array([30.0])) == pytest.approx([30.0])


def test_short_answers_to_long_prompts_are_limited_by_how_fast_prompts_enter():
    asked = Points.of(isl=8000, osl=50, tp=2, concurrency=[40, 400])
    found = aggregated(load("Qwen/Qwen3-32B"), gpu("b200_sxm"), "vllm", asked)
    assert found.max_concurrency[0] > 100
    assert found.itl_ms[1] < 2 * found.itl_ms[0]  # no more than 51 decode at once
    assert found.ttft_ms[1] > 10 * found.ttft_ms[0]
