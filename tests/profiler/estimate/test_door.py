"""What callers of the estimator rely on."""

from dataclasses import replace

import numpy as np
import pytest

from crds.errors import InputError
from crds.vocabulary import GPU_SKUS
from profiler.estimate import (
    REASONS,
    Points,
    Reason,
    aggregated,
    breakdown,
    decode,
    door,
    first_token_breakdown,
    kv_transfer_ms,
    operations,
    prefill,
    usual_kv_dtype,
)
from profiler.estimate.coefficients import step_coefficients
from profiler.hardware import gpu
from profiler.models import load

SMALL, DENSE, MOE, MLA = (
    load(name) for name in ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-32B", "Qwen/Qwen3-30B-A3B", "deepseek-ai/DeepSeek-R1")
)
HYBRID = load("Qwen/Qwen3-Next-80B-A3B-Instruct")
H200 = gpu("h200_sxm")


def why(model, sku="h200_sxm", engine="vllm", **columns):
    found = aggregated(model, gpu(sku), engine, Points.of(**{"isl": 1000, "osl": 100, **columns}))
    return Reason(found.reason[0])


@pytest.mark.parametrize("sku", GPU_SKUS)
def test_every_sku_answers_for_a_model_that_fits(sku):
    found = aggregated(SMALL, gpu(sku), "vllm", Points.of(isl=1000, osl=100, concurrency=4))
    assert found.answered.all()
    assert found.provenance == ("measured" if gpu(sku).measured else "transferred")


def test_a_sentence_exists_for_every_reason():
    assert len(REASONS) == len(Reason)
    assert REASONS[Reason.ANSWERED] == ""
    assert all(REASONS[1:])


@pytest.mark.parametrize(
    ("reason", "model", "given"),
    [
        (Reason.ANSWERED, DENSE, {"tp": 2}),
        (Reason.NOT_POSITIVE, DENSE, {"isl": 0}),
        (Reason.NOT_POSITIVE, DENSE, {"osl": -np.inf}),
        (Reason.NOT_POSITIVE, DENSE, {"tp": 0}),
        (Reason.NOT_A_NUMBER, DENSE, {"osl": np.nan}),
        (Reason.TOO_LARGE, DENSE, {"isl": 1e18}),
        (Reason.TOO_LARGE, DENSE, {"concurrency": np.inf}),
        (Reason.NOT_POSITIVE, DENSE, {"concurrency": 0}),
        (Reason.NOT_WHOLE, DENSE, {"tp": 1.5}),
        (Reason.CONTEXT, DENSE, {"isl": 41000}),
        (Reason.WEIGHTS, DENSE, {"sku": "l40s"}),
        (Reason.KV_CACHE, DENSE, {"sku": "h100_sxm", "isl": 40000}),
        (Reason.DTYPE, replace(DENSE, quantization="fp8"), {"sku": "v100_sxm", "tp": 8}),
        (Reason.ENGINE, SMALL, {"sku": "mi300", "engine": "trtllm"}),
        (Reason.HEADS, DENSE, {"tp": 3}),
        (Reason.DATA_PARALLEL, DENSE, {"dp": 2}),
        (Reason.ANSWERED, DENSE, {"pp": 2}),
        (Reason.STAGES, DENSE, {"pp": 65}),
        (Reason.PIPELINE, HYBRID, {"pp": 2, "tp": 4, "moe_ep": 4, "engine": "sglang"}),
        (Reason.ANSWERED, HYBRID, {"pp": 2, "tp": 4, "moe_ep": 4, "engine": "vllm"}),
        (Reason.EXPERTS, MOE, {"tp": 2}),
        (Reason.EXPERTS, MOE, {"tp": 6, "moe_ep": 6, "isl": 1, "model_heads": 6}),
        (Reason.ANSWERED, MOE, {"tp": 1, "dp": 2, "moe_ep": 2}),
        (Reason.ANSWERED, MLA, {"tp": 8, "moe_ep": 8}),
    ],
)
def test_a_point_without_an_answer_says_why(reason, model, given):
    heads = given.pop("model_heads", None)
    model = replace(model, heads=heads, kv_heads=heads) if heads else model
    assert why(model, **given) == reason


def test_bad_rows_leave_good_ones_alone():
    points = Points.of(isl=[1000, np.inf, 1000], osl=100, tp=[1, 1, 3], concurrency=8)
    found = aggregated(DENSE, H200, "vllm", points)
    good = aggregated(DENSE, H200, "vllm", Points.of(isl=1000, osl=100, concurrency=8))
    assert found.reason.tolist() == [Reason.ANSWERED, Reason.TOO_LARGE, Reason.HEADS]
    assert found.ttft_ms.tolist() == [good.ttft_ms[0], 0, 0]


def test_formats_without_instructions_run_weight_only_where_engines_unpack_them():
    eight = replace(SMALL, quantization="fp8")
    assert why(eight, sku="a100_sxm") == Reason.ANSWERED
    steps = [
        decode(model, gpu("a100_sxm"), "vllm", Points.of(isl=1000, osl=100, concurrency=1)) for model in (SMALL, eight)
    ]
    assert steps[1].itl_ms < steps[0].itl_ms  # half the bytes, the same 16-bit arithmetic


def test_throughput_is_littles_law():
    points = Points.of(isl=1000, osl=100, concurrency=32, tp=2)
    found = aggregated(DENSE, H200, "vllm", points)
    seconds = (found.ttft_ms + 99 * found.itl_ms) / 1e3
    assert found.requests_per_s == pytest.approx(32 / seconds)
    assert found.throughput_per_gpu == pytest.approx(32 / seconds * 100 / 2)


def test_steady_arrivals_wait_less_than_a_burst():
    points = Points.of(isl=4000, osl=500, concurrency=32, tp=2)
    ttft = {
        arrival: aggregated(DENSE, H200, "vllm", points, arrival=arrival).ttft_ms[0]
        for arrival in ("steady", "closed", "burst")
    }
    assert ttft["steady"] < ttft["closed"] < ttft["burst"]


def test_a_configured_admission_wait_delays_the_first_token():
    points = Points.of(isl=1000, osl=500, concurrency=32, tp=2)
    plain, held = (
        aggregated(DENSE, H200, "sglang", points, admission_wait_steps=steps).ttft_ms[0] for steps in (0, 30)
    )
    assert held > plain + 20 * aggregated(DENSE, H200, "sglang", points).itl_ms[0]


def test_requests_that_kv_memory_does_not_admit_wait():
    points = Points.of(isl=8000, osl=500, concurrency=[1, 2000], tp=1)
    found = aggregated(DENSE, H200, "vllm", points)
    assert found.max_concurrency[0] < 100
    assert found.ttft_ms[1] > 10 * found.ttft_ms[0]
    assert found.memory_gib[1] < H200.memory_bytes / 2**30


def test_kv_tokens_are_what_is_left_of_the_memory():
    found = aggregated(DENSE, H200, "vllm", Points.of(isl=1000, osl=100, tp=[1, 2]))
    weights = 2 * DENSE.parameters
    left = step_coefficients(DENSE, H200, "vllm").memory_use * H200.memory_bytes - weights - 4e9
    assert found.kv_tokens[0] == pytest.approx(left / DENSE.kv_bytes_per_token, rel=0.01)
    assert found.kv_tokens[1] > 2 * found.kv_tokens[0]


def test_a_prefill_worker_streams_prompts_faster_than_one_alone():
    found = prefill(DENSE, H200, "vllm", Points.of(isl=[500, 8000], osl=100, tp=2))
    assert (found.requests_per_s * found.ttft_ms / 1e3 > 1).all()
    assert (found.itl_ms == 0).all()


def test_a_decode_worker_refuses_more_sequences_than_its_cache_holds():
    room = decode(DENSE, H200, "vllm", Points.of(isl=1000, osl=100)).max_concurrency[0]
    found = decode(DENSE, H200, "vllm", Points.of(isl=1000, osl=100, concurrency=[room * 0.99, room * 1.01]))
    assert found.reason.tolist() == [Reason.ANSWERED, Reason.CONCURRENCY]
    assert found.requests_per_s[0] == pytest.approx(room * 0.99 / (100 * found.itl_ms[0] / 1e3))


def test_decoding_alone_is_faster_than_beside_prefill():
    points = Points.of(isl=4000, osl=200, concurrency=32, tp=2)
    assert decode(DENSE, H200, "vllm", points).itl_ms < aggregated(DENSE, H200, "vllm", points).itl_ms


@pytest.mark.parametrize("model", [DENSE, MLA], ids=["dense", "mla"])
def test_the_breakdown_sums_to_the_decode_step(model):
    layout = {"moe_ep": 8} if model.is_moe else {}
    points = Points.of(isl=2000, osl=500, concurrency=[1, 64], tp=8, **layout)
    parts = breakdown(model, H200, "sglang", points)
    assert sum(parts.values()) == pytest.approx(decode(model, H200, "sglang", points).itl_ms)
    assert (parts["experts"] > 0).all() == model.is_moe


@pytest.mark.parametrize("arrival", ["steady", "closed", "burst"])
@pytest.mark.parametrize("pp", [1, 2])
def test_the_breakdown_of_the_first_token_sums_to_ttft(arrival, pp):
    points = Points.of(isl=2000, osl=500, concurrency=[1, 64, 5000], tp=8, pp=pp, moe_ep=8)
    asked = {"arrival": arrival, "admission_wait_steps": 5}
    parts = first_token_breakdown(MLA, gpu("b200_sxm"), "sglang", points, **asked)
    found = aggregated(MLA, gpu("b200_sxm"), "sglang", points, **asked)
    assert sum(parts.values()) == pytest.approx(found.ttft_ms)
    assert (parts["prompts before it"] > 0).all() == (arrival == "steady")
    assert parts["wait for a place"][2] > parts["experts"][2]


def test_the_breakdown_of_a_prefill_worker_sums_to_its_ttft():
    points = Points.of(isl=[2000, 90_000], osl=500, tp=2)
    parts = first_token_breakdown(DENSE, H200, "vllm", points, alone=True)
    found = prefill(DENSE, H200, "vllm", points)
    assert found.answered.tolist() == [True, False]
    assert sum(parts.values()) == pytest.approx(found.ttft_ms)


def test_measured_deployments_have_narrower_bounds_than_others():
    points = Points.of(isl=1000, osl=100, concurrency=8, tp=4)
    llama = replace(load("meta-llama/Llama-3.1-70B"), quantization="fp8")
    known, other = (aggregated(model, gpu("h100_sxm"), "vllm", points) for model in (llama, DENSE))
    moved, far = (aggregated(llama, gpu(sku), "vllm", points) for sku in ("h100_pcie", "a100_pcie"))
    widths = [(found.itl_high / found.itl_low)[0] for found in (known, moved, far)]
    assert widths == sorted(widths)
    assert known.calibrated
    assert not moved.calibrated
    assert not aggregated(MOE, H200, "vllm", Points.of(isl=1000, osl=100)).calibrated
    assert other.calibrated  # Qwen3-32B in bf16 under vLLM on H100 was measured too


def test_a_renamed_model_of_a_measured_shape_counts_as_measured():
    points = Points.of(isl=1000, osl=100, concurrency=8, tp=8, moe_ep=8)
    tuned = replace(load("deepseek-ai/DeepSeek-V3.1"), name="somebody/fine-tune")
    assert aggregated(tuned, H200, "sglang", points).calibrated


def test_collectives_across_nodes_cost_more():
    points = Points.of(isl=1000, osl=100, concurrency=8, tp=16)
    one, two = (replace(H200, gpus_per_node=count) for count in (16, 8))
    llama = load("meta-llama/Llama-3.1-405B")
    assert decode(llama, two, "vllm", points).itl_ms > decode(llama, one, "vllm", points).itl_ms


@pytest.mark.parametrize("model", [DENSE, MLA], ids=["dense", "mla"])
def test_kv_moves_fastest_over_nvlink_then_rdma_then_tcp(model):
    sides = {"prefill_gpus": 2, "decode_gpus": 4}
    times = [
        float(kv_transfer_ms(model, H200, 4000, across_nodes=across, rdma=rdma, **sides))
        for across, rdma in ((False, True), (True, True), (True, False))
    ]
    assert times == sorted(times)
    assert times[0] > 0


def test_kv_transfer_takes_columns():
    times = kv_transfer_ms(DENSE, H200, [1000, 2000], prefill_gpus=1, decode_gpus=1, across_nodes=True, rdma=False)
    assert times[1] - times[0] == pytest.approx(1e3 * 1000 * DENSE.kv_bytes_per_token / 2.5e9)


def test_a_measured_deployment_has_coefficients_of_its_own():
    llama = replace(load("meta-llama/Llama-3.1-70B"), quantization="fp8")
    own, other = (step_coefficients(llama, gpu(sku), "vllm") for sku in ("h100_sxm", "h100_pcie"))
    assert own.kernel_us != other.kernel_us  # both Hopper, one of them never measured
    assert step_coefficients(DENSE, gpu("h100_pcie"), "vllm").kernel_us != other.kernel_us


def test_late_requests_wait_longer_than_the_mean_and_most_where_all_arrive_at_once():
    points = Points.of(isl=4000, osl=200, concurrency=[1, 64], tp=2)
    spread = {}
    for arrival in ("steady", "closed", "burst"):
        found = aggregated(DENSE, H200, "sglang", points, arrival=arrival)
        spread[arrival] = found.ttft_p90_ms - found.ttft_ms
        assert (spread[arrival] > 0).all()
    assert spread["burst"][1] > spread["steady"][1] > spread["steady"][0]


def test_many_points_are_the_same_as_few():
    isl = np.linspace(1000, 2000, door.CHUNK + 3)
    points = Points.of(isl=isl, osl=100, concurrency=8, tp=[1])
    waits = np.arange(len(isl)) % 7
    found = aggregated(DENSE, H200, "vllm", points, admission_wait_steps=waits)
    last = aggregated(DENSE, H200, "vllm", points.take(slice(-2, None)), admission_wait_steps=waits[-2:])
    assert len(found.ttft_ms) == len(isl)
    assert found.ttft_ms[-2:] == pytest.approx(last.ttft_ms)


@pytest.mark.parametrize(
    ("quantization", "sku", "expected"),
    [
        ("bf16", "b200_sxm", "bf16"),
        ("fp8", "h100_sxm", "fp8"),
        ("fp8", "a100_sxm", "bf16"),
        ("nvfp4", "b200_sxm", "fp8"),
        ("nvfp4", "h100_sxm", "bf16"),
        ("int4", "h200_sxm", "bf16"),
    ],
)
def test_the_usual_cache_is_as_wide_as_the_weights_allow(quantization, sku, expected):
    assert usual_kv_dtype(replace(DENSE, quantization=quantization), gpu(sku)) == expected


def test_an_unknown_backend_is_an_input_error():
    with pytest.raises(InputError, match="ollama"):
        aggregated(DENSE, H200, "ollama", Points.of(isl=1000, osl=100))


def test_ten_thousand_points_are_computed_as_columns(monkeypatch):
    calls, gemm = [], operations.dense_gemm
    monkeypatch.setattr(operations, "dense_gemm", lambda *given: calls.append(1) or gemm(*given))
    counts = []
    for number in (10, 10_000):
        calls.clear()
        points = Points.of(isl=np.linspace(100, 8000, number), osl=500, concurrency=32, tp=8, moe_ep=8)
        aggregated(MOE, H200, "vllm", points)
        counts.append(len(calls))
    assert counts[0] == counts[1] > 0
