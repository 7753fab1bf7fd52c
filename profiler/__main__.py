"""`python -m profiler`: a profiling Job's program, in place of `python -m dynamo.profiler` of Dynamo 1.2."""

from __future__ import annotations

import signal
import sys

_pending: list[int] = []


def main(arguments: list[str] | None = None) -> int:
    """Run, and return the exit code (`profiler.wire`)."""
    from profiler import wire  # takes milliseconds, in which a signal may come already

    return wire.main(arguments, _pending)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda given, _frame: _pending.append(given))
    sys.exit(main())
