"""Single operations: what hardware and layout do to each of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.vocabulary import ENGINES, GPU_SKUS
from profiler.estimate import Points, aggregated, breakdown, operations
from profiler.estimate.coefficients import step_coefficients
from profiler.estimate.operations import Batch
from profiler.estimate.system import System
from profiler.hardware import gpu
from profiler.models import load
from profiler.models.formats import WEIGHT_BYTES

SMALL, DENSE, MOE, MLA = (
    load(name) for name in ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-32B", "Qwen/Qwen3-30B-A3B", "deepseek-ai/DeepSeek-R1")
)
GB200, H200, L40S = (gpu(sku) for sku in ("gb200_sxm", "h200_sxm", "l40s"))
BY_OPERATION = ("a100_sxm", "l40s", "gb200_sxm")


def exchange_ms(model, accelerator, **layout):
    points = Points.of(isl=1000, osl=500, **layout)
    system = System.of(model, accelerator, "sglang")
    return 1e3 * operations.exchange(system, points, Batch.decoding(points, points.concurrency))[0]


def all_reduce_ms(model, accelerator, tp, tokens=32.0):
    points = Points.of(isl=1000, osl=500, concurrency=tokens, tp=tp)
    system = System.of(model, accelerator, "trtllm")
    return 1e3 * operations.all_reduce(system, points, Batch.decoding(points, points.concurrency))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sku", BY_OPERATION)
def test_gpus_that_were_measured_operation_by_operation_are_not_transferred(sku, engine):
    points = Points.of(isl=1000, osl=100, concurrency=4)
    found = aggregated(SMALL, gpu(sku), engine, points)
    assert (found.provenance, found.calibrated) == ("measured", False)
    sheet = aggregated(SMALL, replace(gpu(sku), sku="another", measured=False), engine, points)
    assert found.itl_high / found.itl_low < sheet.itl_high / sheet.itl_low
    assert found.ttft_high / found.ttft_low < sheet.ttft_high / sheet.ttft_low


@pytest.mark.parametrize("sku", ["a100_sxm", "l40s"])
def test_what_operations_say_of_a_gpu_counts_for_its_family(sku):
    mine, kin, other = (
        step_coefficients(DENSE, gpu(name), "vllm") for name in (sku, {"a100_sxm": "a30", "l40s": "l4"}[sku], "t4")
    )
    assert mine.dense_bandwidth == kin.dense_bandwidth != other.dense_bandwidth
    assert mine.kernel_us == kin.kernel_us != other.kernel_us


def test_end_to_end_gpus_have_the_narrowest_bounds():
    points = Points.of(isl=1000, osl=100, concurrency=4)
    newcomer = replace(MOE, layers=MOE.layers + 1)
    widths = [
        round((found.itl_high / found.itl_low)[0], 9)
        for sku in ("h100_sxm", "gb200_sxm", "a100_sxm", "a30")
        for found in [aggregated(newcomer if sku != "a30" else SMALL, gpu(sku), "vllm", points)]
    ]
    assert widths == sorted(widths)


@given(
    st.sampled_from((DENSE, MOE, MLA)),
    st.sampled_from(GPU_SKUS).map(gpu),
    st.sampled_from(ENGINES),
    st.floats(1, 4),
    st.sampled_from((1, 2, 8)),
    st.integers(1, 8000),
    st.floats(1, 2000),
)
def test_no_operation_rises_with_faster_hardware(model, sku, engine, factor, dp, isl, load):
    rates = ("bandwidth", "fp16_flops", "bf16_flops", "fp8_flops", "fp4_flops", "link_bandwidth", "network_bandwidth")
    faster = replace(sku, **{name: getattr(sku, name) * factor for name in rates})
    layout = {"tp": 16 // dp, "dp": dp, "moe_ep": 16} if model.is_moe else {"tp": 8}
    points = Points.of(isl=isl, osl=100, concurrency=load, **layout)
    slow, fast = (breakdown(model, each, engine, points) for each in (sku, faster))
    for name, value in fast.items():
        assert value <= slow[name] * (1 + 1e-9), name


def test_nvlink_of_a_rack_has_no_edge_at_its_nodes():
    plain = replace(GB200, link_domain=1)
    four, eight = all_reduce_ms(MLA, GB200, [4, 8])
    _, across = all_reduce_ms(MLA, plain, [4, 8])
    assert eight < 1.6 * four
    assert across > eight + 0.9 * 2 * MLA.layers * 2 * operations.NETWORK_HOP_SECONDS * 1e3


def test_a_rack_ends_somewhere():
    inside, beyond = (exchange_ms(MLA, GB200, dp=dp, moe_ep=dp, concurrency=dp * 8) for dp in (64, 128))
    assert beyond > inside


def test_tokens_go_only_to_ranks_that_hold_their_experts():
    load = {"dp": 32, "concurrency": 8192}
    spread, split = exchange_ms(MLA, GB200, moe_ep=32, **load), exchange_ms(MLA, GB200, moe_tp=32, **load)
    latency = MLA.moe_layers * 2e-3 * step_coefficients(MLA, GB200, "sglang").exchange_us
    share = 1 - (1 - 1 / 32) ** MLA.experts_per_token
    assert spread - latency == pytest.approx(share * (split - latency))


def test_attention_in_parallel_exchanges_tokens_instead_of_summing_them():
    points = Points.of(isl=1000, osl=500, concurrency=64, tp=[8, 1], dp=[1, 8], moe_ep=8)
    parts = breakdown(MLA, H200, "sglang", points)
    assert (parts["all-reduce"] > 0).tolist() == [True, False]
    assert (parts["dispatch and combine"] > 0).tolist() == [False, True]
    assert (breakdown(DENSE, H200, "sglang", Points.of(isl=1000, osl=500, tp=8))["dispatch and combine"] == 0).all()


def test_gpus_on_pcie_share_it():
    volume = all_reduce_ms(DENSE, L40S, [2, 4, 8], tokens=8192.0)
    switched = all_reduce_ms(DENSE, replace(H200, link_bandwidth=100e9), [2, 4, 8], tokens=8192.0)
    ring = np.array([1 / 2, 3 / 4, 7 / 8])
    assert np.ptp(switched / ring) < 0.1 * switched[0]
    assert (volume / ring)[2] > 8 * (volume / ring)[0]


@pytest.mark.parametrize("quantization", sorted(WEIGHT_BYTES))
def test_weights_weigh_the_same_in_time_and_in_memory(quantization):
    system = System.of(replace(MOE, quantization=quantization), H200, "vllm")
    assert system.expert_bytes == WEIGHT_BYTES[quantization]
