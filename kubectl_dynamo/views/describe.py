"""One page about a request: is it fine, what was asked, how far it is, what was chosen, what runs, what went wrong.

It shows what is there and says what is missing: NVIDIA's own profiler leaves no profile.json, and status may have been
written by any controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crds import vocabulary as v
from crds.fields import get
from kubectl_dynamo.views import pick
from kubectl_dynamo.views import profile as profile_view
from kubectl_dynamo.views.numbers import age, count, instant, number
from kubectl_dynamo.views.style import STATE_COLORS, Color, State, Style
from kubectl_dynamo.views.tables import Cell, Column, fields, paragraph, table
from profiler.profile import Profile

_PHASES = {
    v.Phase.READY: State.OK,
    v.Phase.DEPLOYED: State.OK,
    v.Phase.FAILED: State.BAD,
}
_DGD_STATES = {v.DgdState.SUCCESSFUL: State.OK, v.DgdState.FAILED: State.BAD}


@dataclass(frozen=True)
class Story:
    """All there is to know of one request. `events` are those of the request and its Job, newest last."""

    dgdr: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...] = ()
    dgd: Mapping[str, Any] | None = None
    profile: Profile | None = None
    notes: tuple[str, ...] = ()  # what could not be read, and why


def page(story: Story, now: datetime, style: Style) -> str:
    """The page. `now` is only for ages."""
    status = story.dgdr.get("status") or {}
    sections = [_headline(story, status, style)]
    sections.append(profile_view.section("Asked", _asked(story, style), style))
    sections.append(profile_view.section("Progress", _progress(status, now, style), style))
    if story.profile:
        sections.append(profile_view.section("Found", profile_view.searched(story.profile.searched, style), style))
        sections.append(profile_view.section("Chosen", pick.page(story.profile, style), style))
        sections += profile_view.trades(story.profile, style)
    elif chosen := get(status, "profilingResults.selectedConfig"):
        sections.append(profile_view.section("Chosen", _selected(chosen, status, style), style))
    if story.dgd or get(status, "dgdName"):
        sections.append(profile_view.section("Running", _running(story, style), style))
    for title, lines in (
        ("What went wrong", _wrong(status)),
        ("Warnings", _warnings(story)),
        ("Not known", story.notes),
    ):
        if lines:
            body = "\n".join(paragraph(line, style) for line in lines)
            sections.append(profile_view.section(title, body, style))
    sections.append(profile_view.section("Events", _events(story.events, now, style), style))
    return "\n\n".join(sections)


def _headline(story: Story, status: Mapping[str, Any], style: Style) -> str:
    phase = status.get("phase") or v.Phase.PENDING
    state = _PHASES.get(phase, State.BUSY)
    metadata = story.dgdr["metadata"]
    step = f" ({status['profilingPhase']})" if phase == v.Phase.PROFILING and status.get("profilingPhase") else ""
    where = f" in namespace {metadata['namespace']}" if metadata.get("namespace") else ""
    leaving = ", being deleted" if metadata.get("deletionTimestamp") else ""
    lines = [profile_view.verdict(state, f"{metadata['name']}{where}: {phase}{step}{leaving}", style)]
    message = _condition(status, v.Condition.SUCCEEDED).get("message")
    if message:
        lines.append(paragraph(str(message), style))
    elif not status.get("phase"):
        lines.append(paragraph("No controller has looked at it yet.", style))
    if story.profile:
        lines.append(profile_view.headline(story.profile, style))
    return "\n".join(lines)


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = [c for c in status.get("conditions") or [] if isinstance(c, dict) and c.get("type") == kind]
    return found[0] if found else {}


def _asked(story: Story, style: Style) -> str:
    if story.profile:
        return profile_view.asked(story.profile.asked, style)
    spec = story.dgdr.get("spec") or {}
    pairs = [
        ("model", str(spec.get("model", ""))),
        ("backend", f"{spec.get('backend') or v.Backend.AUTO}, {spec.get('searchStrategy') or v.SearchStrategy.RAPID}"),
        ("hardware", _spelled(spec.get("hardware")) or "left to discovery"),
        ("workload", _spelled(spec.get("workload")) or "default"),
        ("SLA", _spelled(spec.get("sla")) or "default"),
        ("features", ", ".join(sorted(spec.get("features") or {}))),
        ("autoApply", "no: apply the result yourself" if spec.get("autoApply") is False else "yes"),
    ]
    return fields([pair for pair in pairs if pair[1]], style)


def _spelled(values: object) -> str:
    if not isinstance(values, dict):
        return ""
    return ", ".join(f"{key} {number(x) if _is_number(x) else x}" for key, x in values.items() if x is not None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _progress(status: Mapping[str, Any], now: datetime, style: Style) -> str:
    columns = (
        Column(""),
        Column("STEP"),
        Column("REASON"),
        Column("SINCE", right=True, optional=True),
        Column("MESSAGE", wraps=True),
    )
    steps = [kind for kind in v.Condition if kind is not v.Condition.SUCCEEDED]
    rows: list[list[str | Cell]] = []
    for step in steps:
        condition = _condition(status, step)
        if not condition:
            continue
        state = _step_state(condition, status)
        since = age(instant(condition.get("lastTransitionTime")), now)
        glyph = Cell(Style(unicode=style.unicode).mark(state), STATE_COLORS[state])
        rows.append(
            [
                glyph,
                step.value,
                str(condition.get("reason", "")),
                since,
                " ".join(str(condition.get("message", "")).split()),
            ]
        )
    return table(columns, rows, style) if rows else paragraph("No step has been reported.", style)


def _step_state(condition: Mapping[str, Any], status: Mapping[str, Any]) -> State:
    if condition.get("status") == "True":
        return State.OK
    # False means "not yet" while the request moves, and "failed" only once it has failed.
    return State.BAD if status.get("phase") == v.Phase.FAILED else State.BUSY


def _selected(chosen: Mapping[str, Any], status: Mapping[str, Any], style: Style) -> str:
    """What a status without profile.json tells: the DGD that was chosen."""
    services = get(chosen, "spec.services", {})
    columns = (Column("SERVICE"), Column("REPLICAS", right=True), Column("GPUS EACH", right=True))
    rows = [
        [str(name), str(service.get("replicas", 1)), str(get(service, "resources.limits.gpu", 0))]
        for name, service in services.items()
        if isinstance(service, dict)
    ]
    front = len(get(status, "profilingResults.pareto", []))
    points = f"; {count(front, 'point')} on its Pareto front" if front else ""
    sentence = f"DGD {get(chosen, 'metadata.name', '')} with {count(len(rows), 'service')}{points}."
    return f"{paragraph(sentence, style)}\n{table(columns, rows, style)}"


def _running(story: Story, style: Style) -> str:
    status = story.dgdr.get("status") or {}
    name = get(status, "dgdName", "")
    if story.dgd is None:
        advice = "" if status.get("phase") != v.Phase.READY else "; the request says autoApply: false"
        return paragraph(f"The deployment {name} does not exist{advice}.", style)
    state = get(story.dgd, "status.state") or v.DgdState.PENDING
    name = story.dgd["metadata"]["name"]
    message = _condition(story.dgd.get("status") or {}, "Ready").get("message", "")
    mark = style.mark(_DGD_STATES.get(state, State.BUSY))
    lines = [f"  {mark} DGD {name}: {state}"]
    if message:
        lines.append(paragraph(str(message), style, indent="    "))
    columns = (Column("SERVICE"), Column("READY", right=True), Column("WANTED", right=True))
    reported = get(story.dgd, "status.services", {})
    rows = []
    for service, wanted in get(story.dgd, "spec.services", {}).items():
        ready = reported.get(service) or {}
        replicas = wanted.get("replicas", 1)
        available = ready.get("readyReplicas", ready.get("availableReplicas"))
        rows.append([str(service), "?" if available is None else str(available), str(replicas)])
    return "\n".join([*lines, table(columns, rows, style, indent="    ")]) if rows else "\n".join(lines)


def _wrong(status: Mapping[str, Any]) -> tuple[str, ...]:
    """The steps that failed, in their own words. The summary repeats one of them, unless it is all there is."""
    if status.get("phase") != v.Phase.FAILED:
        return ()
    failed = [c for c in (_condition(status, kind) for kind in v.Condition) if c.get("status") == "False"]
    return tuple({str(c["message"]): f"{c.get('reason')}: {c['message']}" for c in failed if c.get("message")}.values())


def _warnings(story: Story) -> tuple[str, ...]:
    return story.profile.warnings if story.profile else ()


def _events(events: tuple[Mapping[str, Any], ...], now: datetime, style: Style) -> str:
    if not events:
        return paragraph("None are kept (a cluster drops events after an hour).", style)
    columns = (
        Column("LAST SEEN", right=True),
        Column("TYPE"),
        Column("REASON"),
        Column("OBJECT", optional=True),
        Column("MESSAGE", wraps=True),
    )
    rows: list[list[str | Cell]] = []
    for event in sorted(events, key=event_time):
        warning = event.get("type") != "Normal"
        about = event.get("involvedObject") or {}
        rows.append(
            [
                age(instant(event_time(event)), now),
                Cell(str(event.get("type", "")), Color.YELLOW if warning else None),
                str(event.get("reason", "")),
                f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
                " ".join(str(event.get("message", "")).split()),
            ]
        )
    return table(columns, rows, style)


def event_time(event: Mapping[str, Any]) -> str:
    """When an event was last seen, whichever field says so."""
    series = get(event, "series.lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or "")
