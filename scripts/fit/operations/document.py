"""scripts/fit/operations.json: every fit of an operation, and what GPUs differ in; priors and docs are made of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import exp
from typing import Any

import numpy as np

from scripts.fit.operations.effects import Effect, effects
from scripts.fit.operations.efficiencies import Fit
from scripts.fit.operations.found import FILE

ABOUT = (
    "Efficiencies of single operations by GPU, engine and number format, fitted by scripts/fit/operations to the "
    "operation tables of the package aiconfigurator-core 0.12.0 (see NOTICE). fixed_us: time of an operation without "
    "work, for collectives per doubling of ranks; compute, transfer: shares of the peak rate and of the bandwidth of "
    "memory or links. Errors: |estimate / measured - 1| in percent, median and 90th percentile."
)


def write(fits: Iterable[Fit]) -> None:
    """The whole file."""
    found = list(fits)
    parts = {
        "about": json.dumps(ABOUT),
        "effects": _block(_factors(effects(found))),
        "errors": _block(_errors(found)),
        "fits": "[\n" + ",\n".join(f"    {json.dumps(_row(fit))}" for fit in found) + "\n  ]",
    }
    lines = ",\n".join(f"  {json.dumps(name)}: {value}" for name, value in parts.items())
    FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _block(content: dict[str, Any]) -> str:
    return "{\n" + ",\n".join(f"    {json.dumps(key)}: {json.dumps(row)}" for key, row in content.items()) + "\n  }"


def _factors(found: Mapping[str, Effect]) -> dict[str, Any]:
    """Factors by coefficient: of families (or kinds of links) on the middle, and of GPUs on their family's."""
    return {
        name: {"middle": _rounded(exp(effect.middle))}
        | {level: {key: _rounded(exp(log)) for key, log in keys.items()} for level, keys in effect.factors.items()}
        for name, effect in found.items()
    }


def _errors(fits: Iterable[Fit]) -> dict[str, Any]:
    """Rows, median and 90th percentile by operation and GPU."""
    pooled: dict[str, dict[str, list[Any]]] = {}
    for fit in fits:
        pooled.setdefault(fit.operation, {}).setdefault(fit.system, []).append(np.abs(fit.errors))
    return {
        operation: {system: _summary(np.concatenate(errors)) for system, errors in by_system.items()}
        for operation, by_system in pooled.items()
    }


def _summary(size: Any) -> list[float]:
    return [len(size), round(100 * float(np.median(size)), 1), round(100 * float(np.quantile(size, 0.9)), 1)]


def _row(fit: Fit) -> dict[str, Any]:
    values = {name: _rounded(value) for name, value in fit.values.items() if name != "fixed"}
    _, median, late = _summary(np.abs(fit.errors))
    return {
        "operation": fit.operation,
        "gpu": fit.system,
        "engine": fit.engine,
        "format": fit.format,
        "rows": fit.rows,
        "fixed_us": _rounded(1e6 * fit.values["fixed"]),
        **values,
        "error": [median, late],
    }


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
