"""Fitting samples: seconds = fixed * launches + (compute^3 + transfer^3)^(1/3), each at a share of its peak.

The same equations as `profiler.estimate.operations`. Robust (soft L1 on log errors), and deterministic: where a table
has more rows than are needed, every n-th is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from profiler.estimate.operations import smooth_max
from scripts.fit.operations.samples import OPERATIONS, Column, Operation, Samples
from scripts.fit.operations.tables import GPUS, Tables

ENOUGH, FEWEST = 4000, 20  # rows of a fit
POOR = 0.35  # median error of a fit whose values say nothing
LINEAR_BEYOND = 0.1  # log error beyond which a row counts linearly
# First guess and limits. An efficiency at a limit says that the equation does not fit the table: it is not used.
LIMITS = {
    "fixed": (8e-6, 1e-7, 1e-3),
    "compute": (0.5, 0.005, 1.1),
    "transfer": (0.7, 0.005, 1.1),
    "imbalance": (1.1, 0.7, 3.0),
    "sharing": (1.0, 0.01, 3.0),
}


@dataclass(frozen=True)
class Fit:
    """One operation on one GPU under one engine in one number format; errors in percent, bias with its sign."""

    operation: str
    system: str
    engine: str
    format: str
    rows: int
    values: dict[str, float]  # fixed in seconds, shares of the peak, imbalance as a factor, sharing as an exponent
    errors: Column  # estimate / measured - 1 of every row

    def sound(self, name: str) -> bool:
        """Whether a value was found inside of its limits, by equations that fit the table."""
        _, low, high = LIMITS[name]
        inside = name in self.values and low * 1.02 < self.values[name] < high / 1.02
        return inside and float(np.median(np.abs(self.errors))) < POOR


def fitted(tables: Tables) -> tuple[Fit, ...]:
    """All operations on all GPUs, in a fixed order."""
    return tuple(
        fit(operation, system, samples)
        for operation in OPERATIONS
        for system, gpu in GPUS.items()
        for samples in operation.samples(tables, system, gpu)
        if len(samples.seconds) >= FEWEST
    )


def fit(operation: Operation, system: str, samples: Samples) -> Fit:
    """The values that reproduce the samples best."""
    names = list(_names(samples))
    first, low, high = np.log([LIMITS[name] for name in names]).T
    few = slice(None, None, -(-len(samples.seconds) // ENOUGH))

    def errors(x: Column, rows: slice) -> Column:
        return np.log(_seconds(samples, dict(zip(names, np.exp(x), strict=True)), rows) / samples.seconds[rows])

    found = least_squares(
        lambda x: errors(x, few), first, bounds=(low, high), loss="soft_l1", f_scale=LINEAR_BEYOND, max_nfev=60
    )
    values = {name: float(value) for name, value in zip(names, np.exp(found.x), strict=True)}
    every = np.expm1(errors(found.x, slice(None)))
    return Fit(operation.name, system, samples.engine, samples.format, len(every), values, every)


def _names(samples: Samples) -> Iterator[str]:
    yield "fixed"
    columns = {
        "compute": samples.compute,
        "transfer": samples.transfer,
        "imbalance": samples.skewed,
        "sharing": samples.crowd,
    }
    yield from (name for name, column in columns.items() if column.any())


def _seconds(samples: Samples, values: dict[str, float], rows: slice) -> NDArray[np.float64]:
    compute = samples.compute[rows] / values.get("compute", 1.0)
    shared = np.exp(values.get("sharing", 0.0) * samples.crowd[rows])
    transfer = samples.transfer[rows] * shared / values.get("transfer", 1.0)
    imbalance = np.where(samples.skewed[rows], values.get("imbalance", 1.0), 1.0)
    return values["fixed"] * samples.launches[rows] + imbalance * smooth_max(compute, transfer)
