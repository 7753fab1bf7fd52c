"""What was known of each coefficient before any end-to-end row: the prior of the fit.

`Prior.spread` values are standard deviations of logarithms. They are a quarter of what one would call plausible:
leaving one model out, ITL errors fell from 15 to 11 % when priors were tightened that far (measured in the even rows).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log

from scripts.fit.operations import found

# Groupings whose factors start from the tables of single operations (scripts/fit/operations), and how far end-to-end
# rows may move those of families and GPUs: little, as leaving GPUs out says.
FROM_TABLES = ("family", "link", "gpu")
INFORMED = {"family": 0.01, "gpu": 0.005}
# Groupings that stage 2 gives factors of their own, and the spread of those: wide, as labels omit versions and flags.
LEVELS = {"architecture_and_engine": 0.3, "deployment": 0.5}


@dataclass(frozen=True)
class Prior:
    """A coefficient's typical value, its spread, and the spread of the factor of each group it may differ by."""

    middle: float
    spread: float
    groups: dict[str, float] = field(default_factory=dict)
    means: dict[tuple[str, str], float] = field(default_factory=dict)  # of log factors, where not 0
    # Share of the spread of LEVELS: less where a coefficient is close to a hard limit, and where it must hold for other
    # layouts of a deployment than those that were measured (pools of prefill and decode engines have such).
    freedom: float = 1.0


# Between what a resolved value stays, whatever groups and deployments multiply to: no kernel exceeds its GPU's peak,
# the busiest rank is no less busy than the mean, and what is far from the usual has another cause. Experts may seem to
# be read 1.5 times as fast, as popular ones let real batches touch fewer of them than even routing does.
LIMITS: dict[str, tuple[float, float]] = {
    "dense_compute": (0.1, 1.0),
    "dense_bandwidth": (0.2, 1.0),
    "expert_compute": (0.04, 1.0),
    "expert_bandwidth": (0.2, 1.5),
    "expert_imbalance": (1.0, 2.0),
    "decode_bandwidth": (0.15, 1.0),
    "decode_compute": (0.15, 1.0),
    "prefill_compute": (0.12, 1.0),
    "hop_us": (0.5, 30.0),
    "link_efficiency": (0.1, 1.0),
    "exchange_us": (3.0, 60.0),
    "link_sharing": (0.0, 2.0),
    "kernel_us": (1.2, 20.0),
    "streamed_bytes": (4.0, 64.0),
    "host_ms": (0.05, 1.2),
    "host_request_ms": (0.003, 0.15),
    "memory_use": (0.8, 0.98),
    "data_parallel_stall": (0.04, 1.0),
    "admission": (0.25, 1.5),
    "mixing": (0.4, 1.6),
    "first_token_ms": (3.0, 150.0),
    "first_token_steps": (0.5, 16.0),
    "prefill_factor": (0.4, 4.0),
    "queue_share": (0.008, 1.0),
    "queue_power": (0.7, 1.5),
    "memory_wait": (0.2, 3.0),
}


# What turns a roofline into a step; see `profiler.estimate.coefficients`.
_STEP = {
    "dense_compute": Prior(
        0.62,
        0.02,
        {"precision": 0.025, "family": 0.02, "engine": 0.025},
        {("precision", "bf16"): 0.2, ("precision", "fp8"): -0.15, ("precision", "fp4"): -0.4},
        freedom=0.6,
    ),
    "dense_bandwidth": Prior(0.85, 0.0125, {"precision": 0.015, "family": 0.015}, freedom=0.3),
    "expert_compute": Prior(0.35, 0.1, {"precision": 0.05, "family": 0.037, "engine": 0.05}, freedom=0.5),
    "expert_bandwidth": Prior(0.7, 0.0375, {"precision": 0.03, "family": 0.025, "engine": 0.03}, freedom=0.4),
    "expert_imbalance": Prior(1.1, 0.025, {"engine": 0.025}, freedom=0.4),
    "decode_bandwidth": Prior(0.7, 0.05, {"family": 0.025, "engine": 0.037}, freedom=0.5),
    "decode_compute": Prior(0.7, 0.05, freedom=0),
    "prefill_compute": Prior(0.5, 0.05, {"family": 0.025, "engine": 0.025}),
    "hop_us": Prior(2.5, 0.075, {"family": 0.037, "engine": 0.037}, freedom=0.4),
    "link_efficiency": Prior(0.5, 0.075, {"family": 0.037, "engine": 0.037}, freedom=0.5),
    "exchange_us": Prior(14.0, 0.1, freedom=0.4),
    "kernel_us": Prior(
        4.8,
        0.025,
        {"family": 0.03, "engine": 0.025, "engine_and_family": 0.03, "precision": 0.02, "attention": 0.037},
        freedom=0.5,
    ),
    "streamed_bytes": Prior(16.0, 0.075, {"precision": 0.037, "engine": 0.05}),
    "host_ms": Prior(0.3, 0.125, {"engine": 0.1}),
    "host_request_ms": Prior(0.01, 0.175, {"engine": 0.125}),
    "memory_use": Prior(0.9, 0.0075, freedom=0),
    "data_parallel_stall": Prior(0.3, 0.25, {"engine": 0.15}),
    "admission": Prior(0.9, 0.075, {"engine": 0.1}),
}
# Each load generator under each engine has values of its own; a burst is half a round of prefill, and half of the
# others are ahead (theory).
SERVING = {
    "mixing": Prior(1.0, 0.0125, {"source": 0.03}, {("source", "sglang|burst-lab"): -0.6}),
    "first_token_ms": Prior(20.0, 0.2, {"source": 0.25}),
    "first_token_steps": Prior(1.7, 0.15, {"source": 0.15}),
    "prefill_factor": Prior(1.3, 0.075, {"source": 0.125}),
    "queue_share": Prior(0.05, 0.15, {"source": 0.2}, {("source", "sglang|burst-lab"): 2.3}),
    "queue_power": Prior(1.0, 0.04, {"source": 0.04}, freedom=0.15),
    "memory_wait": Prior(0.8, 0.1, {"source": 0.1}),
}


def _informed(name: str, prior: Prior) -> Prior:
    """With the factors of families, links and GPUs that the tables of operations have for this coefficient."""
    effect = found.read()["effects"].get(name)
    if not effect:
        return prior
    means = {(level, key): log(factor) for level in FROM_TABLES for key, factor in effect[level].items()}
    return replace(prior, groups=prior.groups | INFORMED, means=prior.means | means)


STEP = {name: _informed(name, prior) for name, prior in _STEP.items()}
PRIORS = STEP | SERVING
