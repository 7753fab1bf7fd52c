"""What GPUs differ in: efficiencies of many fits taken apart into what engines and formats share, and each GPU's own.

log efficiency = (operation, engine, format) + GPU, solved by medians in turn (Tukey's median polish), so that one odd
table moves nothing. A family is the mean of its GPUs of which end-to-end rows exist, or of all where none do; the
reference is the mean of the families with end-to-end rows. Collectives differ by links first: GPUs that PCIe joins are
a group of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from profiler.estimate.coefficients import link
from scripts.fit.operations.efficiencies import Fit
from scripts.fit.operations.samples import OPERATIONS
from scripts.fit.operations.tables import GPUS

ROUNDS = 30
OF_LINKS = ("hop_us", "link_efficiency", "link_sharing")
Factors = dict[str, dict[str, float]]  # by grouping and key


@dataclass(frozen=True)
class Effect:
    """Logarithms: of a coefficient at the reference, and of the factors on it."""

    middle: float
    factors: Factors


def effects(fits: Iterable[Fit]) -> dict[str, Effect]:
    """Of every coefficient that the tables speak of."""
    cells: dict[str, dict[tuple[str, str], float]] = {}
    coefficients = {operation.name: operation.coefficients for operation in OPERATIONS}
    for fit in fits:
        for value, coefficient in coefficients[fit.operation].items():
            if fit.sound(value):
                key = f"{fit.operation} {fit.engine} {fit.format}"
                scale = 1e6 if value == "fixed" else 1.0
                cells.setdefault(coefficient, {})[key, fit.system] = float(np.log(scale * fit.values[value]))
    return {name: _effect(name in OF_LINKS, *_polished(values)) for name, values in cells.items()}


def _effect(of_links: bool, level: float, own: Mapping[str, float]) -> Effect:
    members: dict[tuple[str, str], list[str]] = {}
    for system in own:
        gpu = GPUS[system]
        slow = of_links and link(gpu) == "pcie"
        members.setdefault(("link", "pcie") if slow else ("family", gpu.family), []).append(system)
    groups = {}
    for name, systems in members.items():
        seen = [system for system in systems if GPUS[system].end_to_end] or systems
        groups[name] = float(np.mean([own[system] for system in seen]))
    compared = [value for (_, key), value in groups.items() if key in ("hopper", "blackwell")]
    reference = float(np.mean(compared or list(groups.values())))
    factors: Factors = {"family": {}, "link": {}, "gpu": {}}
    for (grouping, key), value in groups.items():
        factors[grouping][key] = value - reference
        for system in members[grouping, key]:
            factors["gpu"][GPUS[system].sku] = own[system] - value
    return Effect(level + reference, factors)


def _polished(cells: Mapping[tuple[str, str], float]) -> tuple[float, dict[str, float]]:
    """Median level of the keys, and the effect of each system."""
    keys, systems = ({cell[side] for cell in cells} for side in (0, 1))
    by_key, own = dict.fromkeys(sorted(keys), 0.0), dict.fromkeys(sorted(systems), 0.0)
    for _ in range(ROUNDS):
        for key in by_key:
            by_key[key] = float(np.median([value - own[s] for (k, s), value in cells.items() if k == key]))
        for system in own:
            own[system] = float(np.median([value - by_key[k] for (k, s), value in cells.items() if s == system]))
    return float(np.median(list(by_key.values()))), own
