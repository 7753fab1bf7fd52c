"""How text may look: width, colour, glyphs. A glyph always stands beside a word: nothing rests on colour alone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

PIPED_WIDTH = 100
NARROWEST = 40
WIDEST = 200


class Color(StrEnum):
    """SGR codes of the 16-colour palette, which follow the terminal's own theme."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    BLUE = "34"
    MAGENTA = "35"
    CYAN = "36"
    STAR = "1;33"


class State(StrEnum):
    """How something stands."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    BUSY = "busy"


_MARKS = {
    State.OK: ("✓", "+", Color.GREEN),
    State.WARN: ("!", "!", Color.YELLOW),
    State.BAD: ("✗", "x", Color.RED),
    State.BUSY: ("…", "~", Color.CYAN),
}
_ASCII = str.maketrans({"≤": "<=", "≥": ">=", "–": "-", "×": "x", "·": ",", "…": "...", "┊": ":", "→": "->"})


class Stream(Protocol):
    """What is asked of an output stream."""

    def isatty(self) -> bool:
        """Whether a person watches."""


@dataclass(frozen=True)
class Style:
    """The look of one output stream. `width` is in columns."""

    width: int = 80
    color: bool = False
    unicode: bool = True

    @classmethod
    def of(cls, stream: Stream, environment: Mapping[str, str], color: str = "auto") -> Style:
        """The style of a stream: colour only for a terminal unless `color` says always or never.

        NO_COLOR (no-color.org) and TERM=dumb turn automatic colour off; width follows the terminal, 100 when piped.
        """
        tty = stream.isatty()
        automatic = tty and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
        width = (
            shutil.get_terminal_size((PIPED_WIDTH, 24)).columns if tty or environment.get("COLUMNS") else PIPED_WIDTH
        )
        return cls(
            width=min(max(width, NARROWEST), WIDEST),
            color=color == "always" or (color == "auto" and automatic),
            unicode=encoding.startswith("utf"),
        )

    def paint(self, text: str, color: Color | None) -> str:
        """The text in a colour, or as it is where colour is off."""
        return f"\x1b[{color}m{text}\x1b[0m" if self.color and color and text.strip() else text

    def bold(self, text: str) -> str:
        """A heading."""
        return self.paint(text, Color.BOLD)

    def mark(self, state: State) -> str:
        """The glyph of a state, in its colour; put a word beside it."""
        fancy, plain, color = _MARKS[state]
        return self.paint(fancy if self.unicode else plain, color)

    def plain(self, text: str) -> str:
        """The text with typographic signs spelt in ASCII where the stream cannot show them."""
        return text if self.unicode else text.translate(_ASCII).encode("ascii", "replace").decode()


STATE_COLORS = {state: color for state, (_, _, color) in _MARKS.items()}
