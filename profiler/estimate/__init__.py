"""How fast an engine serves a model on a GPU, and how far to trust the number: roofline steps, a closed-form queue.

Columns in (`Points`), columns out (`Estimates`); every number is finite, and a point without an answer says why.
"""

from profiler.estimate.coefficients import Arrival, pool_powers, usual_kv_dtype
from profiler.estimate.door import aggregated, breakdown, decode, first_token_breakdown, prefill
from profiler.estimate.points import REASONS, TOO_LARGE, Estimates, FloatArray, Points, Reason
from profiler.estimate.transfer import handover_ms, kv_transfer_ms

__all__ = [
    "REASONS",
    "TOO_LARGE",
    "Arrival",
    "Estimates",
    "FloatArray",
    "Points",
    "Reason",
    "aggregated",
    "breakdown",
    "decode",
    "first_token_breakdown",
    "handover_ms",
    "kv_transfer_ms",
    "pool_powers",
    "prefill",
    "usual_kv_dtype",
]
