"""Measured tables of single operations: Parquet members of the wheel, read as columns.

A table stands under systems/data/<GPU>/<family>/<engine>/<version>/<table>.parquet; latencies are in milliseconds,
those of DeepEP in microseconds, messages of collectives in elements of 16 bit.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
from numpy.typing import NDArray

from profiler.hardware import Gpu, gpu

Columns = dict[str, NDArray[Any]]

# What the wheel calls them, and the GPU. A GB300 is a GB200 with other 4-bit arithmetic (NVIDIA GB300 NVL72 data
# sheet); it is no SKU here, but measured.
GPUS: dict[str, Gpu] = {
    "a100_sxm": gpu("a100_sxm"),
    "l40s": gpu("l40s"),
    "h100_sxm": gpu("h100_sxm"),
    "h200_sxm": gpu("h200_sxm"),
    "b200_sxm": gpu("b200_sxm"),
    "b300_sxm": gpu("b300_sxm"),
    "gb200": gpu("gb200_sxm"),
    "gb300": replace(gpu("gb200_sxm"), sku="gb300", fp4_flops=1.5e16),
}
ENGINES = ("vllm", "sglang", "trtllm")
# The releases whose tables are complete; others hold a few models each. Where a GPU has none of these, its newest.
COMPLETE = {"vllm": "0.24.0", "sglang": "0.5.14", "trtllm": "1.3.0rc20"}


@dataclass(frozen=True)
class Tables:
    """The wheel's tables."""

    path: Path

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.path)

    @cached_property
    def _members(self) -> tuple[str, ...]:
        return tuple(name for name in self._archive.namelist() if name.endswith(".parquet"))

    def read(self, system: str, family: str, engine: str, table: str) -> Columns | None:
        """Its columns, of the complete release or else the newest; None where this was not measured."""
        pattern = re.compile(rf".*systems/data/{system}/{family}/{engine}/([^/]+)/{table}\.parquet")
        found = {match[1]: match[0] for name in self._members if (match := pattern.fullmatch(name))}
        if not found:
            return None
        release = COMPLETE.get(engine, "")
        return self._columns(found[release if release in found else max(found, key=_by_number)])

    def releases(self, system: str, family: str, engine: str, table: str) -> Iterable[Columns]:
        """The columns of every release that has it, the oldest first."""
        pattern = re.compile(rf".*systems/data/{system}/{family}/{engine}/([^/]+)/{table}\.parquet")
        found = {match[1]: match[0] for name in self._members if (match := pattern.fullmatch(name))}
        return (self._columns(found[release]) for release in sorted(found, key=_by_number))

    def _columns(self, member: str) -> Columns:
        content = parquet.read_table(io.BytesIO(self._archive.read(member)))
        return {name: _column(content[name]) for name in content.column_names}


def take(columns: Columns, rows: NDArray[np.bool_]) -> Columns:
    """Those rows."""
    return {name: column[rows] for name, column in columns.items()}


def _column(values: Any) -> NDArray[Any]:
    column = values.to_numpy()
    return column.astype(np.float64) if np.issubdtype(column.dtype, np.number) else column.astype(str)


def _by_number(release: str) -> list[tuple[bool, int, str]]:
    """Releases in order: 1.3.0rc9 before 1.3.0rc20."""
    parts = re.findall(r"\d+|[a-z]+", release)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
