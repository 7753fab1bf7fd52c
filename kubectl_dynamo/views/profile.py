"""What profiling found, on one page: asked, searched, the pick, what would change it, the front, the alternatives."""

from __future__ import annotations

from kubectl_dynamo.views import explain, pick
from kubectl_dynamo.views.explain import FLOORS, NAMES
from kubectl_dynamo.views.numbers import count, number
from kubectl_dynamo.views.pareto import front_table, picture
from kubectl_dynamo.views.style import State, Style
from kubectl_dynamo.views.tables import Column, fields, paragraph, table
from profiler.profile import Asked, Profile, Searched, Target

SHORT_ALTERNATIVES = 5


def report(profile: Profile, style: Style, *, everything: bool = False, explained: bool = False) -> str:
    """The whole page; `everything` adds the front as a table, `explained` the reasons; both show every alternative."""
    sections = [
        headline(profile, style),
        section("Asked", asked(profile.asked, style), style),
        section("Searched", searched(profile.searched, style), style),
        section("Pick", pick.page(profile, style), style),
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
    gpus = f"{profile.pick.gpus:,} of {count(profile.asked.total_gpus, 'GPU')}"
    if profile.sla_met:
        loaded = any(target.name in FLOORS for target in profile.targets)
        start = " to start with, for the planner to scale" if profile.asked.planner else ""
        return verdict(
            State.OK, f"{profile.asked.model}: {'SLA and load' if loaded else 'SLA'} met with {gpus}{start}", style
        )
    missed = sorted((target for target in profile.targets if not target.met), key=lambda target: not target.binding)
    by = f", {_name(missed[0])} missed by {pick.gap(missed[0])}" if missed else ""
    return verdict(State.BAD, f"{profile.asked.model}: nothing meets the SLA; the closest uses {gpus}{by}", style)


def verdict(state: State, text: str, style: Style) -> str:
    """A mark and a bold sentence, wrapped."""
    lines = paragraph(text, style).splitlines()
    return "\n".join([f"{style.mark(state)} {style.bold(lines[0].strip())}", *(style.bold(line) for line in lines[1:])])


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
            f"{request.total_gpus:,}x {request.gpu_sku} ({number(request.gpu_memory_gib)} GiB), "
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


def _name(target: Target) -> str:
    return NAMES[target.name]


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
