"""A work queue keyed by object: one worker at a time per key, changes while it works run it again, errors back off."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

FIRST_BACKOFF_SECONDS = 0.5
LAST_BACKOFF_SECONDS = 60.0


class WorkQueue(Generic[Key]):
    """Keys that are due. `clock` is monotonic seconds, injected by tests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}
        self._working: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._order = 0
        self._closed = False

    def add(self, key: Key, after: float = 0.0) -> None:
        """Make `key` due in `after` seconds, or earlier if it already was."""
        with self._changed:
            due = self._clock() + after
            if key in self._due and self._due[key] <= due:
                return
            self._due[key] = due
            self._order += 1
            heapq.heappush(self._heap, (due, self._order, key))
            self._changed.notify()

    def take(self) -> Key | None:
        """The next key that is due, waiting for one; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                key = self._next()
                if key is not None:
                    self._working.add(key)
                    return key
                self._changed.wait(self._patience())
            return None

    def done(self, key: Key, *, failed: bool = False) -> None:
        """`key` has been worked on. A failure makes it due again, later each time."""
        with self._changed:
            self._working.discard(key)
            if not failed:
                self._failures.pop(key, None)
            self._changed.notify()
        if failed:
            count = self._failures[key] = self._failures.get(key, 0) + 1
            self.add(key, min(FIRST_BACKOFF_SECONDS * 2 ** (count - 1), LAST_BACKOFF_SECONDS))

    def close(self) -> None:
        """Let every waiting worker go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> Key | None:
        """Pop the first key that is due and not being worked on; stale heap entries are dropped on the way."""
        held: list[tuple[float, int, Key]] = []
        found: Key | None = None
        while self._heap and self._heap[0][0] <= self._clock():
            entry = heapq.heappop(self._heap)
            due, _, key = entry
            if self._due.get(key) != due:
                continue
            if key in self._working:
                held.append(entry)
                continue
            del self._due[key]
            found = key
            break
        for entry in held:
            heapq.heappush(self._heap, entry)
        return found

    def _patience(self) -> float | None:
        """Seconds until the next key is due; None (until notified) where only busy keys or none are left."""
        times = [due for due, _, key in self._heap if self._due.get(key) == due and key not in self._working]
        return max(0.0, min(times) - self._clock()) if times else None
