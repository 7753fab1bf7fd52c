"""Requests, models and configurations that the tests of this room generate deployments from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from profiler.generate import Generated, documents
from profiler.models import Model
from profiler.profile import Configuration, Interval, Layout, Metrics, Mode, Role, Worker
from profiler.request import Request

__all__ = ["configuration", "container", "documents", "generated", "replace", "request", "services", "workers"]

DENSE = Model(
    name="Qwen/Qwen3-32B", layers=64, hidden=5120, heads=64, kv_heads=8, head_dim=128, vocab=151936, context=40960
)
MOE = Model(
    name="deepseek-ai/DeepSeek-R1",
    layers=61,
    hidden=7168,
    heads=128,
    kv_heads=128,
    head_dim=128,
    vocab=129280,
    context=163840,
    experts=256,
    experts_per_token=8,
)
TP1, TP4 = Layout(), Layout(tp=4)
TP8 = Layout(tp=8, moe_tp=8)
TEP8, TEP16 = Layout(tp=8, moe_ep=8), Layout(tp=16, moe_ep=16)
DEP8, DEP16 = Layout(dp=8, moe_ep=8), Layout(dp=16, moe_ep=16)
MOE_LAYOUTS = (TP8, TEP8, TEP16, DEP8, DEP16)
METRICS = Metrics(
    ttft_ms=310.25,
    itl_ms=18.5,
    e2e_latency_ms=18791.75,
    throughput_per_gpu=812.5,
    throughput_per_user=54.054,
    request_rate=6.5,
    concurrency=122.0,
    ttft_ms_interval=Interval(250.0, 400.0),
    itl_ms_interval=Interval(16.0, 21.0),
    throughput_per_gpu_interval=Interval(700.0, 900.0),
)


def request(model: Model = DENSE, *, name: str = "chat", namespace: str = "team-a", **spec: Any) -> Request:
    """A request on 32 H200 in nodes of eight; keywords are fields of the spec."""
    hardware = {"gpuSku": "h200_sxm", "totalGpus": 32, "numGpusPerNode": 8}
    return Request.from_spec({"model": model.name, "hardware": hardware} | spec, name=name, namespace=namespace)


def worker(role: Role, layout: Layout, **changes: Any) -> Worker:
    """A worker of 64 sequences (8 for prefill) with room in its KV cache."""
    batch = 8 if role == "prefill" else 64
    given: dict[str, Any] = {"replicas": 1, "max_batch": batch, "kv_tokens": 800_000, "memory_gib": 120.0} | changes
    return Worker(role=role, layout=layout, **given)


def configuration(backend: str = "vllm", mode: Mode = "agg", *layouts: Layout, **changes: Any) -> Configuration:
    """Aggregated: one layout. Disaggregated: that of prefill, then that of decode (one stands for both)."""
    given = layouts or (TP4,)
    if mode == "agg":
        workers: tuple[Worker, ...] = (worker("worker", given[0], **changes),)
    else:
        workers = (worker("prefill", given[0], **changes), worker("decode", given[-1], **changes))
    gpus = sum(kind.layout.gpus * kind.replicas for kind in workers)
    return Configuration(backend, mode, workers, gpus, METRICS, "measured")


def generated(
    backend: str = "vllm", mode: Mode = "agg", *layouts: Layout, model: Model = DENSE, name: str = "chat", **spec: Any
) -> Generated:
    """What is generated for a configuration; keywords are fields of the request's spec."""
    return documents(request(model, name=name, **spec), model, configuration(backend, mode, *layouts))


def services(result: Generated) -> dict[str, Any]:
    """The services of the generated deployment."""
    found: dict[str, Any] = result.documents[-1]["spec"]["services"]
    return found


def workers(result: Generated) -> dict[str, Any]:
    """The services that run engines."""
    return {name: service for name, service in services(result).items() if service["componentType"] == "worker"}


def container(service: dict[str, Any]) -> dict[str, Any]:
    """The main container of a service."""
    found: dict[str, Any] = service["extraPodSpec"]["mainContainer"]
    return found
