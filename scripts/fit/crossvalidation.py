"""Every row estimated by a fit that did not see it: what the accuracy page reports and the intervals are made of."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from scripts.fit.groups import Column, sku
from scripts.fit.intervals import HeldOut
from scripts.fit.physics import Physics, deployed, shared
from scripts.fit.rows import Measurement

RANDOM_FOLDS = 10
Label = Callable[[Measurement], str]


def _random(row: Measurement) -> str:
    """One of ten folds; runs of one configuration stay together."""
    return str(zlib.crc32(str(row.configuration).encode()) % RANDOM_FOLDS)


# What is left out together, and whether the fit starts from the one of all rows (which only saves time) or afresh.
SCHEMES: dict[str, tuple[Label, bool]] = {
    "random": (_random, True),
    "deployment": (lambda row: row.deployment, True),
    "gpu": (lambda row: row.sku, False),
    "family": (lambda row: sku(row.sku).family, False),
    "model": (lambda row: row.architecture, False),
}


@dataclass(frozen=True)
class Fold:
    """Rows to fit on and rows to judge."""

    scheme: str
    fitted: tuple[Measurement, ...]
    judged: tuple[Measurement, ...]
    start: Physics | None


def held_out(rows: Sequence[Measurement], everything: Physics, pool: Executor) -> dict[str, HeldOut]:
    """All schemes; rows stand in the order of `rows`."""
    folds = [fold for scheme in SCHEMES for fold in _folds(rows, scheme, everything)]
    result = {scheme: HeldOut(tuple(rows), np.zeros(len(rows)), np.zeros(len(rows))) for scheme in SCHEMES}
    index = {row.id: number for number, row in enumerate(rows)}
    for fold, (itl, ttft) in zip(folds, pool.map(judge, folds), strict=True):
        where = [index[row.id] for row in fold.judged]
        result[fold.scheme].itl[where] = itl
        result[fold.scheme].ttft[where] = ttft
    return result


def judge(fold: Fold) -> tuple[Column, Column]:
    """Errors of the judged rows under coefficients of the fitted ones."""
    families = {row.architecture_and_engine for row in fold.judged}
    physics = deployed([*fold.fitted], shared(fold.fitted, fold.start), families)
    known = {row.architecture_and_engine for row in fold.fitted}
    return physics.log_errors([as_asked(row, known) for row in fold.judged])


def as_asked(row: Measurement, known: set[str]) -> Measurement:
    """The row as a user would ask: nobody tells how load was generated, and only measured deployments imply it."""
    if row.architecture_and_engine in known or row.arrival == "burst":
        return row
    return replace(row, generator="public")


def _folds(rows: Sequence[Measurement], scheme: str, everything: Physics) -> list[Fold]:
    label, quick = SCHEMES[scheme]
    labels = [label(row) for row in rows]
    return [
        Fold(
            scheme,
            tuple(row for row, its in zip(rows, labels, strict=True) if its != name),
            tuple(row for row, its in zip(rows, labels, strict=True) if its == name),
            everything if quick else None,
        )
        for name in sorted(set(labels))
    ]
