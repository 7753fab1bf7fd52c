"""Conditions and the Succeeded summary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crds.vocabulary import Condition, Phase
from profiler.controller import states

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def failed_in(type_: Condition, reason: str, message: str) -> dict[str, Any]:
    return states.with_condition({"phase": "Failed"}, type_, False, reason, message, generation=1, now=NOW)


@pytest.mark.parametrize(
    ("phase", "value", "reason"),
    [
        (Phase.PENDING, "False", "Pending"),
        (Phase.PROFILING, "False", "Profiling"),
        (Phase.READY, "True", "SpecGenerated"),
        (Phase.DEPLOYING, "False", "Deploying"),
        (Phase.DEPLOYED, "True", "Deployed"),
    ],
)
def test_succeeded_follows_the_phase(phase: Phase, value: str, reason: str) -> None:
    status = states.with_succeeded({"phase": str(phase)}, generation=1, now=NOW)
    found = states.condition(status, Condition.SUCCEEDED)
    assert found is not None
    assert (found["status"], found["reason"]) == (value, reason)


def test_succeeded_of_a_failure_says_what_failed() -> None:
    status = states.with_succeeded(
        failed_in(Condition.PROFILING, "SweepingDecodeFailed", "profiling failed: no layout fits"),
        generation=1,
        now=NOW,
    )
    found = states.condition(status, Condition.SUCCEEDED)
    assert found is not None
    assert found["reason"] == "SweepingDecodeFailed"
    assert found["message"] == "Profiling failed: profiling failed: no layout fits"


def test_a_transition_time_moves_only_when_the_value_does() -> None:
    later = NOW + timedelta(hours=1)
    first = states.with_condition({}, Condition.PROFILING, False, "Initializing", "", generation=1, now=NOW)
    same = states.with_condition(first, Condition.PROFILING, False, "SweepingPrefill", "", generation=1, now=later)
    turned = states.with_condition(same, Condition.PROFILING, True, "ProfilingCompleted", "", generation=1, now=later)
    times = [states.condition(s, Condition.PROFILING)["lastTransitionTime"] for s in (first, same, turned)]  # type: ignore[index]
    assert times == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"]


def test_conditions_keep_their_places_and_the_old_status_stays_as_it_was() -> None:
    first = failed_in(Condition.VALIDATION, "ValidationFailed", "bad")
    second = states.with_condition(first, Condition.PROFILING, False, "x", "", generation=1, now=NOW)
    third = states.with_condition(second, Condition.VALIDATION, True, "ValidationPassed", "", generation=1, now=NOW)
    assert [c["type"] for c in third["conditions"]] == ["Validation", "Profiling"]
    assert [c["type"] for c in first["conditions"]] == ["Validation"]
    assert first["conditions"][0]["status"] == "False"
