"""What profiling found, on one page: asked, searched, the pick and how sure it is, the front, the alternatives."""

from __future__ import annotations

from kubectl_dynamo.views import explain
from kubectl_dynamo.views.explain import FLOORS, NAMES
from kubectl_dynamo.views.numbers import count, number, percent
from kubectl_dynamo.views.pareto import front_table, picture
from kubectl_dynamo.views.style import STATE_COLORS, Color, State, Style
from kubectl_dynamo.views.tables import Cell, Column, fields, paragraph, table
from profiler.profile import Asked, Calibration, Configuration, Interval, Profile, Searched, Target

SHORT_ALTERNATIVES = 5
KNOWN = "measurements of this deployment"  # that the coefficients were fitted to
LEAST_SHIFT = 0.005  # of a time by measurements; less is not worth a word


def report(profile: Profile, style: Style, *, everything: bool = False, explained: bool = False) -> str:
    """The whole page; `everything` adds the front as a table, `explained` the reasons; both show every alternative."""
    sections = [
        headline(profile, style),
        section("Asked", asked(profile.asked, style), style),
        section("Searched", searched(profile.searched, style), style),
        section("Pick", pick(profile, style), style),
        *(section(title, text, style) for title, text in (explain.sections(profile, style) if explained else ())),
        *trades(profile, style),
        section("Pareto front", picture(profile, style), style),
    ]
    if everything:
        sections.append(section("Points of the front", front_table(profile, style, everything=True), style))
    if profile.alternatives:
        sections.append(
            section("Alternatives", alternatives(profile, style, everything=everything or explained), style)
        )
    return "\n\n".join(sections)


def trades(profile: Profile, style: Style) -> list[str]:
    """The section on what a change of the request would buy, where there is one."""
    return [section("What would change it", explain.trades(profile, style), style)] if profile.trades else []


def headline(profile: Profile, style: Style) -> str:
    """The verdict in a sentence."""
    gpus = f"{profile.pick.gpus} of {count(profile.asked.total_gpus, 'GPU')}"
    if profile.sla_met:
        loaded = any(target.name in FLOORS for target in profile.targets)
        start = " to start with, for the planner to scale" if profile.asked.planner else ""
        return verdict(
            State.OK, f"{profile.asked.model}: {'SLA and load' if loaded else 'SLA'} met with {gpus}{start}", style
        )
    missed = sorted((target for target in profile.targets if not target.met), key=lambda target: not target.binding)
    by = f", {_name(missed[0])} missed by {_gap(missed[0])}" if missed else ""
    return verdict(State.BAD, f"{profile.asked.model}: nothing meets the SLA; the closest uses {gpus}{by}", style)


def verdict(state: State, text: str, style: Style) -> str:
    """A mark and a bold sentence, wrapped."""
    lines = paragraph(text, style).splitlines()
    return "\n".join([f"{style.mark(state)} {style.bold(lines[0].strip())}", *(style.bold(line) for line in lines[1:])])


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def section(title: str, body: str, style: Style) -> str:
    """A titled part of a page."""
    return f"{style.bold(title)}\n{body}"


def asked(request: Asked, style: Style) -> str:
    """The request with its defaults filled in."""
    return fields(asked_fields(request), style)


def asked_fields(request: Asked) -> list[tuple[str, str]]:
    """(label, text) of each part of the request."""
    sla = [
        f"{label} ≤ {number(limit)} ms"
        for label, limit in (("TTFT", request.ttft_ms), ("ITL", request.itl_ms), ("latency", request.e2e_latency_ms))
        if limit
    ]
    load = ""
    if request.request_rate:
        load = f", {number(request.request_rate)} requests/s"
    elif request.concurrency:
        load = f", {number(request.concurrency)} requests in flight"
    extras = [name for name, on in (("planner", request.planner), ("mocker", request.mocker)) if on]
    pairs = [
        ("model", request.model),
        ("backend", f"{request.backend}, {request.strategy}, for {request.optimization}"),
        (
            "hardware",
            f"{request.total_gpus}x {request.gpu_sku} ({number(request.gpu_memory_gib)} GiB), "
            f"{request.gpus_per_node} per node (from {request.hardware_source})",
        ),
        ("workload", f"{request.isl:,} tokens in, {request.osl:,} out{load}"),
        ("SLA", ", ".join(sla) or "none"),
    ]
    return [*pairs, ("features", ", ".join(extras))] if extras else pairs


def searched(search: Searched, style: Style) -> str:
    """How many candidates, and why the others were excluded, the commonest reason first."""
    took = f" in {number(search.seconds)} s" if search.seconds else ""
    lines = fields([("candidates", f"{search.candidates:,}{took}, {search.feasible:,} feasible")], style)
    reasons = sorted(search.excluded.items(), key=lambda item: -item[1])
    if not reasons:
        return lines
    columns = (Column("EXCLUDED", right=True), Column("BECAUSE", wraps=True))
    text = f"{lines}\n{table(columns, [(f'{n:,}', reason) for reason, n in reasons], style)}"
    if sum(search.excluded.values()) <= search.candidates - search.feasible:
        return text
    return f"{text}\n{paragraph('A candidate may be excluded for several reasons.', style)}"


def pick(profile: Profile, style: Style) -> str:
    """The chosen configuration, its workers, its numbers with intervals and the verdict on each target."""
    chosen = profile.pick
    return "\n".join(
        [
            f"  {style.paint('★' if style.unicode else '*', Color.STAR)} {style.bold(chosen.label)}",
            paragraph(sentence(profile.why), style),
            "",
            metrics(chosen, profile.targets, style),
            "",
            workers(chosen, style),
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


def metrics(configuration: Configuration, targets: tuple[Target, ...], style: Style) -> str:
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
        return State.BAD, f"missed by {_gap(target)}"
    limits = "; limits the pick" if target.binding else ""
    if interval and interval.high > target.limit:
        return State.WARN, f"likely met{limits}"
    return State.OK, f"met{limits}"


def _verdict(target: Target, interval: Interval | None, style: Style) -> Cell:
    state, words = judged(target, interval)
    return _marked(state, words, style)


def _marked(state: State, words: str, style: Style) -> Cell:
    # The mark is plain here: the cell has the state's colour already.
    glyph = Style(unicode=style.unicode).mark(state)
    return Cell(f"{glyph} {words}", STATE_COLORS[state])


def _name(target: Target) -> str:
    return NAMES[target.name]


def _gap(target: Target) -> str:
    gap = abs(target.value - target.limit)
    unit = " ms" if target.name.endswith("_ms") else ""
    return f"{number(gap)}{unit} ({percent(gap, target.limit)})"


def workers(configuration: Configuration, style: Style) -> str:
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


def alternatives(profile: Profile, style: Style, *, everything: bool = False) -> str:
    """What else there was, and what decided against it."""
    columns = (
        Column("CONFIGURATION"),
        Column("GPUS", right=True, optional=True),
        Column("TTFT ms", right=True, optional=True),
        Column("ITL ms", right=True, optional=True),
        Column("TOK/S/GPU", right=True, optional=True),
        Column("WHY NOT", wraps=True),
    )
    shown = profile.alternatives if everything else profile.alternatives[:SHORT_ALTERNATIVES]
    rows = [
        [
            alternative.configuration.label,
            str(alternative.configuration.gpus),
            number(alternative.configuration.metrics.ttft_ms),
            number(alternative.configuration.metrics.itl_ms),
            number(alternative.configuration.metrics.throughput_per_gpu),
            f"{alternative.why_not}; held by {alternative.held_by}" if alternative.held_by else alternative.why_not,
        ]
        for alternative in shown
    ]
    text = table(columns, rows, style)
    hidden = len(profile.alternatives) - len(shown)
    return f"{text}\n  {hidden} more: --explain" if hidden else text
