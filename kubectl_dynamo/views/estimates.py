"""What `kubectl dynamo estimate` shows: one point on a page with the parts of its ITL, or many as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kubectl_dynamo.views.numbers import count, number, percent
from kubectl_dynamo.views.style import Color, Style
from kubectl_dynamo.views.tables import Cell, Column, fields, paragraph, table
from profiler.profile import LAYOUT, Layout

if TYPE_CHECKING:
    from profiler.points.answers import Answer
    from profiler.points.parts import Parts
    from profiler.points.tables import Table

WIDEST_BAR = 30
NARROWEST_BAR = 8
BESIDE_BAR = 45  # columns that the other columns of the breakdown take
SHOWN = {
    "ttft_ms": "TTFT ms",
    "ttft_p90_ms": "TTFT P90",
    "itl_ms": "ITL ms",
    "throughput_per_gpu": "TOK/S/GPU",
    "memory_gib": "GiB/GPU",
}
ROLES = {"agg": "prefill and decode", "prefill": "prefill only", "decode": "decode only"}
ARRIVALS = {
    "steady": "arriving steadily",
    "closed": "each new one as another ends",
    "burst": "all at once",
}


def one(answer: Answer, parts: Parts, style: Style) -> str:
    """One point: what was asked, the estimate with its intervals, and where a token's time goes."""
    sections = [
        f"{style.bold(_title(answer))}\n{_asked(answer, style)}",
        f"{style.bold('Estimate')}\n{_metrics(answer, parts, style)}\n\n{_trust(answer, style)}",
    ]
    if parts.first_token:
        sections.append(f"{style.bold('Where the TTFT goes')}\n{_shares(parts.first_token, style)}")
    if parts.operations:
        sections.append(f"{style.bold('Where the ITL goes')}\n{_breakdown(parts, style)}")
    return "\n\n".join(sections)


def _layout(answer: Answer) -> Layout:
    points = answer.points
    return Layout(**{name: int(getattr(points, name)[0]) for name in LAYOUT})


def _title(answer: Answer) -> str:
    question, layout = answer.question, _layout(answer)
    return f"{question.model.name} on {layout.gpus}x {question.gpu.sku}, {question.backend} {layout.label}"


def _asked(answer: Answer, style: Style) -> str:
    question, points = answer.question, answer.points
    load = f"{number(float(points.isl[0]))} tokens in, {number(float(points.osl[0]))} out"
    in_flight = float(points.concurrency[0])
    if question.mode != "prefill":
        rate = float(answer.load.rates[0])
        load += f", {number(rate)} {'request' if rate == 1 else 'requests'}/s:" if rate == rate else ","
        load += f" {number(in_flight)} {'request' if in_flight == 1 else 'requests'} in flight"
    if question.mode == "agg":
        load += f", {ARRIVALS[question.arrival]}"
    pairs = [
        ("engine", ROLES[question.mode]),
        ("formats", f"{question.model.quantization} weights, {question.model.kv_dtype} KV cache"),
        ("workload", load),
    ]
    if question.admission_wait_steps:
        pairs.append(("admission", f"waits {count(round(question.admission_wait_steps), 'decode step')}"))
    return fields(pairs, style)


def _metrics(answer: Answer, parts: Parts, style: Style) -> str:
    e, mode = answer.estimates, answer.question.mode
    per_gpu = "prompts/s/GPU" if mode == "prefill" else "tokens/s/GPU"
    lines = [(per_gpu, e.throughput_per_gpu, e.throughput_low, e.throughput_high)]
    if mode != "prefill":
        lines.insert(0, ("ITL ms", e.itl_ms, e.itl_low, e.itl_high))
    if mode != "decode":
        lines.insert(0, ("TTFT ms", e.ttft_ms, e.ttft_low, e.ttft_high))
    rows: list[list[str | Cell]] = [
        [
            Cell(title, Color.BOLD),
            number(float(value[0])),
            f"{number(float(low[0]))} – {number(float(high[0]))}",
            answer.provenance(0),
        ]
        for title, value, low, high in lines
    ]
    if mode == "agg":
        late: list[str | Cell] = [
            Cell("TTFT p90 ms", Color.BOLD),
            number(float(e.ttft_p90_ms[0])),
            "10% wait longer",
            "derived",
        ]
        rows.insert(1, late)
    if parts.kv_transfer_ms:
        moved = "by RDMA"
        rows.append([Cell("KV transfer ms", Color.BOLD), number(parts.kv_transfer_ms), moved, "assumed"])
    memory = f"of {number(answer.question.gpu.memory_bytes / 2**30)} GiB"
    rows.append([Cell("memory GiB/GPU", Color.BOLD), number(float(e.memory_gib[0])), memory, "computed"])
    if mode != "prefill":
        room, in_flight = int(e.max_concurrency[0]), float(answer.points.concurrency[0])
        enough = in_flight <= room
        fits: list[str | Cell] = [
            Cell("requests that fit", Color.BOLD),
            f"{room:,}",
            "in the KV cache" if enough else Cell(f"of {number(in_flight)} in flight", Color.YELLOW),
            "computed",
        ]
        rows.append(fits)
    columns = (
        Column("METRIC"),
        Column("ESTIMATE", right=True),
        Column("80% INTERVAL"),
        Column("PROVENANCE", wraps=True),
    )
    return table(columns, rows, style)


def _trust(answer: Answer, style: Style) -> str:
    gpu = answer.question.gpu
    if answer.staged(0):
        text = "Transferred: no measurement had pipeline stages; intervals are wider for it"
    elif answer.estimates.provenance == "measured":
        what = "engines" if gpu.end_to_end else "single operations, not of whole engines,"
        text = f"Measured: coefficients were fitted to measurements of {what} on {gpu.sku}"
    else:
        text = f"Transferred: nobody measured {gpu.sku}; coefficients come from other GPUs, by data sheet"
    if answer.estimates.calibrated:
        text += ". Calibrated: measurements of this deployment shift the estimate"
    return paragraph(f"{text}. Intervals hold 80% of the time.", style)


def _breakdown(parts: Parts, style: Style) -> str:
    shares = dict(parts.operations) | ({"prompts of others": parts.prompts_ms} if parts.prompts_ms else {})
    step_ms = number(sum(parts.operations.values()))
    step = f"A decode step of {count(round(parts.sequences), 'sequence')} takes {step_ms} ms"
    rest = f"; prefilling the prompts of others adds {number(parts.prompts_ms)} ms" if parts.prompts_ms else ""
    return f"{_shares(shares, style)}\n\n{paragraph(f'{step}{rest}.', style)}"


def _shares(parts: Mapping[str, float], style: Style) -> str:
    """Milliseconds as a table with bars, largest first."""
    width = min(max(style.width - BESIDE_BAR, NARROWEST_BAR), WIDEST_BAR)
    whole = sum(parts.values())
    rows: list[list[str | Cell]] = [
        [Cell(name, Color.BOLD), number(ms), percent(ms, whole), Cell(_bar(ms / whole, width, style), Color.CYAN)]
        for name, ms in sorted(parts.items(), key=lambda item: -item[1])
    ]
    columns = (Column("OPERATION"), Column("ms", right=True), Column("SHARE", right=True), Column(""))
    return table(columns, rows, style)


def _bar(share: float, width: int, style: Style) -> str:
    full, rest = divmod(share * width, 1)
    if not style.unicode:
        return "#" * max(round(share * width), 1)
    return "█" * int(full) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[int(rest * 8)] or "▏"


def many(points: Table, given: Mapping[str, str], found: Mapping[str, Sequence[Any]], style: Style) -> str:
    """A line for each point that has an answer, by its number in the file; then why the others have none.

    `given` are the cells that flags fill where the file leaves them empty.
    """
    models, gpus = (points.column(name, given.get(name, "")) for name in ("model", "gpu_sku"))
    reasons = found["reason"]
    answered = [
        [
            str(i + 1),
            models[i],
            gpus[i],
            *("" if found[name][i] is None else number(found[name][i]) for name in SHOWN),
            found["provenance"][i],
        ]
        for i in range(len(points))
        if not reasons[i]
    ]
    columns = (
        Column("POINT", right=True),
        Column("MODEL"),
        Column("GPU"),
        *(Column(title, right=True) for title in SHOWN.values()),
        Column("PROVENANCE", optional=True),
    )
    sections = [table(columns, answered, style)] if answered else []
    silent: list[list[str | Cell]] = [[str(i + 1), Cell(why, Color.YELLOW)] for i, why in enumerate(reasons) if why]
    if silent:
        title = style.bold(f"{count(len(silent), 'point')} without an answer")
        why_not = table((Column("POINT", right=True), Column("REASON", wraps=True)), silent, style)
        sections.append(f"{title}\n{why_not}")
    return "\n\n".join(sections) or "  no points"
