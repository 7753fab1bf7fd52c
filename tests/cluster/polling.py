"""Waiting for what a controller does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(fn: Callable[[], T], timeout: float = 30.0, message: str = "", interval: float = 0.05) -> T:
    """Call `fn` until it returns something true, and return that.

    An AssertionError in `fn` counts as "not yet", so its body may be plain asserts that end in `return True`.
    Raises AssertionError after `timeout` seconds with `message` and the last value or failed assertion.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            value = fn()
            last = repr(value)
        except AssertionError as failure:
            value, last = None, f"AssertionError: {failure}"
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"{message or 'the condition did not hold'} within {timeout:g} s; last seen: {last}")
        time.sleep(interval)
