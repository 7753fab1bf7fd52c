"""Status of a DGDR as pure functions: conditions, and Succeeded as the sum of the others.

Types, reasons and messages are those of the Dynamo 1.2 operator, which scripts and dashboards read.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crds.vocabulary import Condition, Phase, ProfilingPhase

Status = dict[str, Any]


@dataclass(frozen=True)
class Note:
    """An Event to be: `type` is Normal or Warning."""

    type: str
    reason: str
    message: str


def normal(reason: str, message: str) -> Note:
    """An event about something that went as it should."""
    return Note("Normal", reason, message)


def warning(reason: str, message: str) -> Note:
    """An event about something that a person may have to act on."""
    return Note("Warning", reason, message)


def timestamp(now: datetime) -> str:
    """Kubernetes' time format, in seconds."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(status: Status, type_: Condition) -> dict[str, Any] | None:
    """The condition of a type, if it is there."""
    return next((c for c in status.get("conditions", []) if c.get("type") == type_), None)


def with_condition(
    status: Status, type_: Condition, value: bool, reason: str, message: str, *, generation: int, now: datetime
) -> Status:
    """A copy of `status` with one condition set; its transition time moves only when its value does."""
    new = copy.deepcopy(status)
    old = condition(new, type_)
    text = "True" if value else "False"
    entry = {
        "type": str(type_),
        "status": text,
        "reason": reason,
        "message": message[:32768],
        "observedGeneration": generation,
        "lastTransitionTime": old["lastTransitionTime"] if old and old.get("status") == text else timestamp(now),
    }
    others = [c for c in new.get("conditions", []) if c.get("type") != type_]
    position = next((i for i, c in enumerate(new.get("conditions", [])) if c.get("type") == type_), len(others))
    new["conditions"] = [*others[:position], entry, *others[position:]]
    return new


_SUCCEEDED = {
    Phase.PENDING: (False, "Pending", "DGDR is pending"),
    Phase.PROFILING: (False, "Profiling", "Profiling is in progress"),
    Phase.READY: (True, "SpecGenerated", "Profiling complete, spec available"),
    Phase.DEPLOYING: (False, "Deploying", "Deployment is in progress"),
    Phase.DEPLOYED: (True, "Deployed", "Deployment is healthy"),
}
_FAILURE_PREFIXES = {
    Condition.VALIDATION: "Validation failed: ",
    Condition.PROFILING: "Profiling failed: ",
    Condition.SPEC_GENERATED: "Spec generation failed: ",
    Condition.DEPLOYMENT_READY: "Deployment failed: ",
}


def with_succeeded(status: Status, *, generation: int, now: datetime) -> Status:
    """A copy of `status` with Succeeded derived from the phase and, in Failed, from the condition that failed."""
    phase = Phase(status["phase"])
    value, reason, message = _SUCCEEDED.get(phase) or _failure(status)
    return with_condition(status, Condition.SUCCEEDED, value, reason, message, generation=generation, now=now)


def _failure(status: Status) -> tuple[bool, str, str]:
    for type_, prefix in _FAILURE_PREFIXES.items():
        found = condition(status, type_)
        if found and found.get("status") == "False" and found.get("message"):
            return False, found["reason"], prefix + found["message"]
    return False, "Failed", "DGDR has failed"


def profiling_reason(phase: str) -> str:
    """Reason of the Profiling condition while the profiler is in `phase`."""
    return "Completed" if phase == ProfilingPhase.DONE else phase


def profiling_failed_reason(phase: str | None) -> str:
    """Reason of the Profiling condition when the profiler failed in `phase`."""
    return f"{phase}Failed" if phase else "ProfilingFailed"
