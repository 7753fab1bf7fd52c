"""What a planner can make of the pair of engines that it starts with, within the GPU budget."""

from __future__ import annotations

import numpy as np

from profiler.request import Request
from profiler.search.columns import Candidates


def reachable_rate(found: Candidates, row: int, budget: int) -> float:
    """Most requests/s that `budget` GPUs serve with more of the same engines: each pool scaled for itself."""
    engines, engine = found.engines, found.engine[row]
    rate, gpus = float(engines.requests_per_s[engine]), int(engines.gpus[engine])
    if not found.disaggregated[row]:
        return budget // gpus * rate
    first = found.prefill[row]
    prompts, prefill_gpus = float(engines.requests_per_s[first]), int(engines.gpus[first])
    workers = np.arange(1, budget // prefill_gpus + 1)
    served = np.minimum(workers * prompts, (budget - workers * prefill_gpus) // gpus * rate)
    return float(served.max(initial=0.0))


def needed_gpus(request: Request, found: Candidates, row: int) -> int:
    """GPUs on which a planner serves the load that was asked with more of the same engines."""
    load, rate = request.workload, float(found.request_rate[row])
    asked = load.request_rate or (load.concurrency or 0.0) * rate / float(found.concurrency[row])
    engines, engine, first = found.engines, found.engine[row], found.prefill[row]
    pools = [engine, first] if found.disaggregated[row] else [engine]
    return int(sum(np.ceil(asked / engines.requests_per_s[pool]) * engines.gpus[pool] for pool in pools))


def shortfall(request: Request, found: Candidates, row: int) -> str | None:
    """A warning where the load that was asked is beyond what the planner can scale the pick to, else None."""
    load, budget = request.workload, request.hardware.total_gpus
    rate = float(found.request_rate[row])
    if request.planner is None or not (load.request_rate or load.concurrency):
        return None
    reach = max(rate, reachable_rate(found, row, budget))
    if load.request_rate:
        asked, unit, starts, most = load.request_rate, "requests/s", rate, reach
    else:
        in_flight = float(found.concurrency[row])
        asked, unit, starts, most = load.concurrency or 0.0, "requests in flight", in_flight, in_flight * reach / rate
    if most >= asked:
        return None
    return (
        f"the planner starts with {starts:.3g} {unit} and can scale to about {most:.3g} within {budget} GPUs, "
        f"but {asked:.6g} were asked; raise spec.hardware.totalGpus"
    )
