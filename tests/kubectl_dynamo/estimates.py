"""One answer, one model, some GPUs: made by hand, so that pictures do not change with coefficients or data."""

from __future__ import annotations

import numpy as np

from profiler.estimate import Estimates, Points
from profiler.hardware import Gpu
from profiler.models import Model
from profiler.points.answers import Answer
from profiler.points.parts import Parts
from profiler.points.questions import Question
from profiler.points.rates import Load
from profiler.search.needs import Need

QWEN = Model(
    name="Qwen/Qwen3-30B-A3B",
    layers=48,
    hidden=2048,
    heads=32,
    kv_heads=4,
    head_dim=128,
    vocab=151936,
    context=40960,
    experts=128,
    experts_per_token=8,
    expert_intermediate=768,
    quantization="fp8",
)
LLAMA = Model(
    name="meta-llama/Llama-3.1-8B-Instruct",
    layers=32,
    hidden=4096,
    heads=32,
    kv_heads=8,
    head_dim=128,
    vocab=128256,
    context=131072,
    intermediate=14336,
    dense_layers=32,
)
H200 = Gpu(
    sku="h200_sxm",
    name="NVIDIA H200 SXM",
    family="hopper",
    memory_bytes=141 * 2**30,
    bandwidth=4.8e12,
    fp16_flops=9.89e14,
    bf16_flops=9.89e14,
    fp8_flops=1.978e15,
    fp4_flops=0,
    link_bandwidth=4.5e11,
    network_bandwidth=5e10,
    gpus_per_node=8,
    measured=True,
    end_to_end=True,
    source="NVIDIA H200 data sheet, dense = half of the sparse figure",
)
T4 = Gpu(
    sku="t4",
    name="NVIDIA T4",
    family="turing",
    memory_bytes=15 * 2**30,
    bandwidth=3.2e11,
    fp16_flops=6.5e13,
    bf16_flops=0,
    fp8_flops=0,
    fp4_flops=0,
    link_bandwidth=1.6e10,
    network_bandwidth=6.25e9,
    gpus_per_node=4,
    measured=False,
    source="NVIDIA T4 data sheet: 16 GB of which 15 GiB remain with ECC",
)
NEEDS = [
    Need(H200, 1, 34.5, 812345.0, ("vllm", "sglang", "trtllm"), ("trtllm",), ""),
    Need(T4, 0, 0.0, 0.0, (), (), "dtype not supported by this GPU"),
]
FIRST_TOKEN = {"experts": 140.0, "prefill attention": 61.3, "prompts before it": 60.1, "steps that decode": 51.0}
PARTS = Parts({"experts": 4.2, "decode attention": 3.1, "launch": 2.25, "head": 0.08}, 63.0, 2.5, FIRST_TOKEN, 0.0)
OF_PREFILL = Parts({}, 0.0, 0.0, FIRST_TOKEN, 112.0)
FOUND = {
    "ttft_ms": [312.4, None, None],
    "itl_ms": [12.13, 8.5, None],
    "throughput_per_gpu": [1204.0, 950.0, None],
    "memory_gib": [92.0, 101.3, None],
    "ttft_p90_ms": [640.0, None, None],
    "provenance": ["measured calibrated", "transferred", ""],
    "reason": ["", "", "isl: Invalid value: '0': must be at least 1; gpu_sku: unknown GPU SKU \"h2000\""],
}


def answer(**question: object) -> Answer:
    """An answer to one point, estimated by nobody."""
    numbers = {
        "ttft_ms": 312.4,
        "ttft_low": 215.0,
        "ttft_high": 503.0,
        "itl_ms": 12.13,
        "itl_low": 10.9,
        "itl_high": 14.0,
        "ttft_p90_ms": 640.0,
        "throughput_per_gpu": 1204.0,
        "throughput_low": 1050.0,
        "throughput_high": 1350.0,
        "requests_per_s": 4.8,
        "running": 63.0,
        "memory_gib": 92.0,
        "kv_tokens": 812345.0,
        "max_concurrency": 170.0,
    }
    columns = {name: np.array([value]) for name, value in numbers.items()}
    estimates = Estimates(**columns, reason=np.zeros(1, dtype=np.int8), provenance="measured", calibrated=True)
    points = Points.of(isl=4000, osl=1000, concurrency=64, dp=4, moe_ep=4)
    asked = Question(**{"model": QWEN, "gpu": H200, "backend": "sglang", **question})  # type: ignore[arg-type]
    unasked = np.full(1, np.nan)
    return Answer(asked, np.zeros(1, dtype=np.int64), Load(points, unasked, unasked), estimates)
