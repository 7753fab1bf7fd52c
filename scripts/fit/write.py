"""Fitted values as `profiler/data/coefficients.json`: every number with its meaning and unit, in a fixed order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import exp
from typing import Any

from profiler.hardware import skus
from profiler.models import load
from scripts.fit.groups import MODELS
from scripts.fit.intervals import Intervals
from scripts.fit.operations import found as operations
from scripts.fit.physics import Name, Physics
from scripts.fit.priors import FROM_TABLES, LEVELS, LIMITS, SERVING, STEP
from scripts.fit.rows import Measurement

ABOUT = (
    "Coefficients of profiler.estimate, fitted to public measurements, end to end and of single operations (see "
    "NOTICE), by scripts/fit. A coefficient is its base times the factor of each group that matches, within "
    "its limits; a group that is not listed counts as 1. GPUs and families without end-to-end measurements have the "
    "factors of their operations."
)
MEANINGS = {
    "dense_compute": ("compute efficiency of dense GEMMs", "fraction of peak"),
    "dense_bandwidth": ("memory efficiency of reading dense weights", "fraction of peak"),
    "expert_compute": ("compute efficiency of grouped expert GEMMs", "fraction of peak"),
    "expert_bandwidth": ("memory efficiency of reading expert weights", "fraction of peak"),
    "expert_imbalance": ("busiest expert-parallel rank over the mean", "factor"),
    "decode_bandwidth": ("memory efficiency of reading the KV cache", "fraction of peak"),
    "decode_compute": ("compute efficiency of decode attention where it is compute bound", "fraction of peak"),
    "prefill_compute": ("compute efficiency of prefill attention", "fraction of peak"),
    "hop_us": ("latency of one collective per doubling of ranks", "us"),
    "link_efficiency": ("bandwidth efficiency of collectives between GPUs of a node", "fraction of peak"),
    "exchange_us": ("latency of dispatching tokens to experts, and of combining them", "us"),
    "link_sharing": ("growth of the time on PCIe with the pairs of GPUs that share it", "exponent"),
    "kernel_us": ("time to launch and drain one kernel", "us"),
    "streamed_bytes": ("reads and writes of the hidden state per layer by element-wise kernels", "passes"),
    "host_ms": ("host time per decode step", "ms"),
    "host_request_ms": ("host time per decode step and running request of a rank", "ms"),
    "memory_use": ("share of GPU memory that an engine hands out", "fraction"),
    "data_parallel_stall": ("extra prefill per data-parallel rank that one rank waits for, in lock step", "factor"),
    "admission": ("decode steps really waited per step of a configured admission wait", "factor"),
    "mixing": ("share of the other requests' prefill time that a decoding request sees", "factor"),
    "first_token_ms": ("first token: constant part outside of the engine's steps", "ms"),
    "first_token_steps": ("first token: decode steps between arrival and when it is sent", "steps"),
    "prefill_factor": ("first token: time of the prompt's own step over that of a saturated engine", "factor"),
    "queue_share": ("prompts ahead per other request in flight", "prompts"),
    "queue_power": ("growth of the prompts ahead with the requests in flight", "exponent"),
    "memory_wait": ("share of the wait for KV memory that Little's law predicts", "factor"),
}
ENGINES = ("vllm", "sglang", "trtllm")
CLOSED, BURST = "public", "sglang|burst-lab"  # sources whose values unknown deployments get
MEASURED_FAMILIES = ("hopper", "blackwell")
ON_PCIE = "ada"  # the family with tables of collectives over PCIe
TRIFLING = 0.005  # factors closer to 1 than this are left out


def document(physics: Physics, measurements: Iterable[Measurement], intervals: Intervals) -> dict[str, Any]:
    """The whole file."""
    rows = tuple(measurements)
    return {
        "about": ABOUT,
        "measured_families": list(MEASURED_FAMILIES),
        "step": {name: _step(physics, name) for name in STEP} | {"link_sharing": _link_sharing()},
        "serving": {name: _serving(physics, name) for name in SERVING},
        "architectures": {"meaning": "which shapes were measured", "shapes": _shapes(rows)},
        "deployments": {
            "meaning": "factors on the coefficients of deployments that were measured; both that match are multiplied",
            **{level: _own(physics, level, rows) for level in LEVELS},
        },
        "intervals": {
            "meaning": "factors on an estimate that bound 80 % of measurements: of known deployments (held-out rows, "
            "by engine), of related ones (the model under the same engine on other GPUs), and of new models",
            **intervals.as_document(),
        },
    }


def with_pools(content: Mapping[str, Any], powers: Mapping[str, float]) -> dict[str, Any]:
    """The whole file, with the powers that widen the bounds of engines to those of pools of them."""
    meaning = "exponent on the factors of a prefill engine's TTFT and a decode engine's ITL for pools of them"
    return {**content, "intervals": {**content["intervals"], "pools": {"meaning": meaning, **powers}}}


def text(content: Mapping[str, Any]) -> str:
    """JSON with short objects on one line."""
    return _lines(content, 0) + "\n"


def _lines(value: Any, depth: int) -> str:
    flat = json.dumps(value)
    if (
        not isinstance(value, dict)
        or len(flat) + 2 * depth < 100
        or not any(isinstance(x, dict) for x in value.values())
    ):
        return flat
    pad = "  " * (depth + 1)
    rows = [f"{pad}{json.dumps(key)}: {_lines(item, depth + 1)}" for key, item in value.items()]
    return "{\n" + ",\n".join(rows) + "\n" + "  " * depth + "}"


def _step(physics: Physics, name: str) -> dict[str, Any]:
    """Base and factors: fitted ones, and of GPUs and families without end-to-end rows those of the operation tables."""
    row = _described(name) | {"base": _rounded(physics.values[name, "", ""])}
    prior = STEP[name]
    for grouping in (*prior.groups, *(level for level in FROM_TABLES if level not in prior.groups)):
        logs = {key: log for (by, key), log in prior.means.items() if by == grouping and grouping in FROM_TABLES}
        logs |= {key: log for (found, by, key), log in physics.values.items() if (found, by) == (name, grouping)}
        if logs:
            row[grouping] = {key: _rounded(log) for key, log in sorted(logs.items())}
    return row


def _link_sharing() -> dict[str, Any]:
    """No end-to-end row has PCIe: what tables of its family say; elsewhere pairs are taken to share one host bridge."""
    family = {ON_PCIE: operations.read()["effects"]["link_sharing"]["middle"]}
    return _described("link_sharing") | {"base": 1.0, "link": {"fast": 0.0, "pcie": 1.0}, "family": family}


def _described(name: str) -> dict[str, Any]:
    meaning, unit = MEANINGS[name]
    return {"meaning": meaning, "unit": unit, "limits": list(LIMITS[name])}


def _serving(physics: Physics, name: str) -> dict[str, Any]:
    base = physics.values[name, "", ""]
    closed = {engine: _rounded(base + _source(physics, name, f"{engine}|{CLOSED}")) for engine in ENGINES}
    return _described(name) | {"closed": closed, "burst": _rounded(base + _source(physics, name, BURST))}


def _source(physics: Physics, name: str, source: str) -> float:
    return physics.values.get((name, "source", source), 0.0)


def _shapes(rows: tuple[Measurement, ...]) -> dict[str, dict[str, int]]:
    models = {name: load(MODELS[name]) for name in sorted({row.architecture for row in rows})}
    fields = ("layers", "hidden", "experts", "heads")
    return {name: {field: getattr(model, field) for field in fields} for name, model in models.items()}


def _own(physics: Physics, level: str, rows: tuple[Measurement, ...]) -> dict[str, dict[str, float]]:
    """Factors of one level. What a laboratory's load generator did differently counts as its architectures' own."""
    logs: dict[str, dict[str, float]] = {}
    names: dict[Name, float] = {name: value for name, value in sorted(physics.values.items()) if name[1] == level}
    generators = {f"{row.architecture}|{row.engine}": row.generator for row in rows}
    for (coefficient, _, key), value in names.items():
        if level == "deployment" and key.split("|")[1] not in skus():
            continue
        generator = generators.get(key, CLOSED)
        if coefficient in SERVING and generator.endswith(("steady-lab", "sweep-lab")):
            engine = key.split("|")[1]
            value += _source(physics, coefficient, f"{engine}|{generator}")
            value -= _source(physics, coefficient, f"{engine}|{CLOSED}")
        logs.setdefault(key, {})[coefficient] = value
    return {
        key: {name: _rounded(value) for name, value in row.items() if abs(value) > TRIFLING}
        for key, row in logs.items()
    }


def _rounded(log: float) -> float:
    return float(f"{exp(log):.5g}")
