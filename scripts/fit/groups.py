"""Measurements as columns for the estimator: one group per model, GPU, engine and load generator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from profiler.estimate import Arrival, Points, memory, serving, usual_kv_dtype
from profiler.estimate.coefficients import PRECISIONS, link
from profiler.estimate.serving import Latency
from profiler.estimate.system import System
from profiler.hardware import Gpu, gpu
from profiler.models import Model, load
from scripts.fit.priors import STEP
from scripts.fit.rows import Measurement

MODELS = {
    "Llama-3.1-8B": "meta-llama/Llama-3.1-8B-Instruct",
    "Llama-3.1-70B": "meta-llama/Llama-3.1-70B",
    "Qwen3-32B": "Qwen/Qwen3-32B",
    "Qwen3-235B": "Qwen/Qwen3-235B-A22B",
    "Qwen3.5-397B": "Qwen/Qwen3.5-397B-A17B",
    "DeepSeek-R1": "deepseek-ai/DeepSeek-R1",
    "Kimi-K2.5": "moonshotai/Kimi-K2.5",
    "GLM-5": "zai-org/GLM-5",
    "MiniMax-M2.5": "MiniMaxAI/MiniMax-M2.5",
    "gpt-oss-120b": "openai/gpt-oss-120b",
}
Column = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Measurements that share all coefficients, and where they stand among all measurements."""

    model: Model
    gpu: Gpu
    engine: str
    keys: dict[str, str]  # value of each grouping that coefficients may differ by
    points: Points
    arrival: Arrival
    admission: Column
    rows: NDArray[np.int64]

    def system(self, step: dict[str, Column]) -> System:
        """The system with these coefficients in place of those that were fitted before."""
        base = System.of(self.model, self.gpu, self.engine)
        return replace(base, coefficients=replace(base.coefficients, **step))

    def estimate(self, step: dict[str, Column], serve: dict[str, Column]) -> Latency:
        """TTFT and ITL under these coefficients; columns (k, 1) of values give results (k, rows)."""
        system = self.system(step)
        found = memory.memory(system, self.points)
        coefficients = serving.ServingCoefficients(**serve)
        return serving.aggregated(system, self.points, found, coefficients, self.arrival, self.admission)


def groups(measurements: Iterable[Measurement]) -> tuple[Group, ...]:
    """All measurements, in groups ordered by name."""
    rows = list(measurements)
    members: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(rows):
        members.setdefault((row.deployment, row.quantization, row.generator), []).append(index)
    return tuple(_group(rows, members[key]) for key in sorted(members))


def _group(rows: list[Measurement], indices: list[int]) -> Group:
    first, mine = rows[indices[0]], [rows[index] for index in indices]
    accelerator = sku(first.sku)
    model = served(first.architecture, first.quantization, accelerator)
    keys = {
        "precision": PRECISIONS[model.quantization],
        "family": accelerator.family,
        "gpu": accelerator.sku,
        "link": link(accelerator),
        "engine": first.engine,
        "engine_and_family": f"{first.engine}|{accelerator.family}",
        "attention": model.attention,
        "source": f"{first.engine}|{first.generator}",
        "architecture_and_engine": first.architecture_and_engine,
        "deployment": first.deployment,
    }
    return Group(
        model=model,
        gpu=accelerator,
        engine=first.engine,
        keys=keys,
        points=points(mine, model),
        arrival=first.arrival,
        admission=np.array([row.admission_wait_steps for row in mine]),
        rows=np.array(indices),
    )


def points(rows: list[Measurement], model: Model) -> Points:
    """The columns that the estimator takes."""
    columns = {name: np.array([getattr(row, name) for row in rows], dtype=np.float64) for name in _COLUMNS}
    ep = np.array([row.ep for row in rows], dtype=np.float64)
    if not model.is_moe:
        return Points.of(**columns)
    return Points.of(**columns, moe_ep=ep, moe_tp=columns["tp"] * columns["dp"] / ep)


_COLUMNS = ("tp", "dp", "isl", "osl", "concurrency")


def served(architecture: str, quantization: str, accelerator: Gpu) -> Model:
    """The model as it was served: its checkpoint asks for no KV dtype of its own."""
    model = replace(load(MODELS[architecture]), quantization=quantization, kv_dtype="bf16")
    return replace(model, kv_dtype=usual_kv_dtype(model, accelerator))


@cache
def sku(name: str) -> Gpu:
    """The GPU of a measurement."""
    return gpu("gb200_sxm" if name == "gb200" else name)


def fitting(measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """Those whose weights fit at an engine's default memory share; the estimator refuses others."""
    rows = tuple(measurements)
    kept = np.zeros(len(rows), dtype=bool)
    for group in groups(rows):
        share = np.array(STEP["memory_use"].middle)
        kept[group.rows] = memory.memory(group.system({"memory_use": share}), group.points).for_kv > 0
    return tuple(row for row, keep in zip(rows, kept, strict=True) if keep)


def observed(measurements: Iterable[Measurement]) -> tuple[Column, Column]:
    """Logarithms of the measured ITL and TTFT."""
    rows = list(measurements)
    return np.log([row.itl_ms for row in rows]), np.log([row.ttft_ms for row in rows])
