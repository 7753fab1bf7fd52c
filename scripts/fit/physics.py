"""The coefficients of the equations: robust maximum a posteriori (strong priors, soft L1 on log errors), in two stages.

Stage 1 fits what all models share. Stage 2 holds that fixed and gives every measured deployment factors of its own on
the same coefficients, so that a correction has a cause (slower kernels, less of the bandwidth) and moves with batch,
lengths and layout as that cause does. Fitted together, the factors of models would bend what is shared: leaving one
model out, ITL errors would grow by half.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from scripts.fit.groups import Column, Group, groups, observed
from scripts.fit.priors import LEVELS, LIMITS, PRIORS, SERVING, STEP
from scripts.fit.rows import Measurement

NUDGE = 1e-4  # of a log coefficient, for derivatives
WALL = 0.005  # by which a resolved log coefficient may pass its limit for the cost of one standard deviation
Name = tuple[str, str, str]  # coefficient, grouping ("" = all), value
LOWEST, HIGHEST = (np.log([[LIMITS[name][side]] for name in PRIORS]) for side in (0, 1))


@dataclass(frozen=True)
class Loss:
    """TTFT's weight beside ITL, and the log error beyond which a row counts linearly.

    Chosen by cross-validation; what all share needs a blunter loss, as models differ more than runs of one deployment.
    """

    ttft_weight: float
    linear_beyond: float

    def soft(self, error: Column) -> tuple[Column, Column]:
        """Soft L1 as a residual whose square is the loss, and its derivative."""
        scaled = error / self.linear_beyond
        root = np.sqrt(1 + scaled * scaled)
        size = np.sqrt(2 * (root - 1))
        slope = np.abs(scaled) / (np.maximum(size, 1e-9) * root)
        return np.sign(error) * size, np.where(np.abs(scaled) < 1e-5, 1.0, slope) / self.linear_beyond


STAGE_1, STAGE_2 = Loss(1.0, 0.12), Loss(1.2, 0.05)


@dataclass(frozen=True)
class Physics:
    """Fitted log values: the base of each coefficient and the log factors of groups."""

    values: dict[Name, float]

    def of(self, coefficient: str, keys: dict[str, str]) -> float:
        """The log value in a group; a value of a grouping that no measurement had counts as its prior mean."""
        prior = PRIORS[coefficient]
        total = self.values[coefficient, "", ""]
        for grouping in (*prior.groups, *LEVELS):
            name = (coefficient, grouping, keys[grouping])
            total += self.values.get(name, prior.means.get((grouping, keys[grouping]), 0.0))
        return total

    def estimate(self, group: Group, nudge: bool = False, limited: bool = False) -> tuple[Column, Column]:
        """Log ITL and log TTFT; with `nudge`, a row each for nothing and for each coefficient raised by NUDGE.

        With `limited`, of the coefficients as the estimator uses them: within LIMITS.
        """
        logs = np.array([self.of(name, group.keys) for name in PRIORS])[:, None]
        if limited:
            logs = np.clip(logs, LOWEST, HIGHEST)
        if nudge:
            logs = logs + NUDGE * np.eye(len(PRIORS), len(PRIORS) + 1, 1)
        values = dict(zip(PRIORS, np.exp(logs)[:, :, None], strict=True))
        found = group.estimate({name: values[name] for name in STEP}, {name: values[name] for name in SERVING})
        return np.log(found.itl_ms), np.log(found.ttft_ms)

    def log_errors(self, measurements: Sequence[Measurement]) -> tuple[Column, Column]:
        """log(measured / estimated) of ITL and TTFT."""
        itl, ttft = observed(measurements)
        for group in groups(measurements):
            estimated = self.estimate(group, limited=True)
            itl[group.rows] -= estimated[0][0]
            ttft[group.rows] -= estimated[1][0]
        return itl, ttft


@dataclass(frozen=True)
class _Walls:
    """Resolved log coefficients as `matrix @ x + offsets`, one row each, and how far they are outside of LIMITS."""

    matrix: Column
    offsets: Column
    low: Column
    high: Column

    @classmethod
    def of(cls, fixed: Physics, names: Sequence[Name], found: Sequence[Group]) -> _Walls:
        """Of the free `names` beside what is `fixed`, in all of these groups."""
        without = Physics(fixed.values | dict.fromkeys(names, 0.0))
        rows: dict[tuple[tuple[int, ...], float], str] = {}
        index = {name: column for column, name in enumerate(names)}
        for group in found:
            for coefficient in PRIORS:
                terms = [index.get((coefficient, *key)) for key in {"": "", **group.keys}.items()]
                columns = tuple(column for column in terms if column is not None)
                if columns:
                    rows[columns, without.of(coefficient, group.keys)] = coefficient
        matrix = np.zeros((len(rows), len(names)))
        for row, (columns, _) in enumerate(rows):
            matrix[row, columns] = 1.0
        low, high = np.log([LIMITS[coefficient] for coefficient in rows.values()]).T
        return cls(matrix, np.array([offset for _, offset in rows]), low, high)

    def passed(self, x: Column) -> Column:
        """By how much in units of WALL; 0 within."""
        logs = self.matrix @ x + self.offsets
        result: Column = (logs - np.clip(logs, self.low, self.high)) / WALL
        return result

    def slope(self, x: Column) -> Column:
        """Derivative of `passed`."""
        result: Column = self.matrix * (self.passed(x) != 0)[:, None] / WALL
        return result


@dataclass(frozen=True)
class _Problem:
    """Free values `names` with their priors, beside the values of `fixed`."""

    fixed: Physics
    names: list[Name]
    means: Column
    spreads: Column
    groups: tuple[Group, ...]
    observed: Column  # ITL, then TTFT
    weights: Column
    loss: Loss
    walls: _Walls

    @classmethod
    def of(
        cls,
        measurements: Sequence[Measurement],
        priors: Iterable[tuple[Name, float, float]],
        fixed: Physics,
        loss: Loss,
    ) -> _Problem:
        names, means, spreads = zip(*priors, strict=True)
        weights = np.repeat([1.0, loss.ttft_weight], len(measurements))
        weights[len(measurements) :][[row.stalled for row in measurements]] = 0.0
        seen = np.concatenate(observed(measurements))
        found = groups(measurements)
        walls = _Walls.of(fixed, names, found)
        return cls(fixed, list(names), np.array(means), np.array(spreads), found, seen, weights, loss, walls)

    def physics(self, x: Column) -> Physics:
        return Physics(self.fixed.values | dict(zip(self.names, (float(value) for value in x), strict=True)))

    def residuals(self, x: Column) -> Column:
        errors = np.empty_like(self.observed)
        physics, count = self.physics(x), len(errors) // 2
        for group in self.groups:
            itl, ttft = physics.estimate(group)
            errors[group.rows], errors[count + group.rows] = itl[0], ttft[0]
        robust, _ = self.loss.soft(errors - self.observed)
        return np.concatenate([self.weights * robust, (x - self.means) / self.spreads, self.walls.passed(x)])

    def jacobian(self, x: Column) -> Column:
        count, physics = len(self.observed) // 2, self.physics(x)
        index = {name: column for column, name in enumerate(self.names)}
        result = np.zeros((2 * count + len(x), len(x)))
        for group in self.groups:
            keys = {"": "", **group.keys}
            for offset, logs in zip((0, count), physics.estimate(group, nudge=True), strict=True):
                rows = offset + group.rows
                slope = self.weights[rows] * self.loss.soft(logs[0] - self.observed[rows])[1]
                for number, coefficient in enumerate(PRIORS, start=1):
                    derivative = slope * (logs[number] - logs[0]) / NUDGE
                    for grouping, value in keys.items():
                        if (column := index.get((coefficient, grouping, value))) is not None:
                            result[rows, column] += derivative
        result[2 * count + np.arange(len(x)), np.arange(len(x))] = 1 / self.spreads
        return np.concatenate([result, self.walls.slope(x)])

    def solved(self, start: Physics | None, steps: int) -> Physics:
        first = self.means
        if start:
            first = np.array([start.values.get(name, mean) for name, mean in zip(self.names, first, strict=True)])
        scale = np.maximum(self.spreads, 0.02)
        found = least_squares(
            self.residuals, first, jac=self.jacobian, method="trf", x_scale=scale, max_nfev=steps, ftol=1e-6
        )
        return self.physics(found.x)


def shared(measurements: Sequence[Measurement], start: Physics | None = None) -> Physics:
    """Stage 1: what all measurements share, runs that speculate left out; `start` saves steps."""
    plain = [row for row in measurements if not row.speculative]
    found = groups(plain)
    priors = []
    for coefficient, prior in PRIORS.items():
        priors.append(((coefficient, "", ""), np.log(prior.middle), prior.spread))
        for grouping, spread in prior.groups.items():
            for value in sorted({group.keys[grouping] for group in found}):
                priors.append(((coefficient, grouping, value), prior.means.get((grouping, value), 0.0), spread))
    return _Problem.of(plain, priors, Physics({}), STAGE_1).solved(start, 8 if start else 25)


def deployed(measurements: Sequence[Measurement], stage1: Physics, only: Collection[str] | None = None) -> Physics:
    """Stage 2: factors of each measured deployment, and of each architecture under an engine, on top of stage 1.

    `only`: the architectures under an engine to do this for, where not all matter.
    """
    families: dict[str, list[Measurement]] = {}
    for row in measurements:
        if only is None or row.architecture_and_engine in only:
            families.setdefault(row.architecture_and_engine, []).append(row)
    values = dict(stage1.values)
    for rows in (families[name] for name in sorted(families)):
        keys = [group.keys for group in groups(rows)]
        priors = [
            ((coefficient, level, value), 0.0, prior.freedom * spread)
            for coefficient, prior in PRIORS.items()
            if prior.freedom
            for level, spread in LEVELS.items()
            for value in sorted({key[level] for key in keys})
        ]
        values |= _Problem.of(rows, priors, stage1, STAGE_2).solved(None, 25).values
    return Physics(values)
