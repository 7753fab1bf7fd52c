"""Which candidate wins, why, and what would change that: goals, Pareto frontier, scaling to the load, sensitivity."""

from profiler.pick.choice import Pick, choose, no_candidate

__all__ = ["Pick", "choose", "no_candidate"]
