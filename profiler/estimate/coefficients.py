"""The fitted numbers of `data/coefficients.json`, resolved for one engine, GPU and model.

Every coefficient there carries its meaning and unit. They were fitted (robust maximum a posteriori, strong priors) to
public end-to-end measurements; see NOTICE. A deployment that was measured has factors of its own on them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Literal

from profiler.hardware import Gpu
from profiler.models.formats import KvDtype, Quantization
from profiler.models.model import Model

Arrival = Literal["steady", "closed", "burst"]
Bounds = tuple[float, float]
Tier = Literal["known", "related", "new"]
Link = Literal["pcie", "fast"]

PCIE_BYTES_PER_SECOND = 64e9  # PCIe 5.0 x16; NVLink and Infinity Fabric are faster

PRECISIONS: dict[Quantization, str] = {
    "bf16": "bf16",
    "fp8": "fp8",
    "fp8_block": "fp8",
    "mxfp8": "fp8",
    "int4": "int4",
    "mxfp4": "fp4",
    "nvfp4": "fp4",
    "w4a16_nvfp4": "int4",  # weights alone in 4 bit, unpacked and multiplied in 16 bit
}


@dataclass(frozen=True)
class StepCoefficients:
    """What turns a roofline into a step time; units and meanings are in the file.

    Floats, or columns that broadcast against the points: the fit varies all of them at once.
    """

    dense_compute: float
    dense_bandwidth: float
    expert_compute: float
    expert_bandwidth: float
    expert_imbalance: float
    decode_bandwidth: float
    decode_compute: float
    prefill_compute: float
    hop_us: float
    link_efficiency: float
    exchange_us: float
    kernel_us: float
    link_sharing: float
    streamed_bytes: float
    host_ms: float
    host_request_ms: float
    memory_use: float
    data_parallel_stall: float
    admission: float


@dataclass(frozen=True)
class ServingCoefficients:
    """What turns step times into TTFT and ITL under one pattern of arrivals."""

    mixing: float
    first_token_ms: float
    first_token_steps: float
    prefill_factor: float
    queue_share: float
    queue_power: float
    memory_wait: float


@dataclass(frozen=True)
class Trust:
    """How far measurements vouch for an estimate: factors on it that bound 80 % of what one should see."""

    itl_bounds: Bounds
    ttft_bounds: Bounds
    calibrated: bool  # whether this very deployment was measured


@cache
def _file() -> dict[str, Any]:
    text = resources.files("profiler").joinpath("data/coefficients.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def step_coefficients(model: Model, gpu: Gpu, engine: str) -> StepCoefficients:
    """Base values times the factors of the model's precision and attention, the GPU, the engine and the deployment.

    Within what is physically possible, whatever the factors multiply to.
    """
    groups = {
        "precision": PRECISIONS[model.quantization],
        "family": gpu.family,
        "gpu": gpu.sku,
        "link": link(gpu),
        "engine": engine,
        "engine_and_family": f"{engine}|{gpu.family}",
        "attention": model.attention,
    }
    own = _own_factors(model, gpu, engine)
    values = {}
    for name, row in _file()["step"].items():
        value = row["base"] * own.get(name, 1.0)
        for group, key in groups.items():
            value *= row.get(group, {}).get(key, 1.0)
        values[name] = _possible(value, row)
    return StepCoefficients(**values)


def link(gpu: Gpu) -> Link:
    """What joins the GPUs of a node."""
    return "pcie" if gpu.link_bandwidth <= PCIE_BYTES_PER_SECOND else "fast"


@lru_cache(maxsize=1024)
def serving_coefficients(model: Model, gpu: Gpu, engine: str, arrival: Arrival) -> ServingCoefficients:
    """The values of an arrival pattern under an engine.

    Steady arrivals are a closed loop without its first round, in which all arrive at once: no prompt is ahead by
    construction, and the wait behind others follows from the load (`profiler.estimate.serving`).
    """
    rows, own = _file()["serving"], _own_factors(model, gpu, engine)
    values = {}
    for field in fields(ServingCoefficients):
        row = rows[field.name]
        base = row["burst"] if arrival == "burst" else row["closed"][engine]
        values[field.name] = _possible(base * own.get(field.name, 1.0), row)
    if arrival == "steady":
        values["queue_share"] = 0.0
    return ServingCoefficients(**values)


def trust(model: Model, gpu: Gpu, engine: str) -> Trust:
    """The bounds of a deployment: measured itself, the model under this engine on another GPU, or neither."""
    architecture, deployment = _keys(model, gpu, engine)
    own = _file()["deployments"]
    tier: Tier = "new"
    if deployment in own["deployment"]:
        tier = "known"
    elif architecture in own["architecture_and_engine"]:
        tier = "related"
    if model.sparse and model.sparse.indexers:
        # Most layers take another one's pick, those of the measured model of this shape do not: its factors are the
        # best guess that there is, and no more.
        tier = "new"
    return Trust(
        itl_bounds=_bounds("itl", gpu, engine, tier),
        ttft_bounds=_bounds("ttft", gpu, engine, tier),
        calibrated=tier == "known",
    )


def pool_powers() -> tuple[float, float]:
    """Exponents on the bounds (factors) of a prefill engine's TTFT and of a decode engine's ITL, for pools of them."""
    powers = _file()["intervals"]["pools"]
    return powers["ttft"], powers["itl"]


def usual_kv_dtype(model: Model, gpu: Gpu) -> KvDtype:
    """The KV cache that deployments of such a checkpoint are measured with where nobody says otherwise.

    8 bit beside 8-bit weights, and beside 4-bit ones on GPUs with 4-bit arithmetic, as public benchmarks launch
    engines; else 16 bit. `Model.kv_dtype` is what the checkpoint itself asks for.
    """
    precision = PRECISIONS[model.quantization]
    eight = (precision == "fp8" and gpu.fp8_flops > 0) or (precision == "fp4" and gpu.fp4_flops > 0)
    return "fp8" if eight else model.kv_dtype


def _possible(value: float, row: dict[str, Any]) -> float:
    low, high = row["limits"]
    return float(min(max(value, low), high))


@lru_cache(maxsize=1024)
def _own_factors(model: Model, gpu: Gpu, engine: str) -> dict[str, float]:
    """Factors that measurements of this architecture under this engine, and of this deployment, gave it."""
    own = _file()["deployments"]
    architecture, deployment = _keys(model, gpu, engine)
    result = dict(own["architecture_and_engine"].get(architecture, {}))
    for name, factor in own["deployment"].get(deployment, {}).items():
        result[name] = result.get(name, 1.0) * factor
    return result


def _keys(model: Model, gpu: Gpu, engine: str) -> tuple[str, str]:
    # By shape, not by name: fine-tunes, distillations and renamed repositories run at the same speed.
    shape = {"layers": model.layers, "hidden": model.hidden, "experts": model.experts, "heads": model.heads}
    known = _file()["architectures"]["shapes"]
    ordinary = model.sublayers == 2 * model.layers  # a search that took blocks out of a measured model made another
    name = next((name for name, other in known.items() if other == shape and ordinary), "")
    return f"{name}|{engine}", f"{name}|{gpu.sku}|{engine}|{PRECISIONS[model.quantization]}"


def _bounds(metric: str, gpu: Gpu, engine: str, tier: Tier) -> Bounds:
    table = _file()["intervals"]
    low, high = table["known"][metric][engine] if tier == "known" else table[tier][metric]
    if gpu.end_to_end:
        return low, high
    seen = gpu.family in _file()["measured_families"]
    place = "same_family" if seen else "other_family"
    power = table["by_operation" if gpu.measured else "transferred"][place]
    return low**power, high**power
