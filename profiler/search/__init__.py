"""Every deployment worth considering for a request: one row each, as numpy columns (`Candidates`).

`deployments` combines engines (`engines`, of the `layouts` that a model allows) into aggregated replicas and into pools
of prefill and decode workers (`disaggregated`), packed onto nodes (`packing`); `sizing` says what would do where
nothing fits, `needs` what a model takes on each kind of GPU.
"""

from profiler.search.columns import Candidates
from profiler.search.deployments import candidates
from profiler.search.layouts import Shape

__all__ = ["Candidates", "Shape", "candidates"]
