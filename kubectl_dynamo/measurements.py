"""`--measured FILE[,COLUMN=VALUE...]`: what a user measured, read for the commands that take it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crds.errors import InputError
from kubectl_dynamo.inputs import content, source_of

if TYPE_CHECKING:
    from profiler.points.measured import Measurements

F = TypeVar("F", bound=Callable[..., Any])


def measured_option(command: F) -> F:
    """Add `--measured`."""
    option = click.option(
        "--measured",
        "measured_files",
        metavar="FILE[,COLUMN=VALUE...]",
        type=click.Path(),
        multiple=True,
        help="What you measured: CSV or AIPerf's export, and what that leaves open; may be repeated",
    )
    return option(command)


def read(given: Sequence[str], **rest: Any) -> Measurements | None:
    """The measurements of all files, None without any; `rest` is for `profiler.points.measured_files.read`."""
    if not given:
        return None
    from profiler.points import measured_files  # numpy, only when there is something to compute

    files: dict[str, bytes] = {}
    cells: dict[str, Mapping[str, str]] = {}
    for text in given:
        path, own = _parts(text)
        source = source_of(path)
        if source in files:
            raise InputError(f"{source}: is given twice as --measured", "each of its points would count twice")
        files[source], cells[source] = content(path), own
    return measured_files.read(files, cells=cells, **rest)


def _parts(text: str) -> tuple[str, dict[str, str]]:
    """`run.json,tp=4` as a path and cells. Commas in the name of a file are left alone."""
    from profiler.points.tables import COLUMNS, meant

    path, *rest = re.split(r",(?=\w+=)", text)
    cells = {name: value for name, _, value in (part.partition("=") for part in rest)}
    for name, value in cells.items():
        if not value.strip():
            advice = f"write {name}=VALUE or leave it out"
            raise InputError(f"--measured {text}: says nothing after {name}=", next=advice)
        if name not in COLUMNS:
            near = meant(name)
            hint = f"did you mean {near}?" if near else f"the columns are {', '.join(COLUMNS)}"
            raise InputError(f'--measured {text}: no column is called "{name}"', next=hint)
    return path, cells
