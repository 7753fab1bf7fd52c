"""Lines of an answer that has no end, and a way to end it from another thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

_BLOCK = 1 << 16


class Stream(Iterator[bytes]):
    """Iterates lines without their newline, each as soon as it is complete. `close` may be called from any thread.

    Raises what `explain` makes of a broken connection; a line that was cut is never handed out as if it were whole.
    """

    def __init__(self, answer: BaseHTTPResponse, explain: Callable[[Exception], Exception]) -> None:
        self._answer, self._explain = answer, explain
        self._lines: list[bytes] = []
        self._rest = b""
        self._closed = threading.Event()  # set by any thread
        self._reading = threading.Lock()

    def __next__(self) -> bytes:
        while not self._lines:
            block = self._read()
            if not block:
                last, self._rest = b"" if self._closed.is_set() else self._rest, b""
                self.close()
                if last:
                    return last
                raise StopIteration
            *lines, self._rest = (self._rest + block).split(b"\n")
            self._lines = lines[::-1]
        return self._lines.pop()

    def _read(self) -> bytes:
        with self._reading:
            if self._closed.is_set():
                return b""
            try:
                return self._answer.read1(_BLOCK)
            except (HTTPError, OSError, ValueError) as error:
                if self._closed.is_set():
                    return b""
                raise self._explain(error) from error

    def close(self) -> None:
        """End the stream and its connection; a thread that waits for the next line gets StopIteration."""
        if self._closed.is_set():
            return
        self._closed.set()
        # Wakes a reader in another thread, which closing alone would not; fails where the connection has ended already.
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            self._answer.shutdown()
        if self._reading.acquire(timeout=1):
            try:
                self._answer.close()
            finally:
                self._reading.release()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
