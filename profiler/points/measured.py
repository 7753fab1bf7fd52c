"""A user's own measurements, out of files or made in memory, held against the estimates that they correct.

How far each of them reaches, `profiler.points.correction` says.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from crds.errors import InputError
from crds.fields import did_you_mean
from profiler.estimate import REASONS, FloatArray, Points
from profiler.hardware import Gpu
from profiler.models import Model
from profiler.points import tables
from profiler.points.aiperf import table as aiperf_table
from profiler.points.cells import Rows, understand
from profiler.points.correction import SHARES, Correction, Evidence, Place
from profiler.points.questions import Mode, Question
from profiler.points.rates import Load
from profiler.points.tables import Table
from profiler.profile import Layout

MOST: Final = 200  # measurements of one system: each asks for a row and a column of a matrix
MOST_LINES: Final = 10_000  # of a file; more are a log of requests, not measured points
IMPLAUSIBLE: Final = math.log(20)  # no estimate errs by as much: wrong unit, or another deployment
METRICS: Final = ("ttft_ms", "itl_ms")
LAYOUT: Final = tuple(column.name for column in fields(Layout))
# What each kind of engine can be measured in: a prefill worker decodes nothing, a decode worker gets its first token.
METRICS_OF: Final[Mapping[Mode, tuple[str, ...]]] = {"agg": METRICS, "prefill": ("ttft_ms",), "decode": ("itl_ms",)}

System = tuple[Model, str, str]


@dataclass(frozen=True)
class Measurement:
    """One engine under one load and its mean times in ms, 0 where one was not measured.

    `question` is the system and mode, `concurrency` the requests in flight on this engine; messages call it `source`.
    """

    question: Question
    layout: Layout
    isl: float
    osl: float
    concurrency: float
    ttft_ms: float = 0.0
    itl_ms: float = 0.0
    source: str = "a measurement"


@dataclass(frozen=True)
class Compared:
    """A measurement beside the estimates of its point, in ms; 0 where the engine has no such time."""

    measurement: Measurement
    ttft_ms: float
    itl_ms: float

    def offset(self, metric: str) -> float | None:
        """log(measured / estimated) of `ttft_ms` or `itl_ms`; None where it was not measured."""
        value = getattr(self.measurement, metric)
        return math.log(value / getattr(self, metric)) if value else None


@dataclass(frozen=True)
class Measurements:
    """All that a user measured, by system: the model by its shape and format, the GPU, the engine."""

    systems: Mapping[System, tuple[Compared, ...]]

    @classmethod
    def of(cls, measurements: Iterable[Measurement]) -> Measurements:
        """Hold measurements against the estimates of their points.

        Raises InputError for one without an estimate or far from it, and for too many of one system.
        """
        questions: dict[Question, list[Measurement]] = {}
        for measurement in measurements:
            questions.setdefault(measurement.question, []).append(measurement)
        systems: dict[System, list[Compared]] = {}
        for question, members in questions.items():
            systems.setdefault(_system(question), []).extend(_compared(question, members))
        for members_of_one in systems.values():
            if len(members_of_one) > MOST:
                count = f"{len(members_of_one)} measurements of one model, GPU and engine"
                raise InputError(count, f"{MOST} are the most", "give means over repeated runs")
        return cls({system: tuple(found) for system, found in systems.items()})

    def of_system(self, question: Question) -> tuple[Compared, ...]:
        """What was measured of the system of a question, in any layout, mode and load."""
        return self.systems.get(_system(question), ())

    def correction(self, question: Question) -> Correction:
        """What it says about a question; neutral where its system was not measured."""
        compared = self.of_system(question)
        evidence = {}
        for metric in METRICS:
            known = [(one.measurement, offset) for one in compared if (offset := one.offset(metric)) is not None]
            if known:
                place = Place.stack([Place.of(_points([one]), one.question.mode) for one, _ in known])
                evidence[metric] = Evidence(place, np.array([offset for _, offset in known]), SHARES[metric])
        return Correction(evidence)


def read(
    files: Mapping[str, bytes],
    *,
    defaults: Mapping[str, str] | None = None,
    cells: Mapping[str, Mapping[str, str]] | None = None,
    required: Sequence[str] = (),
    models: Mapping[str, Model] | None = None,
    gpus: Mapping[str, Gpu] | None = None,
    online: bool = False,
) -> Measurements:
    """The measurements in some files: CSV with the columns of a point and ttft_ms or itl_ms, or AIPerf's export.

    `cells` hold for all rows of a file, `defaults` are what files leave open (AIPerf does not know the GPU), and the
    columns `required` must then be there. `models` (by name) and `gpus` (by SKU) stand for those that are packaged.
    Raises InputError where a row cannot be used, is of a point without an estimate, or implausible.
    """
    found: list[Measurement] = []
    for source, data in files.items():
        given = {**(defaults or {}), **(cells or {}).get(source, {})}
        table = _table(data, source, given).filled((cells or {}).get(source, {}))
        _check(table, source, given, required)
        asked = understand(table, defaults=given, online=online, known=models)
        for row, fault in sorted(asked.faults.items()):
            advice = f"say which model it is: --measured {source},model=NAME" if fault.startswith("model:") else ""
            raise InputError(f"{source}: row {row + 1} cannot be used", fault, advice)
        for question, rows in asked.questions:
            gpu = (gpus or {}).get(question.gpu.sku, question.gpu)
            load = Load.of(asked, question, rows)
            for place, row in enumerate(rows.tolist()):
                if load.beyond(place):
                    raise InputError(f"{source}: row {row + 1} has no estimate to compare with", load.beyond(place))
            found += _measurements(source, table, load.points, replace(question, gpu=gpu), rows)
    return Measurements.of(found)


def _table(data: bytes, source: str, given: Mapping[str, str]) -> Table:
    plain = data.removeprefix(codecs.BOM_UTF8)
    if plain.lstrip().startswith(b"{"):
        return aiperf_table(plain, source, given)
    lines = data.count(b"\n")
    if lines > MOST_LINES:
        what = f"{source}: has {lines:,} lines, and {MOST_LINES:,} are the most"
        raise InputError(what, "each is a measured point, not a request", "give means, a few points for each engine")
    table = tables.read(data, source, given=tuple(given))
    if not set(METRICS) & set(table.names):
        raise InputError(f"{source}: has no column ttft_ms or itl_ms", "these hold what was measured")
    return table


def _check(table: Table, source: str, given: Mapping[str, str], required: Sequence[str]) -> None:
    if not len(table):
        raise InputError(f"{source}: has a header and no measurement")
    absent = [name for name in (*tables.COLUMNS, *METRICS) if name not in table.names]
    for name in sorted(set(table.names) - {*tables.COLUMNS, *tables.FOUND}):
        near = did_you_mean(name, absent)
        if near:  # whose value would silently be another one
            raise InputError(f'{source}: a column is called "{name}"', next=f"did you mean {near}?")
    for name in required:
        if not all(table.column(name, given.get(name, ""))):
            raise InputError(
                f"{source}: does not say the {name} of what was measured",
                next=f"add it to the file, or behind its name: --measured {source},{name}=...",
            )


def _measurements(source: str, table: Table, points: Points, question: Question, rows: Rows) -> list[Measurement]:
    """Some rows of one question."""
    ttft, itl = (table.column(metric) for metric in METRICS)
    found = []
    for i, row in enumerate(rows.tolist()):
        where = f"{source}: row {row + 1}"
        one = Measurement(
            question=question,
            layout=Layout(**{name: int(getattr(points, name)[i]) for name in LAYOUT}),
            isl=float(points.isl[i]),
            osl=float(points.osl[i]),
            concurrency=float(points.concurrency[i]),
            ttft_ms=_time(ttft[row], "ttft_ms", where),
            itl_ms=_time(itl[row], "itl_ms", where),
            source=where,
        )
        found.append(one)
    return found


def _time(text: str, metric: str, where: str) -> float:
    if not text:
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(
            f"{where}: {metric}: Invalid value: {text[:40]!r}", "must be a positive number of milliseconds"
        )
    return value


def _compared(question: Question, members: Sequence[Measurement]) -> list[Compared]:
    """Measurements of one question beside its estimates."""
    estimates = question.estimate(_points(members))
    found = []
    for i, one in enumerate(members):
        if estimates.reason[i]:
            raise InputError(f"{one.source} has no estimate to compare with", REASONS[estimates.reason[i]])
        if not all(0 <= time < math.inf for time in (one.ttft_ms, one.itl_ms)):
            raise InputError(f"{one.source}: ttft_ms and itl_ms must be positive numbers of milliseconds")
        known = METRICS_OF[question.mode]
        used = replace(
            one,
            ttft_ms=one.ttft_ms if "ttft_ms" in known else 0.0,
            itl_ms=one.itl_ms if "itl_ms" in known else 0.0,
        )
        if not used.ttft_ms and not used.itl_ms:
            raise InputError(f"{one.source} holds {_neither(question.mode)}")
        compared = Compared(used, float(estimates.ttft_ms[i]), float(estimates.itl_ms[i]))
        for metric in known:
            _check_offset(compared, metric)
        found.append(compared)
    return found


def _neither(mode: Mode) -> str:
    if mode == "agg":
        return "neither ttft_ms nor itl_ms"
    return f"no {METRICS_OF[mode][0]}, all that is measured of a {mode} worker"


def _check_offset(compared: Compared, metric: str) -> None:
    one, offset = compared.measurement, compared.offset(metric)
    if offset is not None and abs(offset) > IMPLAUSIBLE:
        raise InputError(
            f"{one.source}: {metric} {getattr(one, metric):g} cannot be",
            f"the estimate is {getattr(compared, metric):.4g} ms",
            "is it in milliseconds, and of this deployment?",
        )


def _points(members: Sequence[Measurement]) -> Points:
    def column(name: str) -> FloatArray:
        return np.array([getattr(one.layout if name in LAYOUT else one, name) for one in members], dtype=np.float64)

    return Points.of(**{name: column(name) for name in (*LAYOUT, "isl", "osl", "concurrency")})


def _system(question: Question) -> System:
    # By shape and format: the name, the context limit and the KV cache's format do not change what the error is.
    model = replace(question.model, name="", context=1, kv_dtype="bf16")
    return model, question.gpu.sku, str(question.backend)
