"""A table of points as CSV: one point a row, read as people and spreadsheets write it, written back with its answers.

`profiler.points.cells` says what the columns may hold, `profiler.points.answers` what is found.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crds.errors import InputError
from crds.fields import did_you_mean

COLUMNS: Final = (
    "model",
    "gpu_sku",
    "backend",
    "quantization",
    "kv_cache_dtype",
    "mode",
    "tp",
    "pp",
    "dp",
    "moe_tp",
    "moe_ep",
    "isl",
    "osl",
    "concurrency",
    "arrival",
    "admission_wait_steps",
    "request_rate",
)
NUMBERS_FOUND: Final = (
    "ttft_ms",
    "ttft_ms_low",
    "ttft_ms_high",
    "itl_ms",
    "itl_ms_low",
    "itl_ms_high",
    "throughput_per_gpu",
    "throughput_per_gpu_low",
    "throughput_per_gpu_high",
    "memory_gib",
)
MORE_FOUND: Final = ("ttft_p90_ms", "in_flight")
FOUND: Final = (*NUMBERS_FOUND, "provenance", "reason", *MORE_FOUND)
REQUIRED: Final = ("model", "gpu_sku")
FLAGS: Final = {"ep": "moe_ep"}  # flags of the command line whose names do not resemble their columns'
EXAMPLE: Final = "start the file with a line such as: model,gpu_sku,backend,tp,isl,osl,concurrency"


@dataclass(frozen=True)
class Table:
    """Rows of text under a header. `names` are the header's in lower case; every row is as long as the header.

    `faults` says, by row, where a row of the file had more cells than the header.
    """

    header: tuple[str, ...]
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    faults: Mapping[int, str]

    @classmethod
    def of(cls, cells: Mapping[str, str]) -> Table:
        """A table of one row."""
        names = tuple(cells)
        return cls(names, names, (tuple(cells.values()),), {})

    def filled(self, cells: Mapping[str, str]) -> Table:
        """The same rows with these cells in each, whatever the columns held before."""
        kept = [place for place, name in enumerate(self.names) if name not in cells]
        return Table(
            (*(self.header[place] for place in kept), *cells),
            (*(self.names[place] for place in kept), *cells),
            tuple((*(row[place] for place in kept), *cells.values()) for row in self.rows),
            self.faults,
        )

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str, default: str = "") -> Sequence[str]:
        """The cells of a column without blanks around them, `default` where they are empty or the column is absent."""
        if name not in self.names:
            return [default] * len(self.rows)
        place = self.names.index(name)
        return [row[place].strip() or default for row in self.rows]


def read(data: bytes, source: str, *, given: Sequence[str] = ()) -> Table:
    """The table of a CSV file with a header. Blank lines are skipped, columns of any other name are kept.

    `given` names the columns that the caller has a value for, which the file may leave out. Raises InputError where
    the file is not text, not CSV, has no header or not the columns that nothing stands in for.
    """
    header, *rows = _lines(data, source) or [[]]
    names = tuple(_canonical(name) for name in header)
    _check_header(names, ",".join(header), source, given)
    width = len(header)
    faults = {
        number: f"the row has {len(row)} cells, the header {width}"
        for number, row in enumerate(rows)
        if len(row) > width
    }
    padded = (tuple(row[:width]) + ("",) * (width - len(row)) for row in rows)
    return Table(tuple(header), names, tuple(padded), faults)


def _lines(data: bytes, source: str) -> list[list[str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: is not text in UTF-8", str(error), "save it as CSV in UTF-8") from error
    plain = text.replace("\r\n", "\n").replace("\r", "\n")  # csv would write a bare \r unquoted, and not read it again
    reader = csv.reader(io.StringIO(plain, newline=""), strict=True)
    try:
        return [row for row in reader if row]
    except csv.Error as error:
        raise InputError(f"{source}: line {reader.line_num} is not CSV", str(error)) from error


def _canonical(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").split())


def _check_header(names: Sequence[str], line: str, source: str, given: Sequence[str]) -> None:
    if not names:
        raise InputError(f"{source}: it is empty", next=EXAMPLE)
    if not set(names) & {*COLUMNS, *FOUND}:
        advice = "separate the cells by commas" if any(sign in line for sign in ";\t|") else EXAMPLE
        raise InputError(f"{source}: its first line is not a header", f"it says {line[:80]}", advice)
    twice = next((name for name in COLUMNS if names.count(name) > 1), None)
    if twice:
        raise InputError(f'{source}: two columns are called "{twice}"')
    missing = next((name for name in REQUIRED if name not in names and name not in given), None)
    if missing:
        near = did_you_mean(missing, [name for name in names if name not in COLUMNS])
        advice = f'is it the one called "{near}"?' if near else f"the columns are {', '.join(names)}"
        raise InputError(f'{source}: has no column "{missing}"', advice)


def misspelt(table: Table, known: Sequence[str] = COLUMNS) -> dict[str, str]:
    """Columns that are not read but look as if they were meant to be, with the one of `known` that they resemble."""
    absent = [name for name in known if name not in table.names]
    others = [name for name in table.names if name not in COLUMNS and name not in FOUND]
    near = {name: meant(name, absent) for name in others}
    return {name: column for name, column in near.items() if column in absent}


def meant(name: str, known: Sequence[str] = COLUMNS) -> str | None:
    """The column that is meant by the name of its flag, or nearly by its own; None where there is none."""
    return FLAGS.get(name) or did_you_mean(name, known)


def kept(table: Table) -> list[int]:
    """The places of the columns that stand before the answers; old answers give way to new ones."""
    return [place for place, name in enumerate(table.names) if name not in FOUND]


def to_csv(table: Table, found: Mapping[str, Sequence[Any]]) -> str:
    """The table with its answers behind it, row by row; numbers with six digits, empty where there is no answer."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    places = kept(table)
    writer.writerow([*(table.header[place] for place in places), *FOUND])
    columns = [[row[place] for row in table.rows] for place in places]
    columns += [_texts(found[name]) for name in FOUND]
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def to_rows(table: Table, found: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The same as one mapping per row, with numbers as numbers."""
    places = kept(table)
    return [
        {table.names[place]: row[place].strip() for place in places} | {name: found[name][number] for name in FOUND}
        for number, row in enumerate(table.rows)
    ]


def _texts(values: Sequence[Any]) -> list[str]:
    return ["" if value is None else value if isinstance(value, str) else f"{value:.6g}" for value in values]
