"""Speed of the estimator, on one core, against its limits: python -m benchmarks.estimate. Exits 1 where a limit is broken."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable

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


def imported() -> float:
    """CPU seconds that importing the estimator takes, numpy included."""
    code = "import time; t = time.process_time(); import profiler.estimate; print(time.process_time() - t)"
    command = [sys.executable, "-c", code]
    return min(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(5))


def main() -> int:
    """Measure, print, compare."""
    one = Points.of(isl=4000, osl=500, concurrency=32, tp=8, moe_ep=8)
    many = Points.of(
        isl=np.linspace(100, 8000, POINTS), osl=500, concurrency=np.linspace(1, 512, POINTS), tp=8, moe_ep=8
    )
    broken = 0
    for name in ("Qwen/Qwen3-30B-A3B", "deepseek-ai/DeepSeek-R1", "meta-llama/Llama-3.1-70B"):
        model, h200 = load(name), gpu("h200_sxm")
        if not model.is_moe:
            one, many = (Points.of(isl=p.isl, osl=p.osl, concurrency=p.concurrency, tp=8) for p in (one, many))
        seconds = best(lambda m=model, p=many: aggregated(m, h200, "sglang", p), 3)  # type: ignore[misc]
        single = best(lambda m=model, p=one: aggregated(m, h200, "sglang", p), 20)  # type: ignore[misc]
        broken += shown(f"{name}: a million points", seconds, *LIMITS["a million points"])
        broken += shown(f"{name}: one point", 1e3 * single, *LIMITS["one point"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    broken += shown("peak memory, inputs and answers included", peak, *LIMITS["their memory"])
    broken += shown("import of the estimator", 1e3 * imported(), *LIMITS["import"])
    return int(broken > 0)


def shown(what: str, value: float, limit: float, unit: str) -> bool:
    """Print one figure as a share of its limit; whether it is broken."""
    print(f"{what:<52} {value:8.3f} {unit:<4} {value / limit:6.0%} of {limit:g} {unit}")
    return value > limit


if __name__ == "__main__":
    sys.exit(main())
