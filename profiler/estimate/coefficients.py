"""The fitted numbers of `data/coefficients.json`, resolved for one engine, GPU and model.

Every coefficient there carries its meaning and unit. They were fitted (robust maximum a posteriori, strong priors) to
public end-to-end measurements; see NOTICE.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from profiler.hardware import Gpu
from profiler.models.model import Model, Quantization

Arrival = Literal["steady", "closed", "burst"]
Bounds = tuple[float, float]

PRECISIONS: dict[Quantization, str] = {
    "bf16": "bf16",
    "fp8": "fp8",
    "fp8_block": "fp8",
    "int4": "int4",
    "mxfp4": "fp4",
    "nvfp4": "fp4",
}


@dataclass(frozen=True)
class StepCoefficients:
    """What turns a roofline into a step time; units and meanings are in the file."""

    dense_compute: float
    dense_bandwidth: float
    expert_compute: float
    expert_bandwidth: float
    expert_imbalance: float
    decode_bandwidth: float
    prefill_compute: float
    hop_us: float
    link_efficiency: float
    kernel_us: float
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
class Correction:
    """What measurements of this deployment, or of its architecture, say about the estimate."""

    itl: float  # factors on the estimate
    ttft: float
    itl_bounds: Bounds  # factors that bound 80 % of measurements
    ttft_bounds: Bounds
    calibrated: bool  # whether this very deployment was measured


@cache
def _file() -> dict[str, Any]:
    text = resources.files("profiler").joinpath("data/coefficients.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def step_coefficients(model: Model, gpu: Gpu, engine: str) -> StepCoefficients:
    """Base values times the factors of the model's precision and attention, the GPU's family and the engine."""
    groups = {
        "precision": PRECISIONS[model.quantization],
        "family": gpu.family,
        "engine": engine,
        "engine_and_family": f"{engine}|{gpu.family}",
        "attention": model.attention,
    }
    values = {}
    for name, row in _file()["step"].items():
        value = row["base"]
        for group, key in groups.items():
            value *= row.get(group, {}).get(key, 1.0)
        values[name] = value
    return StepCoefficients(**values)


def serving_coefficients(engine: str, arrival: Arrival) -> ServingCoefficients:
    """The values of an arrival pattern; a closed loop was fitted per engine."""
    rows = _file()["serving"]
    return ServingCoefficients(
        **{name: row["closed"][engine] if arrival == "closed" else row[arrival] for name, row in rows.items()}
    )


def correction(model: Model, gpu: Gpu, engine: str) -> Correction:
    """Offsets and bounds for a deployment; a shape that nobody measured has neutral offsets and wider bounds."""
    architecture = _architecture(model)
    keys = {
        "architecture": architecture,
        "architecture|engine": f"{architecture}|{engine}",
        "architecture|gpu|engine|precision": f"{architecture}|{gpu.sku}|{engine}|{PRECISIONS[model.quantization]}",
    }
    offsets = _file()["offsets"]
    known = keys["architecture|gpu|engine|precision"] in offsets["itl"]["architecture|gpu|engine|precision"]
    factors = {}
    for metric in ("itl", "ttft"):
        factors[metric] = 1.0
        for level, key in keys.items():
            factors[metric] *= offsets[metric][level].get(key, 1.0)
    return Correction(
        itl=factors["itl"],
        ttft=factors["ttft"],
        itl_bounds=_bounds("itl", gpu, engine, known),
        ttft_bounds=_bounds("ttft", gpu, engine, known),
        calibrated=known,
    )


def _architecture(model: Model) -> str:
    # By shape, not by name: fine-tunes, distillations and renamed repositories run at the same speed.
    shape = {"layers": model.layers, "hidden": model.hidden, "experts": model.experts, "heads": model.heads}
    known = _file()["architectures"]["shapes"]
    return next((name for name, other in known.items() if other == shape), "")


def _bounds(metric: str, gpu: Gpu, engine: str, known: bool) -> Bounds:
    table = _file()["intervals"]
    low, high = table["known"][metric][engine] if known else table["unknown"][metric]
    if gpu.measured:
        return low, high
    seen = gpu.family in _file()["measured_families"]
    power = table["transferred"]["same_family" if seen else "other_family"]
    return low**power, high**power
