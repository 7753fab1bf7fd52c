"""Pipeline stages: what must hold, and what they cost and bring."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.estimate import Estimates, Points, aggregated, breakdown, decode, prefill
from profiler.estimate.memory import memory
from profiler.estimate.system import System
from profiler.hardware import gpu
from profiler.models import catalogue, load

DENSE, MLA = load("meta-llama/Llama-3.1-70B-Instruct"), load("deepseek-ai/DeepSeek-R1")
H200 = gpu("h200_sxm")

models = st.sampled_from([name for name in catalogue.names() if not load(name).linear]).map(load)
big_gpus = st.sampled_from(("b200_sxm", "h200_sxm", "mi300", "l40s")).map(gpu)
engines = st.sampled_from(("vllm", "sglang"))
arrivals = st.sampled_from(("steady", "closed", "burst"))
lengths = st.integers(1, 30_000)
loads = st.floats(0.1, 4000)
stages = st.integers(2, 16)


def points(model, pp, **columns):
    return Points.of(tp=8, pp=pp, moe_ep=8 if model.is_moe else 1, **columns)


@given(models, big_gpus, engines, lengths, lengths, loads, stages)
def test_stages_never_need_more_memory_per_gpu(model, sku, engine, isl, osl, load, pp):
    asked = points(model, [1, pp], isl=isl, osl=osl, concurrency=load)
    found = aggregated(model, sku, engine, asked, arrival="closed")  # steady: more stages also take in more requests
    if found.answered[0] and pp <= model.layers:
        assert found.answered[1]
        assert found.memory_gib[1] <= found.memory_gib[0] * (1 + 1e-9)
        assert found.max_concurrency[1] >= found.max_concurrency[0]


@given(models, big_gpus, engines, arrivals, lengths, lengths, stages)
def test_a_lone_request_is_never_faster_between_tokens(model, sku, engine, arrival, isl, osl, pp):
    found = aggregated(model, sku, engine, points(model, [1, pp], isl=isl, osl=osl, concurrency=1), arrival=arrival)
    if found.answered.all():
        assert found.itl_ms[1] > found.itl_ms[0]


@given(models, big_gpus, engines, arrivals, lengths, lengths, st.lists(loads, min_size=2), stages)
def test_more_load_never_lowers_latency_or_memory_of_stages(model, sku, engine, arrival, isl, osl, steps, pp):
    columns = {"isl": isl, "osl": osl, "concurrency": sorted(steps)}
    found = aggregated(model, sku, engine, points(model, pp, **columns), arrival=arrival)
    for column in (found.itl_ms, found.ttft_ms, found.memory_gib):
        assert (np.diff(column) >= -1e-9 * column[:-1]).all()


@given(models, big_gpus, engines, st.lists(lengths, min_size=2, unique=True), lengths, st.floats(0.1, 100), stages)
def test_longer_prompts_raise_ttft_of_stages(model, sku, engine, isl, osl, load, pp):
    columns = {"isl": sorted(isl), "osl": osl, "concurrency": load}
    for found in (
        aggregated(model, sku, engine, points(model, pp, **columns)),
        prefill(model, sku, engine, points(model, pp, **columns)),
    ):
        ttft = found.ttft_ms[found.answered]
        assert (np.diff(ttft) > 0).all()


@pytest.mark.parametrize("model", [DENSE, replace(MLA, quantization="fp8")], ids=["dense", "mla"])
def test_an_engine_under_high_load_does_more_with_each_stage(model):
    found = aggregated(model, gpu("b200_sxm"), "vllm", points(model, [1, 2, 4], isl=1000, osl=1000, concurrency=2000))
    assert (np.diff(found.requests_per_s) > 0.2 * found.requests_per_s[:-1]).all()


def test_long_prompts_flow_through_the_stages_in_chunks():
    found = prefill(DENSE, H200, "vllm", points(DENSE, [1, 4], isl=[4000, 4000], osl=1))
    long = prefill(DENSE, H200, "vllm", points(DENSE, [1, 4], isl=[100_000, 100_000], osl=1))
    assert found.ttft_ms[1] == pytest.approx(found.ttft_ms[0], rel=0.02)  # one chunk passes all the layers
    assert 0.25 < long.ttft_ms[1] / long.ttft_ms[0] < 0.4
    assert found.requests_per_s[1] == pytest.approx(4 * found.requests_per_s[0], rel=0.02)


def flow_shop(stages, batches, rounds=400):
    """ms per round of `batches` that pass all stages again and again, each stage one batch at a time."""
    free, ready = [0.0] * len(stages), [0.0] * batches
    for _ in range(rounds):
        for batch in range(batches):
            for place, time in enumerate(stages):
                ready[batch] = free[place] = max(free[place], ready[batch]) + time
    return ready[0] / rounds


@pytest.mark.parametrize("pp", [2, 3, 4])
@pytest.mark.parametrize("load", [1, 2, 3, 200])
def test_a_token_takes_what_a_flow_shop_takes(pp, load):
    asked = points(DENSE, pp, isl=2000, osl=500, concurrency=load)
    parts = {name: float(value[0]) for name, value in breakdown(DENSE, H200, "vllm", asked).items()}
    between, host = parts.pop("between stages"), parts.pop("host")
    batches = min(load, pp)
    one = points(DENSE, 1, isl=2000, osl=500, concurrency=load / batches)
    whole = {name: float(value[0]) for name, value in breakdown(DENSE, H200, "vllm", one).items()}
    layer = (sum(whole.values()) - whole["host"] - whole["head"]) / DENSE.layers
    count = [DENSE.layers // pp + (place < DENSE.layers % pp) for place in range(pp)]
    stages = [layer * layers for layers in count]
    stages[-1] += whole["head"]
    assert sum(parts.values()) == pytest.approx(flow_shop(stages, batches), rel=0.01)
    assert 0 < between < 0.1 * sum(parts.values())
    assert host >= whole["host"] * 0.999


def test_layers_that_do_not_divide_make_the_fullest_stage_count():
    odd = replace(DENSE, layers=81, dense_layers=81)
    system, asked = System.of(odd, H200, "vllm"), points(odd, [1, 2, 3], isl=1000, osl=100)
    weights = memory(system, asked).weights
    ends = 2 * odd.hidden * odd.vocab / 8
    body = weights[0] - 2 * ends
    assert weights[1:] == pytest.approx([body * 41 / 81 + ends, body * 27 / 81 + ends])


def test_stages_on_another_node_cost_more():
    asked = points(DENSE, 4, isl=1000, osl=100, concurrency=64)
    near, far = (
        breakdown(DENSE, replace(H200, gpus_per_node=count), "vllm", asked)["between stages"] for count in (32, 8)
    )
    assert 0 < near < far


@pytest.mark.parametrize("load", [1, 3, 200])
def test_the_breakdown_of_stages_sums_to_the_decode_step(load):
    asked = points(DENSE, [1, 3], isl=2000, osl=500, concurrency=load)
    parts = breakdown(DENSE, H200, "sglang", asked)
    assert sum(parts.values()) == pytest.approx(decode(DENSE, H200, "sglang", asked).itl_ms)
    assert parts["between stages"][0] == 0


def test_rows_without_stages_are_the_same_beside_rows_with_them():
    columns = {"isl": [500, 20_000], "osl": 300, "concurrency": [1, 90]}
    alone = aggregated(DENSE, H200, "vllm", points(DENSE, 1, **columns))
    beside = aggregated(
        DENSE,
        H200,
        "vllm",
        points(DENSE, [1, 1, 2], osl=300, isl=[500, 20_000, 9], concurrency=[1, 90, 7]),
    )
    for field in fields(Estimates):
        column = getattr(alone, field.name)
        if isinstance(column, np.ndarray):
            assert (getattr(beside, field.name)[:2] == column).all(), field.name


def test_intervals_are_wider_as_nobody_measured_stages():
    found = aggregated(DENSE, H200, "vllm", points(DENSE, [1, 2], isl=1000, osl=100, concurrency=8))
    for metric in ("ttft", "itl"):
        one, two = getattr(found, f"{metric}_high") / getattr(found, f"{metric}_low")
        assert two > one**1.5
