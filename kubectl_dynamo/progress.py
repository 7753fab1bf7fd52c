"""What a command is doing, for a person who watches: one line on stderr that is gone when it is done."""

from __future__ import annotations

from types import TracebackType
from typing import TextIO

CLEAR = "\r\x1b[2K"


class Progress:
    """A line that each step replaces; nothing at all where stderr is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = stream.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write(CLEAR)

    def step(self, text: str) -> None:
        """Say what happens now."""
        self._write(f"{CLEAR}{text} ...")

    def _write(self, text: str) -> None:
        if self._shown:
            self._stream.write(text)
            self._stream.flush()
