"""Aligned columns. Nothing is cut when the output is piped; on a terminal, text wraps inside its column."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kubectl_dynamo.views.style import Color, Style

GAP = "  "
COMFORTABLE_WRAP = 16  # below this, optional columns go
NARROWEST_WRAP = 10


@dataclass(frozen=True)
class Column:
    """`right` aligns numbers; the `wraps` column takes the width that is left; `optional` ones go first."""

    title: str
    right: bool = False
    wraps: bool = False
    optional: bool = False


class Cell(NamedTuple):
    """A text with a colour."""

    text: str
    color: Color | None = None


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | Cell]],
    style: Style | None = None,
    *,
    indent: str = "  ",
    gap: int = 2,
) -> str:
    """Rows under their titles, each line at most `style.width` wide where the columns allow it.

    Without a style: every column, no wrapping, no colour.
    """
    cells = [[Cell(style.plain(c.text), c.color) if style else c for c in map(_cell, row)] for row in rows]
    chosen = list(range(len(columns)))
    widths = [
        max([len(column.title), *(len(row[i].text) for row in cells)], default=0) for i, column in enumerate(columns)
    ]
    if style:
        chosen, widths = _fit(columns, widths, style.width - len(indent), gap)
    titles = [Cell(columns[i].title, Color.DIM) for i in range(len(columns))]
    lines: list[str] = []
    for row in [titles, *cells]:
        lines += _lines([row[i] for i in chosen], [columns[i] for i in chosen], [widths[i] for i in chosen], style, gap)
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def _cell(value: str | Cell) -> Cell:
    return value if isinstance(value, Cell) else Cell(value)


def _fit(columns: Sequence[Column], widths: list[int], width: int, gap: int) -> tuple[list[int], list[int]]:
    """The columns that stay and the width of each."""
    chosen = list(range(len(columns)))
    wraps = next((i for i, column in enumerate(columns) if column.wraps), None)

    def spare() -> int:
        fixed = sum(widths[i] for i in chosen if i != wraps)
        return width - fixed - gap * (len(chosen) - 1)

    wanted = 0 if wraps is None else min(widths[wraps], COMFORTABLE_WRAP)
    for i in reversed(range(len(columns))):
        if columns[i].optional and spare() < wanted:
            chosen.remove(i)
    if wraps is None:
        return chosen, widths
    room = max(spare(), min(wanted, NARROWEST_WRAP))
    return chosen, [min(w, room) if i == wraps else w for i, w in enumerate(widths)]


def _lines(row: list[Cell], columns: list[Column], widths: list[int], style: Style | None, gap: int) -> list[str]:
    parts = [
        textwrap.wrap(cell.text, width) or [""] if column.wraps and style else [cell.text]
        for cell, column, width in zip(row, columns, widths, strict=True)
    ]
    lines = []
    for line in range(max(len(part) for part in parts)):
        texts = []
        for part, cell, column, width in zip(parts, row, columns, widths, strict=True):
            text = part[line] if line < len(part) else ""
            padded = f"{text:>{width}}" if column.right else f"{text:<{width}}"
            texts.append(padded.replace(text, style.paint(text, cell.color), 1) if style and text else padded)
        lines.append((" " * gap).join(texts))
    return lines


def fields(pairs: Iterable[tuple[str, str]], style: Style, *, indent: str = "  ") -> str:
    """`label  text` lines; long texts wrap under themselves."""
    shown = [(label, style.plain(text)) for label, text in pairs]
    label_width = max((len(label) for label, _ in shown), default=0)
    lines: list[str] = []
    for label, text in shown:
        margin = len(indent) + label_width + len(GAP)
        wrapped = textwrap.wrap(text, max(style.width - margin, NARROWEST_WRAP), break_on_hyphens=False) or [""]
        lines.append(f"{indent}{style.paint(f'{label:<{label_width}}', Color.DIM)}{GAP}{wrapped[0]}".rstrip())
        lines += [" " * margin + rest for rest in wrapped[1:]]
    return "\n".join(lines)


def paragraph(text: str, style: Style, *, indent: str = "  ") -> str:
    """A text wrapped to the width."""
    return textwrap.fill(
        style.plain(text), style.width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
