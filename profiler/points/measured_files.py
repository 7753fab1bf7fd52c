"""A user's measurements out of files: CSV with the columns of a point and its times, or AIPerf's export."""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from crds.errors import InputError
from profiler.estimate import Points
from profiler.hardware import Gpu
from profiler.models import Model
from profiler.points import tables
from profiler.points.aiperf import table as aiperf_table
from profiler.points.cells import Rows, understand
from profiler.points.measured import METRICS, Measurement, Measurements
from profiler.points.questions import Question
from profiler.points.rates import Load
from profiler.points.tables import Table
from profiler.profile import LAYOUT, Layout

MOST_LINES: Final = 10_000  # of a file; more are a log of requests, not measured points
INSTEAD: Final = {"concurrency": "request_rate"}  # columns that say as much as another one


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
    for name, meant in tables.misspelt(table, (*tables.COLUMNS, *METRICS)).items():
        # Its value would silently be another one, and every estimate be corrected by it.
        raise InputError(f'{source}: a column is called "{name}"', next=f"did you mean {meant}?")
    for name in required:
        cells, others = (table.column(column, given.get(column, "")) for column in (name, INSTEAD.get(name, name)))
        if not all(cell or other for cell, other in zip(cells, others, strict=True)):
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
