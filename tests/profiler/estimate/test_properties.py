"""What must hold for every model, GPU, engine and layout."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds.vocabulary import ENGINES, GPU_SKUS
from profiler.estimate import Estimates, Points, aggregated, breakdown, decode, prefill
from profiler.hardware import gpu
from profiler.models import catalogue, load

models = st.sampled_from(catalogue.names()).map(load)
gpus = st.sampled_from(GPU_SKUS).map(gpu)
engines = st.sampled_from(ENGINES)
arrivals = st.sampled_from(("steady", "closed", "burst"))
big_gpus = st.sampled_from(("gb200_sxm", "b200_sxm", "h200_sxm", "mi300")).map(gpu)
small_models = st.sampled_from(("Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B", "openai/gpt-oss-20b", "Qwen/Qwen3-30B-A3B")).map(
    load
)
lengths = st.integers(1, 8000)
loads = st.floats(0.1, 2000)


def layout(model, tp):
    return {"tp": tp, "moe_ep": tp} if model.is_moe else {"tp": tp}


def numbers(found):
    return {
        field.name: getattr(found, field.name)
        for field in fields(Estimates)
        if isinstance(getattr(found, field.name), np.ndarray)
    }


@given(
    models,
    gpus,
    engines,
    arrivals,
    st.lists(
        st.tuples(
            st.sampled_from((0, 1, 1.5, 2, 3, 8, 16)),
            st.sampled_from((-1, 1, 1, 8)),
            st.sampled_from((1, 1, 2)),
            st.sampled_from((1, 2, 8)),
            lengths | st.floats(),
            lengths | st.floats(),
            loads | st.floats(),
        ),
        min_size=1,
        max_size=8,
    ),
)
@settings(max_examples=300, deadline=None)
def test_every_number_is_finite_and_every_row_answers_or_says_why(model, sku, engine, arrival, rows):
    tp, dp, moe_tp, moe_ep, isl, osl, concurrency = (np.array(column) for column in zip(*rows, strict=True))
    points = Points.of(tp=tp, dp=dp, moe_tp=moe_tp, moe_ep=moe_ep, isl=isl, osl=osl, concurrency=concurrency)
    with np.errstate(all="raise", under="ignore"):
        found = aggregated(model, sku, engine, points, arrival=arrival)
        workers = prefill(model, sku, engine, points), decode(model, sku, engine, points)
    for estimates in (found, *workers):
        for column in numbers(estimates).values():
            assert np.isfinite(column).all()
            assert (column >= 0).all()
        assert (estimates.throughput_per_gpu[estimates.answered] > 0).all()
        assert (estimates.throughput_per_gpu[~estimates.answered] == 0).all()


@given(models, big_gpus, engines, arrivals, lengths, lengths, loads)
def test_intervals_contain_the_estimate(model, sku, engine, arrival, isl, osl, load):
    points = Points.of(isl=isl, osl=osl, concurrency=load, **layout(model, 8))
    found = aggregated(model, sku, engine, points, arrival=arrival)
    for metric, value in (("ttft", found.ttft_ms), ("itl", found.itl_ms), ("throughput", found.throughput_per_gpu)):
        assert getattr(found, f"{metric}_low") <= value <= getattr(found, f"{metric}_high")


@given(
    small_models, big_gpus, st.sampled_from(("vllm", "sglang")), arrivals, lengths, lengths, st.lists(loads, min_size=2)
)
def test_more_load_never_lowers_latency_or_memory(model, sku, engine, arrival, isl, osl, steps):
    points = Points.of(isl=isl, osl=osl, concurrency=sorted(steps), **layout(model, 2))
    found = aggregated(model, sku, engine, points, arrival=arrival)
    for column in (found.itl_ms, found.ttft_ms, found.memory_gib):
        assert (np.diff(column) >= -1e-9 * column[:-1]).all()


@given(small_models, big_gpus, arrivals, st.lists(lengths, min_size=2, unique=True), lengths, st.floats(0.1, 100))
def test_longer_prompts_raise_ttft(model, sku, arrival, isl, osl, load):
    points = Points.of(isl=sorted(isl), osl=osl, concurrency=load, **layout(model, 2))
    assert (np.diff(aggregated(model, sku, "vllm", points, arrival=arrival).ttft_ms) > 0).all()
    alone = prefill(model, sku, "vllm", points)
    assert (np.diff(alone.ttft_ms) > 0).all()
    assert (np.diff(alone.requests_per_s) < 0).all()


@given(small_models, big_gpus, lengths, st.lists(lengths, min_size=2, unique=True), loads)
def test_longer_contexts_never_lower_the_decode_step(model, sku, osl, isl, load):
    points = Points.of(isl=sorted(isl), osl=osl, concurrency=load, **layout(model, 2))
    found = decode(model, sku, "vllm", points)
    itl = found.itl_ms[found.answered]
    assert (np.diff(itl) >= 0).all()


@given(small_models, big_gpus, engines.filter(lambda engine: engine != "trtllm"), lengths, lengths, st.floats(0.1, 50))
def test_more_tensor_parallelism_costs_only_communication(model, sku, engine, isl, osl, load):
    tp = np.array([1, 2, 4, 8])
    points = Points.of(isl=isl, osl=osl, concurrency=load, **layout(model, tp))
    parts = breakdown(model, sku, engine, points)
    assert (np.diff(parts["all-reduce"]) > 0).all()
    rest = sum(value for name, value in parts.items() if name != "all-reduce")
    assert (np.diff(rest) <= 0).all()


@given(models, gpus, st.floats(1, 4), lengths, lengths, loads, arrivals)
def test_faster_hardware_is_never_slower(model, sku, factor, isl, osl, load, arrival):
    rates = ("bandwidth", "fp16_flops", "bf16_flops", "fp8_flops", "fp4_flops", "link_bandwidth")
    faster = replace(sku, **{name: getattr(sku, name) * factor for name in rates})
    points = Points.of(isl=isl, osl=osl, concurrency=load, **layout(model, 4))
    slow = aggregated(model, sku, "vllm", points, arrival=arrival)
    fast = aggregated(model, faster, "vllm", points, arrival=arrival)
    assert fast.itl_ms <= slow.itl_ms * (1 + 1e-9)
    assert fast.ttft_ms <= slow.ttft_ms * (1 + 1e-9)


@given(small_models, gpus, st.lists(st.tuples(lengths, lengths, loads), min_size=1, max_size=5))
def test_a_row_does_not_depend_on_its_neighbours(model, sku, rows):
    isl, osl, load = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    together = aggregated(model, sku, "vllm", Points.of(isl=isl, osl=osl, concurrency=load))
    alone = [aggregated(model, sku, "vllm", Points.of(isl=a, osl=b, concurrency=c)) for a, b, c in rows]
    assert together.ttft_ms == pytest.approx([one.ttft_ms[0] for one in alone], rel=1e-12)
    assert together.reason.tolist() == [one.reason[0] for one in alone]
