"""Profiles made by hand, small enough to check by eye."""

from __future__ import annotations

from dataclasses import replace

from profiler.profile import (
    Alternative,
    Asked,
    Calibration,
    Configuration,
    Interval,
    Layout,
    Measured,
    Metrics,
    Profile,
    Searched,
    Target,
    Trade,
    Worker,
)

ASKED = Asked(
    name="llama-70b",
    namespace="dynamo",
    model="meta-llama/Llama-3.1-70B-Instruct",
    backend="vllm",
    strategy="rapid",
    gpu_sku="h200_sxm",
    gpu_memory_gib=141.0,
    total_gpus=16,
    gpus_per_node=8,
    isl=4000,
    osl=1000,
    optimization="throughput",
    ttft_ms=500.0,
    itl_ms=50.0,
    request_rate=10.0,
    planner=True,
    hardware_source="flags",
)


def metrics(per_user: float, per_gpu: float, *, ttft_ms: float = 412.0, gpus: int = 8) -> Metrics:
    """Metrics of a deployment of `gpus` GPUs at an operating point, consistent with each other for OSL 1000."""
    itl_ms = 1000 / per_user
    e2e_ms = ttft_ms + 999 * itl_ms
    rate = per_gpu * gpus / 1000
    return Metrics(
        ttft_ms=ttft_ms,
        itl_ms=itl_ms,
        e2e_latency_ms=e2e_ms,
        throughput_per_gpu=per_gpu,
        throughput_per_user=per_user,
        request_rate=rate,
        concurrency=rate * e2e_ms / 1000,
        ttft_ms_interval=Interval(ttft_ms * 0.85, ttft_ms * 1.2),
        itl_ms_interval=Interval(itl_ms * 0.9, itl_ms * 1.1),
        throughput_per_gpu_interval=Interval(per_gpu * 0.9, per_gpu * 1.1),
    )


def aggregated(tp: int, replicas: int, per_user: float, per_gpu: float, *, ttft_ms: float = 412.0) -> Configuration:
    """`replicas` vllm engines of `tp` GPUs."""
    return Configuration(
        backend="vllm",
        mode="agg",
        workers=(Worker("worker", Layout(tp=tp), replicas, 64, 410_000, 121.4),),
        gpus=tp * replicas,
        metrics=metrics(per_user, per_gpu, ttft_ms=ttft_ms, gpus=tp * replicas),
        provenance="measured calibrated",
    )


def disaggregated(prefill: int, decode: int, per_user: float, per_gpu: float) -> Configuration:
    """`prefill` engines of two GPUs feeding `decode` engines of four."""
    gpus = 2 * prefill + 4 * decode
    return Configuration(
        backend="vllm",
        mode="disagg",
        workers=(
            Worker("prefill", Layout(tp=2), prefill, 4, 182_000, 108.2),
            Worker("decode", Layout(tp=4), decode, 96, 1_240_000, 127.9),
        ),
        gpus=gpus,
        metrics=metrics(per_user, per_gpu, gpus=gpus),
        provenance="measured calibrated",
    )


PICK = disaggregated(2, 2, 31.5, 905.0)
FRONTIER = (
    aggregated(2, 8, 11.0, 1350.0, ttft_ms=880.0),
    aggregated(2, 6, 17.0, 1210.0, ttft_ms=640.0),
    disaggregated(3, 2, 24.0, 1060.0),
    PICK,
    disaggregated(2, 3, 38.0, 700.0),
    aggregated(4, 2, 47.0, 520.0),
    aggregated(8, 1, 62.0, 290.0),
    aggregated(8, 2, 74.0, 120.0, ttft_ms=140.0),
)
CLOUD = tuple((9.0 + i * 47 % 61, 60.0 + (i * i * 31 % 97) / 97 * (1100 - 14 * (i * 47 % 61))) for i in range(90))

MET = Profile(
    asked=ASKED,
    searched=Searched(
        candidates=18_432,
        feasible=1_204,
        excluded={
            "weights and KV cache do not fit in 141 GiB": 9_120,
            "TTFT over 500 ms": 5_012,
            "ITL over 50 ms": 3_096,
        },
        seconds=0.42,
    ),
    pick=PICK,
    why="Fewest GPUs that serve 10 requests/s with TTFT under 500 ms and ITL under 50 ms.",
    sla_met=True,
    targets=(
        Target("ttft_ms", 500.0, PICK.metrics.ttft_ms, met=True, binding=False),
        Target("itl_ms", 33.0, PICK.metrics.itl_ms, met=True, binding=True),
        Target("request_rate", 10.0, PICK.metrics.request_rate, met=True, binding=False),
    ),
    frontier=FRONTIER,
    alternatives=(
        Alternative(aggregated(2, 8, 17.0, 1210.0, ttft_ms=640.0), "TTFT 640 ms is over the limit of 500 ms"),
        Alternative(disaggregated(2, 3, 38.0, 700.0), "takes 16 GPUs, 4 more than the pick"),
        Alternative(aggregated(4, 2, 47.0, 520.0), "serves 4.16 requests/s of the 10 that were asked"),
    ),
    cloud=CLOUD,
    versions={"kubectl-dynamo": "0.1.0"},
)

_CLOSEST = aggregated(8, 2, 74.0, 120.0, ttft_ms=140.0)
MISSED = replace(
    MET,
    asked=replace(ASKED, ttft_ms=100.0, itl_ms=5.0, request_rate=None, planner=False, hardware_source="request"),
    pick=_CLOSEST,
    sla_met=False,
    why="Nothing meets the SLA; this comes closest to it.",
    targets=(
        Target("ttft_ms", 100.0, 140.0, met=False, binding=False),
        Target("itl_ms", 5.0, _CLOSEST.metrics.itl_ms, met=False, binding=True),
    ),
    alternatives=(),
    warnings=("no configuration meets the SLA: ITL is missed by 8.51 ms (170 %)",),
)
QWEN = replace(
    MET,
    asked=replace(
        ASKED, name="qwen", model="Qwen/Qwen3-32B", total_gpus=8, itl_ms=None, ttft_ms=None, e2e_latency_ms=2e4
    ),
    frontier=tuple(aggregated(2, 4, 15.0 + 12 * i, 1900 - 300 * i) for i in range(6)),
    pick=aggregated(2, 4, 51.0, 1000.0),
    targets=(Target("e2e_latency_ms", 20_000.0, aggregated(2, 4, 51.0, 1000.0).metrics.e2e_latency_ms, True, True),),
)
EXPLAINED = replace(
    MET,
    targets=(
        Target("ttft_ms", 500.0, PICK.metrics.ttft_ms, met=True, binding=False),
        Target("itl_ms", 33.0, PICK.metrics.itl_ms, met=True, binding=True),
        Target("request_rate", 7.0, PICK.metrics.request_rate, met=True, binding=False),
    ),
    alternatives=(
        Alternative(aggregated(2, 8, 17.0, 1210.0, ttft_ms=640.0), "TTFT 640 ms is 28 % above the 500 ms asked"),
        Alternative(disaggregated(2, 3, 38.0, 700.0), "needs 4 more GPUs for the load", "ITL"),
    ),
    trades=(
        Trade("ITL up to 36.3 ms", "8 instead of 12 GPUs", "vllm agg 4x TP2", 8),
        Trade("14 GPUs", "16 % more throughput", PICK.label, 14),
        Trade("24 GPUs", "nothing"),
    ),
    operations={"decode attention": 14.2, "dense GEMM": 9.41, "host": 4.87, "communication": 3.1, "head": 0.166},
)
MEASURED = replace(
    EXPLAINED,
    calibration=Calibration(
        used=3,
        measurements=(
            Measured("slow.csv: row 1", "vllm", "agg", Layout(tp=4), 4000, 1000, 32, 812.5, 406.0, 31.2, 15.6),
            Measured("slow.csv: row 2", "vllm", "decode", Layout(tp=4), 4000, 1000, 64, itl_ms=50, itl_ms_estimated=23),
        ),
        ttft_factor=0.93,
        itl_factor=1.784,
        instead_of=aggregated(4, 2, 47.0, 520.0),
    ),
)
