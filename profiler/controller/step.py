"""One pass over one request: the object as read, the status being built, and the events to record with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crds import vocabulary as v
from crds.kube.resources import Cluster
from profiler.controller import states
from profiler.controller.jobs import JobSettings
from profiler.controller.states import Note, Status, warning
from profiler.discovery.pools import Discovery

FIELD_MANAGER = "dgdr-controller"
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Tools:
    """What a step works with: the cluster, its GPUs, the settings of profiling pods."""

    cluster: Cluster
    discover: Callable[[], Discovery]
    settings: JobSettings


@dataclass
class Step:
    """The request as it was read, and what this pass makes of its status. Nothing is written before the pass ends."""

    dgdr: dict[str, Any]
    status: Status
    now: datetime
    notes: list[Note] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the request."""
        return str(self.dgdr["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Namespace of the request, and of everything made for it."""
        return str(self.dgdr["metadata"]["namespace"])

    @property
    def generation(self) -> int:
        """The generation of the spec that was read."""
        return int(self.dgdr["metadata"]["generation"])

    @property
    def phase(self) -> v.Phase:
        """Phase so far; a request that nobody has touched is Pending."""
        return v.Phase(self.status.get("phase") or v.Phase.PENDING)

    def enter(self, phase: v.Phase) -> None:
        """Move to a phase."""
        self.status["phase"] = str(phase)

    def set(self, type_: v.Condition, value: bool, reason: str, message: str) -> None:
        """Set a condition."""
        self.status = states.with_condition(
            self.status, type_, value, reason, message, generation=self.generation, now=self.now
        )

    def note(self, note: Note) -> None:
        """Record an event when the pass ends."""
        self.notes.append(note)

    def fail(self, type_: v.Condition, reason: str, message: str, event: str) -> None:
        """End in Failed: the condition says why, and so does a Warning event."""
        self.set(type_, False, reason, message)
        self.enter(v.Phase.FAILED)
        self.note(warning(event, message))
