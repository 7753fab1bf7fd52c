"""Why this configuration: what limits it, what a change of the request would buy, where the time of a step goes."""

from __future__ import annotations

from collections.abc import Mapping

from kubectl_dynamo.views.numbers import number, percent
from kubectl_dynamo.views.style import Color, Style
from kubectl_dynamo.views.tables import Cell, Column, paragraph, table
from profiler.profile import Calibration, Measured, Profile, Target, Trade

# A pick must reach these; all other targets are ceilings.
FLOORS = frozenset({"request_rate", "concurrency"})
NAMES = {
    "ttft_ms": "TTFT",
    "itl_ms": "ITL",
    "e2e_latency_ms": "latency",
    "request_rate": "requests/s",
    "concurrency": "in flight",
}
BAR = 24  # columns


def limits(targets: tuple[Target, ...], style: Style) -> str:
    """Each limit of the request, how much of it the pick leaves, and whether it decided."""
    if not targets:
        return paragraph("The request sets no limit.", style)
    columns = (
        Column("LIMIT"),
        Column("ASKED", right=True),
        Column("PICK", right=True),
        Column("ROOM", right=True),
        Column("", wraps=True),
    )
    rows: list[list[str | Cell]] = [
        [
            Cell(NAMES[target.name], Color.BOLD),
            f"{'≥' if target.name in FLOORS else '≤'} {number(target.limit)}",
            number(target.value),
            percent(_room(target), target.limit) if target.met else "none",
            _part(target),
        ]
        for target in targets
    ]
    return table(columns, rows, style)


def _room(target: Target) -> float:
    return max(0.0, target.value - target.limit if target.name in FLOORS else target.limit - target.value)


def _part(target: Target) -> str:
    if not target.met:
        return "missed most" if target.binding else "missed"
    return "limits the pick: without it a better one exists" if target.binding else "did not decide"


def trades(profile: Profile, style: Style) -> str:
    """What a change of the request would buy, and with which configuration."""
    columns = (Column("CHANGE"), Column("BUYS"), Column("WITH", wraps=True))
    return table(columns, [(trade.change, trade.buys, bought_with(trade, profile)) for trade in profile.trades], style)


def bought_with(trade: Trade, profile: Profile) -> str:
    """The configuration behind a trade."""
    return "the same configuration" if trade.label == profile.pick.label else trade.label


def operations(found: Mapping[str, float], style: Style) -> str:
    """Where the time of one decode step goes, largest first."""
    columns = (Column("OPERATION"), Column("ms", right=True), Column("SHARE", right=True), Column("", optional=True))
    total, most = sum(found.values()), max(found.values(), default=1.0)
    block = "█" if style.unicode else "#"
    rows: list[list[str | Cell]] = [
        [
            Cell(name, Color.BOLD),
            number(ms),
            percent(ms, total),
            Cell(block * round(BAR * ms / most), Color.CYAN),
        ]
        for name, ms in found.items()
    ]
    return table(columns, rows, style)


def measurements(found: Calibration, style: Style) -> str:
    """What the user measured, beside what was estimated there."""
    columns = (
        Column("ENGINE", wraps=True),
        Column("IN + OUT", right=True, optional=True),
        Column("IN FLIGHT", right=True),
        Column("TTFT ms", right=True),
        Column("ITL ms", right=True),
        Column("FROM", optional=True),
    )
    rows: list[list[str | Cell]] = [
        [
            Cell(engine(one), Color.BOLD),
            f"{one.isl:,.0f} + {one.osl:,.0f}",
            number(one.concurrency),
            _beside(one.ttft_ms, one.ttft_ms_estimated),
            _beside(one.itl_ms, one.itl_ms_estimated),
            one.source,
        ]
        for one in found.measurements
    ]
    text = table(columns, rows, style)
    hidden = found.used - len(found.measurements)
    return f"{text}\n  and {hidden} more" if hidden else text


def engine(one: Measured) -> str:
    """`vllm agg TP4`."""
    return f"{one.backend} {one.mode} {one.layout.label}"


def _beside(measured: float | None, estimated: float | None) -> str:
    return f"{number(measured)} (est. {number(estimated)})" if measured and estimated else ""


def sections(profile: Profile, style: Style) -> list[tuple[str, str]]:
    """(title, text) of what `--explain` adds to the page."""
    parts = [("What limits it", limits(profile.targets, style))]
    if profile.calibration:
        parts.append(("What you measured", measurements(profile.calibration, style)))
    if profile.operations:
        step = (
            f"One decode step of {profile.pick.workers[-1].layout.label}, {number(sum(profile.operations.values()))} ms"
        )
        parts.append((step, operations(profile.operations, style)))
    return parts
