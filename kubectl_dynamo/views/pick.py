"""The pick: its numbers and how sure they are, what it runs, and what a user's measurements changed."""

from __future__ import annotations

from kubectl_dynamo.views.explain import FLOORS
from kubectl_dynamo.views.numbers import number, percent
from kubectl_dynamo.views.style import STATE_COLORS, Color, State, Style
from kubectl_dynamo.views.tables import Cell, Column, paragraph, table
from profiler.profile import Calibration, Configuration, Interval, Profile, Target

KNOWN = "measurements of this deployment"  # that the coefficients were fitted to
LEAST_SHIFT = 0.005  # of a time by measurements; less is not worth a word


def page(profile: Profile, style: Style) -> str:
    """The chosen configuration, its workers, its numbers with intervals and the verdict on each target."""
    chosen = profile.pick
    return "\n".join(
        [
            f"  {style.paint('★' if style.unicode else '*', Color.STAR)} {style.bold(chosen.label)}",
            paragraph(sentence(profile.why), style),
            "",
            _metrics(chosen, profile.targets, style),
            "",
            _workers(chosen, style),
            "",
            paragraph(f"{_origin(profile)}; intervals hold 80% of the time.", style),
            *([paragraph(measured(profile, profile.calibration), style)] if profile.calibration else []),
        ]
    )


def measured(profile: Profile, calibration: Calibration) -> str:
    """What the user's own measurements changed, in a sentence."""
    one = calibration.used == 1
    yours = "Your measurement" if one else f"Your {calibration.used} measurements"
    factors = (("TTFT", calibration.ttft_factor), ("ITL", calibration.itl_factor))
    moved = " and ".join(f"{name} {_off(factor)}" for name, factor in factors if abs(factor - 1) >= LEAST_SHIFT)
    changed = (
        f"put{'s' if one else ''} {moved} than estimated" if moved else f"leave{'s' if one else ''} it as estimated"
    )
    same = calibration.instead_of.label == profile.pick.label
    instead = "the same" if same else calibration.instead_of.label
    return f"{yours} {changed}; without {'it' if one else 'them'} the pick would be {instead}."


def _off(factor: float) -> str:
    """`12% higher`."""
    return f"{percent(abs(factor - 1), 1)} {'higher' if factor > 1 else 'lower'}"


def _origin(profile: Profile) -> str:
    """Where the numbers come from, in words."""
    provenance = profile.pick.provenance
    seen = "a GPU that was measured" if provenance.startswith("measured") else "GPUs that were measured"
    moved = "" if provenance.startswith("measured") else ", carried over by data sheet"
    if "calibrated" not in provenance:
        return f"Estimated from {seen}{moved}"
    own = profile.calibration and any(one.backend == profile.pick.backend for one in profile.calibration.measurements)
    return f"Estimated from {seen}{moved}, corrected by {'your measurements' if own else KNOWN}"


def _metrics(configuration: Configuration, targets: tuple[Target, ...], style: Style) -> str:
    """Estimate, 80% interval, limit and verdict for each metric."""
    m = configuration.metrics
    lines: tuple[tuple[str, str, float, Interval | None], ...] = (
        ("ttft_ms", "TTFT ms", m.ttft_ms, m.ttft_ms_interval),
        ("itl_ms", "ITL ms", m.itl_ms, m.itl_ms_interval),
        ("e2e_latency_ms", "latency ms", m.e2e_latency_ms, None),
        ("throughput_per_gpu", "tokens/s/GPU", m.throughput_per_gpu, m.throughput_per_gpu_interval),
        ("throughput_per_user", "tokens/s/user", m.throughput_per_user, None),
        ("request_rate", "requests/s", m.request_rate, None),
        ("concurrency", "in flight", m.concurrency, None),
    )
    by_name = {target.name: target for target in targets}
    columns = (
        Column("METRIC"),
        Column("ESTIMATE", right=True),
        Column("80% INTERVAL"),
        Column("TARGET", right=True),
        Column("VERDICT", wraps=True),
    )
    rows: list[list[str | Cell]] = []
    for name, title, value, interval in lines:
        target = by_name.get(name)
        rows.append(
            [
                Cell(title, Color.BOLD),
                number(value),
                f"{number(interval.low)} – {number(interval.high)}" if interval else "",
                f"{'≥' if name in FLOORS else '≤'} {number(target.limit)}" if target else "",
                _verdict(target, interval, style) if target else "",
            ]
        )
    return table(columns, rows, style)


def judged(target: Target, interval: Interval | None) -> tuple[State, str]:
    """How the pick stands to a target, in words."""
    if not target.met:
        return State.BAD, f"missed by {gap(target)}"
    limits = "; limits the pick" if target.binding else ""
    if interval and interval.high > target.limit:
        return State.WARN, f"likely met{limits}"
    return State.OK, f"met{limits}"


def _verdict(target: Target, interval: Interval | None, style: Style) -> Cell:
    state, words = judged(target, interval)
    # The mark is plain here: the cell has the state's colour already.
    glyph = Style(unicode=style.unicode).mark(state)
    return Cell(f"{glyph} {words}", STATE_COLORS[state])


def gap(target: Target) -> str:
    """By how much a target is missed: `12 ms (3%)`."""
    gap = abs(target.value - target.limit)
    unit = " ms" if target.name.endswith("_ms") else ""
    return f"{number(gap)}{unit} ({percent(gap, target.limit)})"


def _workers(configuration: Configuration, style: Style) -> str:
    """One line for each kind of engine."""
    columns = (
        Column("WORKER"),
        Column("REPLICAS", right=True),
        Column("LAYOUT"),
        Column("GPUS EACH", right=True),
        Column("MAX BATCH", right=True),
        Column("KV TOKENS", right=True, optional=True),
        Column("GiB/GPU", right=True),
    )
    rows: list[list[str | Cell]] = [
        [
            Cell(worker.role, Color.BOLD),
            str(worker.replicas),
            worker.layout.label,
            str(worker.layout.gpus),
            f"{worker.max_batch:,}",
            f"{worker.kv_tokens:,}",
            number(worker.memory_gib),
        ]
        for worker in configuration.workers
    ]
    return table(columns, rows, style)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
