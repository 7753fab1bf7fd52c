"""What to do next for one request. Every step follows from what the cluster holds, and status is written last.

So a step that was cut short is taken again: objects have names that derive from the request, and creating one that is
already there is no error as long as it is ours.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from crds import vocabulary as v
from crds.errors import Conflict
from crds.kube.resources import DGDR
from profiler.controller import states
from profiler.controller.deploying import deploying
from profiler.controller.events import Recorder
from profiler.controller.pending import pending
from profiler.controller.profiling import profiling
from profiler.controller.states import warning
from profiler.controller.step import RETRY_SECONDS, Step, Tools

log = logging.getLogger(__name__)

STEPS = {
    v.Phase.PENDING: pending,
    v.Phase.PROFILING: profiling,
    v.Phase.DEPLOYING: deploying,
    v.Phase.DEPLOYED: deploying,
}
SPEC_CHANGED = (
    "Cannot modify spec in phase '{phase}'. DynamoGraphDeploymentRequest is immutable once profiling starts. "
    "Create a new resource with a different name instead."
)


class Reconciler:
    """Moves requests through their phases, one step a call."""

    def __init__(self, tools: Tools, *, now: Callable[[], datetime]) -> None:
        self._tools, self._now = tools, now
        self._recorder = Recorder(tools.cluster, now)

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Take the next step for a request; returns seconds after which to look again, None to wait for a change.

        Raises ClusterError where the cluster cannot be read or written; the caller retries with backoff.
        """
        dgdr = self._tools.cluster.find(DGDR, name, namespace=namespace)
        if dgdr is None or dgdr["metadata"].get("deletionTimestamp"):
            return None  # what it owns is garbage-collected, its DGD outlives it
        step = Step(dgdr, dict(dgdr.get("status") or {}), self._now())
        if _spec_changed(step):
            self._recorder.record(dgdr, warning("SpecChangeRejected", SPEC_CHANGED.format(phase=step.phase)))
            return None
        take = STEPS.get(step.phase)
        if take is None:  # Ready and Failed are where a request stays
            return None
        again = take(step, self._tools)
        try:
            self._commit(step)
        except Conflict:
            return RETRY_SECONDS  # somebody wrote in between: look again at what is there now
        return again

    def _commit(self, step: Step) -> None:
        status = states.with_succeeded(step.status, generation=step.generation, now=step.now)
        if status == (step.dgdr.get("status") or {}):
            return
        for note in step.notes:
            self._recorder.record(step.dgdr, note)
        self._tools.cluster.update(DGDR, {**step.dgdr, "status": status}, subresource="status")
        log.info("%s/%s is %s", step.namespace, step.name, status["phase"])


def _spec_changed(step: Step) -> bool:
    seen = step.status.get("observedGeneration") or 0
    return step.phase in v.FROZEN_PHASES and 0 < seen != step.generation
