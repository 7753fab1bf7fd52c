"""Models whose layers differ: what each kind costs in time and memory."""

from dataclasses import replace

import numpy as np
import pytest

from profiler.estimate import Points, aggregated, decode
from profiler.hardware import gpu
from profiler.models import load

NANO = load("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16")
M3 = load("MiniMaxAI/MiniMax-M3-MXFP8")
V4 = load("deepseek-ai/DeepSeek-V4-Flash")
GEMMA = load("google/gemma-4-31B-it")
SUPER = load("nvidia/Llama-3_3-Nemotron-Super-49B-v1")
B200 = gpu("b200_sxm")


def at(isl, tp=4, concurrency=1, osl=200):
    return Points.of(isl=isl, osl=osl, tp=tp, moe_ep=tp, concurrency=concurrency)


def dense(isl, tp=4, concurrency=1, osl=200):
    return Points.of(isl=isl, osl=osl, tp=tp, concurrency=concurrency)


def test_a_state_takes_the_memory_of_the_tokens_that_fit_into_it():
    """A request of Nemotron 3 Nano holds 46 MiB of state, as much as the KV cache of 7,850 tokens."""
    stateless = replace(NANO, linear=replace(NANO.linear, key_dim=1))
    points = at(2000, tp=1)
    with_state, without = (aggregated(model, B200, "vllm", points) for model in (NANO, stateless))
    per_request = NANO.kv_bytes_per_token * (2000 + 0.6 * 200)
    ratio = (per_request + 46 * 2**20) / (per_request + 46 * 2**20 / 128)
    # The projections to a state that small weigh less, too: one percent of the memory.
    assert without.max_concurrency[0] / with_state.max_concurrency[0] == pytest.approx(ratio, rel=0.02)


def test_a_state_is_moved_in_each_step_whatever_the_context():
    stateless = replace(NANO, linear=replace(NANO.linear, key_dim=1))
    points = at(np.array([1000.0, 30000.0]), tp=1, concurrency=64)
    slower = (decode(model, B200, "vllm", points).itl_ms for model in (NANO, stateless))
    first, second = np.subtract(*slower)
    assert first > 0
    assert second == pytest.approx(first, rel=0.05)


def test_sparse_layers_cost_less_the_longer_the_context():
    dense_m3 = replace(M3, sparse=None)
    points = at(np.array([1000.0, 100000.0]), tp=8, concurrency=8)
    sparse, whole = (decode(model, B200, "sglang", points) for model in (M3, dense_m3))
    assert whole.itl_ms[0] - sparse.itl_ms[0] < 0.3  # an indexer for nothing
    assert np.diff(whole.itl_ms) > 2 * np.diff(sparse.itl_ms)
    # What is not seen is kept, and an index key beside it, which every rank holds whole.
    kv, index = M3.kv_bytes_per_token / 4, 57 * 128
    assert whole.kv_tokens[1] / sparse.kv_tokens[1] == pytest.approx((kv + index) / kv, rel=0.02)


def test_compressed_attention_holds_a_million_tokens():
    """The technical report of DeepSeek-V4 states 8.7 GiB for V4-Pro at a million tokens, indexer and all."""
    pro = load("deepseek-ai/DeepSeek-V4-Pro")
    found = aggregated(pro, B200, "sglang", at(1_000_000, tp=8, osl=100))
    empty = aggregated(pro, B200, "sglang", at(1000, tp=8, osl=100))
    assert found.answered.all()
    assert found.memory_gib[0] - empty.memory_gib[0] == pytest.approx(8.7, rel=0.05)


def test_windows_stop_growing():
    """Gemma 4: ten layers of 4 KV heads keep everything, fifty of 16 keep 1,024 positions."""
    found = aggregated(GEMMA, B200, "vllm", dense(np.array([500.0, 5000.0, 50000.0]), tp=1))
    held = np.array([500.0, 5000.0, 50000.0]) + 0.6 * 200
    elements = 10 * 2 * 4 * 512 * held + 50 * 2 * 16 * 256 * np.minimum(held, 1024)
    assert np.diff(found.memory_gib) == pytest.approx(np.diff(elements) * 2 / 2**30, rel=0.01)


def test_hyper_connections_cost_passes_over_the_hidden_state():
    plain = replace(V4, residual_streams=1)
    points = at(8000)
    slower, faster = (aggregated(model, B200, "sglang", points).ttft_ms[0] for model in (V4, plain))
    assert 1.02 < slower / faster < 1.6


def test_blocks_that_are_not_there_cost_nothing():
    """Nemotron Super has 49 of 80 layers of attention and 58 % of the weights of MLPs of the model it came from."""
    llama = load("meta-llama/Llama-3.3-70B-Instruct")
    points = dense(2000, tp=4, concurrency=16)
    thinned, whole = (decode(model, gpu("a100_sxm"), "trtllm", points) for model in (SUPER, llama))
    assert thinned.itl_ms[0] < 0.85 * whole.itl_ms[0]
    assert thinned.kv_tokens[0] > 80 / 49 * whole.kv_tokens[0]


def test_attention_in_another_format_is_read_in_it():
    mixed = load("nvidia/Gemma-4-31B-IT-NVFP4")
    uniform = replace(mixed, rest_quantization=None)
    points = dense(1000, tp=1)
    heavy, light = (aggregated(model, B200, "vllm", points) for model in (mixed, uniform))
    more = (mixed.weight_bytes - uniform.weight_bytes) / 2**30
    assert heavy.memory_gib[0] - light.memory_gib[0] == pytest.approx(more, rel=0.01)
    assert heavy.itl_ms[0] > light.itl_ms[0]


def test_weights_unpacked_to_16_bit_are_multiplied_in_16_bit():
    points = dense(8000, tp=1)
    packed = load("nvidia/Qwen3-32B-NVFP4")
    unpacked = replace(packed, quantization="w4a16_nvfp4")
    native, slow = (aggregated(model, B200, "vllm", points).ttft_ms[0] for model in (packed, unpacked))
    assert slow > 2 * native


def test_layers_that_share_an_indexer_are_not_called_measured():
    points = at(4000, tp=8)
    own, shared = (
        aggregated(load(name), gpu("h200_sxm"), "sglang", points)
        for name in ("zai-org/GLM-5-FP8", "zai-org/GLM-5.2-FP8")
    )
    assert own.calibrated
    assert not shared.calibrated
    assert shared.itl_high[0] / shared.itl_low[0] > own.itl_high[0] / own.itl_low[0]
    assert shared.itl_ms[0] < own.itl_ms[0]


def test_mla_holds_the_keys_of_its_indexer():
    """GLM-5: 128 bytes and a scale of each token in each of 78 layers, on every rank."""
    model = load("zai-org/GLM-5-FP8")
    plain = replace(model, sparse=None)
    with_keys, without = (aggregated(each, B200, "sglang", at(4000, tp=8)) for each in (model, plain))
    kv = model.kv_elements_per_token * (1 if model.kv_dtype == "fp8" else 2)
    keys = model.indexer_layers * 128 * 1.03
    assert model.indexer_layers == 78
    assert without.kv_tokens[0] / with_keys.kv_tokens[0] == pytest.approx((kv + keys) / kv, rel=0.02)


def test_the_gated_delta_rule_holds_a_state():
    """Qwen3-Next: 36 layers of 32 heads of 128 x 128 in 32 bit, and what its convolutions remember."""
    model = load("Qwen/Qwen3-Next-80B-A3B-Instruct")
    two, one = (aggregated(model, B200, "vllm", at(2000, tp=1, concurrency=load)) for load in (64, 32))
    per_request = (two.memory_gib[0] - one.memory_gib[0]) * 2**30 / (two.running[0] - one.running[0])
    state = 36 * 32 * 128 * 128 * 4
    kv = model.kv_bytes_per_token * (2000 + 0.6 * 200)
    assert state + kv < per_request < 1.1 * (state + kv)
