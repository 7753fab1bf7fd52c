"""What an update may change: nothing of the spec once profiling has begun."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from crds import vocabulary as v
from crds.fields import FieldError, forbidden, get

# Opaque to the API: an empty planner is a planner, so there only absent and null are the same.
_OPAQUE: Final = frozenset({("features", "planner"), ("overrides", "dgd")})

# Reasons of the condition Profiling that NVIDIA's operator sets before there is a Job, and when it cannot make one.
_BEFORE_PROFILING: Final = frozenset({"DiscoveringHardware", "JobCreationFailed"})


def unchanged(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Whether two objects ask for the same: empty and absent strings, lists and maps and nulls are equal.

    The first update by NVIDIA's operator drops empty values (Go's omitempty), so a second `kubectl apply` of the same
    file brings them back; and a refused update of the operator itself is fatal to the request.
    """
    return _same(new.get("spec"), old.get("spec"))


def _same(new: Any, old: Any, path: tuple[str, ...] = ()) -> bool:
    """Whether two values say the same. Side by side and not each in a normal form: most updates differ early."""
    if path in _OPAQUE:
        return bool(new == old)
    if isinstance(new, dict) and isinstance(old, dict):
        return all(_same(new.get(key), old.get(key), (*path, key)) for key in new.keys() | old.keys())
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(_same(*pair, (*path, "[]")) for pair in zip(new, old, strict=True))
    if isinstance(new, dict | list) or isinstance(old, dict | list):
        return _says_nothing(new, path) and _says_nothing(old, path)
    if isinstance(new, bool) or isinstance(old, bool):  # 1 is not true
        return new is old
    return bool((None if new == "" else new) == (None if old == "" else old))


def _says_nothing(value: Any, path: tuple[str, ...]) -> bool:
    if path in _OPAQUE:
        return value is None
    if isinstance(value, dict):
        return all(_says_nothing(item, (*path, key)) for key, item in value.items())
    return value is None or value in ("", [])


def profiling_had_begun(status: Mapping[str, Any]) -> bool:
    """Whether a Failed request failed after its profiling Job was made.

    Decided by what NVIDIA's operator was seen to write: it sets profilingJobName and profilingPhase together when it
    has made the Job and never takes the name back; a request that failed validation has no Profiling condition, one
    without hardware or whose Job was refused has JobCreationFailed. v1alpha1 has no profilingJobName, there the
    condition tells.
    """
    if status.get("profilingJobName") or status.get("profilingPhase"):
        return True
    conditions = status.get("conditions")
    return any(
        condition.get("type") == v.Condition.PROFILING and condition.get("reason") not in _BEFORE_PROFILING
        for condition in (conditions if isinstance(conditions, list) else [])
        if isinstance(condition, dict)
    )


def _phase(status: Mapping[str, Any]) -> Any:
    """The phase; v1alpha1 calls it state, and a deleted deployment leaves it as it was when Ready."""
    phase = status.get("phase") or status.get("state")
    return v.Phase.READY if phase == "DeploymentDeleted" else phase


def frozen(old: Mapping[str, Any]) -> Iterator[FieldError]:
    """The spec may not change any more (asked only where it did change)."""
    status = get(old, "status", {})
    if not isinstance(status, dict):
        return
    phase = _phase(status)
    if phase in list(v.FROZEN_PHASES) or (phase == v.Phase.FAILED and profiling_had_begun(status)):
        why = f'updates are forbidden while the resource is in phase "{phase}"; '
        yield forbidden("spec", why + "delete and recreate the resource to change its spec")
