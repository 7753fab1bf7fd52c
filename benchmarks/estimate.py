"""Speed of the estimator on one core: `python -m benchmarks.estimate`. Exits 1 where it breaks a limit.

The first version, which had no chunks and took remainders to check layouts, needed 0.46 to 0.64 s for a million points
(1.8 to 2.2 times as long), 0.6 ms for one, and 0.37 GiB, on the same machine in the same hour.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from profiler.estimate import Points, aggregated
from profiler.hardware import gpu
from profiler.models import load

POINTS = 1_000_000
LIMITS = {
    "a million points": (1.0, "s"),
    "their memory": (1.0, "GiB"),
    "one point": (5.0, "ms"),
    "import": (200.0, "ms"),
}


def best(run: Callable[[], object], times: int) -> float:
    """CPU seconds of the quickest of several runs: what it takes on one core, whatever else the machine does."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def imported(module: str) -> float:
    """CPU seconds that importing a module takes in a process of its own; the quickest of several."""
    code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    command = [sys.executable, "-c", code]
    return min(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(10))


def main() -> int:
    """Measure, print, compare."""
    one = Points.of(isl=4000, osl=500, concurrency=32, tp=8, moe_ep=8)
    many = Points.of(
        isl=np.linspace(100, 8000, POINTS), osl=500, concurrency=np.linspace(1, 512, POINTS), tp=8, moe_ep=8
    )
    broken, h200 = 0, gpu("h200_sxm")
    for name in ("Qwen/Qwen3-30B-A3B", "deepseek-ai/DeepSeek-R1", "meta-llama/Llama-3.1-70B"):
        ask = partial(aggregated, load(name), h200, "sglang")
        if not load(name).is_moe:
            one, many = (replace(points, moe_ep=np.ones(len(points))) for points in (one, many))
        broken += shown(f"{name}: a million points", best(lambda: ask(many), 3), *LIMITS["a million points"])  # noqa: B023
        broken += shown(f"{name}: one point", 1e3 * best(lambda: ask(one), 20), *LIMITS["one point"])  # noqa: B023
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    broken += shown("peak memory, inputs and answers included", peak, *LIMITS["their memory"])
    broken += shown("import of the estimator, numpy included", 1e3 * imported("profiler.estimate"), *LIMITS["import"])
    print(f"{'  of which numpy':<52} {1e3 * imported('numpy'):8.3f} ms")
    return int(broken > 0)


def shown(what: str, value: float, limit: float, unit: str) -> bool:
    """Print one figure as a share of its limit; whether it is broken."""
    print(f"{what:<52} {value:8.3f} {unit:<4} {value / limit:6.0%} of {limit:g} {unit}")
    return value > limit


if __name__ == "__main__":
    sys.exit(main())
