"""Profiles as one self-contained page for a browser: the picture, the pick and why, and tables that sort."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from kubectl_dynamo.views import explain, pareto, pick, profile
from kubectl_dynamo.views.browser import SCRIPT, STYLE
from kubectl_dynamo.views.explain import FLOORS, bought_with
from kubectl_dynamo.views.numbers import number, percent
from kubectl_dynamo.views.style import Style
from kubectl_dynamo.views.svg import svg
from profiler.profile import Calibration, Configuration, Interval, Profile

_POINT_COLUMNS = ("configuration", "GPUs", "TTFT ms", "ITL ms", "tokens/s/user", "tokens/s/GPU", "requests/s")


def page(profiles: Sequence[Profile]) -> str:
    """The page, ending in a newline. One profile is told in full, of several the fronts are compared."""
    title = ", ".join(pareto.series_name(found.asked) for found in profiles)
    body = _whole(profiles[0]) if len(profiles) == 1 else _compared(profiles, title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n<script>{SCRIPT}</script>\n"
        "</body></html>\n"
    )


def _whole(found: Profile) -> str:
    verdict = profile.headline(found, Style(width=10_000, unicode=True))
    state = "ok" if found.sla_met else "bad"
    parts = [
        f'<h1 class="{state}">{escape(verdict)}</h1>',
        f"<p><b>{escape(found.pick.label)}</b></p><p>{escape(pick.sentence(found.why))}</p>",
        *(f'<p class="bad">{escape(warning)}</p>' for warning in found.warnings),
        _section("Pareto front", _picture([found]) + _aside(found)),
        _section("Pick", _metrics(found) + _workers(found.pick)),
        _section("What you measured", _measured(found, found.calibration)) if found.calibration else "",
        _section("What would change it", _trades(found)) if found.trades else "",
        _section("Where the time of a decode step goes", _operations(found)) if found.operations else "",
        _section("Points of the front", _points([found])),
        _section("Alternatives", _alternatives(found)) if found.alternatives else "",
        _section("Asked", _asked(found)),
        _section("Searched", _searched(found)),
    ]
    return "\n".join(part for part in parts if part)


def _compared(profiles: Sequence[Profile], title: str) -> str:
    front = _section("Points of the fronts", _points(profiles))
    return f"<h1>{escape(title)}</h1>\n{_section('Pareto fronts', _picture(profiles))}\n{front}"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>"


def _picture(profiles: Sequence[Profile]) -> str:
    return svg(pareto.chart(profiles), "")


def _aside(found: Profile) -> str:
    return "" if found.pick in found.frontier else f"<p>{escape(pareto.OFF_THE_FRONT)}</p>"


def _metrics(found: Profile) -> str:
    m, targets = found.pick.metrics, {target.name: target for target in found.targets}
    values: tuple[tuple[str, str, float, Interval | None], ...] = (
        ("ttft_ms", "TTFT ms", m.ttft_ms, m.ttft_ms_interval),
        ("itl_ms", "ITL ms", m.itl_ms, m.itl_ms_interval),
        ("e2e_latency_ms", "latency ms", m.e2e_latency_ms, None),
        ("throughput_per_gpu", "tokens/s/GPU", m.throughput_per_gpu, m.throughput_per_gpu_interval),
        ("request_rate", "requests/s", m.request_rate, None),
        ("concurrency", "requests in flight", m.concurrency, None),
    )
    rows = []
    for name, title, value, interval in values:
        target = targets.get(name)
        limit = f"{'≥' if name in FLOORS else '≤'} {number(target.limit)}" if target else ""
        said = pick.judged(target, interval)[1] if target else ""
        span = f"{number(interval.low)} – {number(interval.high)}" if interval else ""
        rows.append((title, value, span, limit, said))
    return _table(("metric", "estimate", "80% interval", "asked", "verdict"), rows)


def _workers(configuration: Configuration) -> str:
    rows = [
        (w.role, w.replicas, w.layout.label, w.layout.gpus, w.max_batch, w.memory_gib) for w in configuration.workers
    ]
    return _table(("worker", "replicas", "layout", "GPUs each", "max batch", "GiB/GPU"), rows)


def _measured(found: Profile, calibration: Calibration) -> str:
    columns = ("engine", "ISL", "OSL", "in flight", "TTFT ms", "estimate", "ITL ms", "estimate", "from")
    rows = []
    for one in calibration.measurements:
        times = (one.ttft_ms, one.ttft_ms_estimated, one.itl_ms, one.itl_ms_estimated)
        engine = explain.engine(one)
        rows.append((engine, one.isl, one.osl, one.concurrency, *(time or "" for time in times), one.source))
    return f"<p>{escape(pick.measured(found, calibration))}</p>{_table(columns, rows)}"


def _trades(found: Profile) -> str:
    rows = [(trade.change, trade.buys, bought_with(trade, found)) for trade in found.trades]
    return _table(("change", "buys", "with"), rows)


def _operations(found: Profile) -> str:
    total, most = sum(found.operations.values()), max(found.operations.values())
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{number(ms)} ms</td><td class="n">{percent(ms, total)}</td>'
        f'<td class="share"><div style="width:{100 * ms / most:.1f}%"></div></td></tr>'
        for name, ms in found.operations.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _points(profiles: Sequence[Profile]) -> str:
    several = len(profiles) > 1
    rows: list[tuple[str | float, ...]] = []
    picks = set()
    for found in profiles:
        for configuration in pareto.with_pick(found):
            if configuration == found.pick:
                picks.add(len(rows))
            rows.append(((found.asked.name,) if several else ()) + _point(configuration))
    return _table((("request",) if several else ()) + _POINT_COLUMNS, rows, sort=True, picks=picks)


def _point(configuration: Configuration) -> tuple[str | float, ...]:
    m = configuration.metrics
    numbers = (m.ttft_ms, m.itl_ms, m.throughput_per_user, m.throughput_per_gpu, m.request_rate)
    return (configuration.label, configuration.gpus, *numbers)


def _alternatives(found: Profile) -> str:
    columns = (*_POINT_COLUMNS[:4], "tokens/s/GPU", "why not", "held by")
    rows = []
    for alternative in found.alternatives:
        label, gpus, ttft, itl, _, per_gpu, _ = _point(alternative.configuration)
        rows.append((label, gpus, ttft, itl, per_gpu, alternative.why_not, alternative.held_by))
    return _table(columns, rows, sort=True)


def _asked(found: Profile) -> str:
    pairs = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in profile.asked_fields(found.asked))
    return f"<dl>{pairs}</dl>"


def _searched(found: Profile) -> str:
    search = found.searched
    said = f"<p>{search.candidates:,} candidates, {search.feasible:,} feasible.</p>"
    reasons = sorted(search.excluded.items(), key=lambda item: -item[1])
    return said + (_table(("excluded", "because"), [(n, reason) for reason, n in reasons]) if reasons else "")


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[str | float]], *, sort: bool = False, picks: Iterable[int] = ()
) -> str:
    """Numbers to the right, with what they sort by; `picks` are the rows to stand out."""
    rows, picked = list(rows), frozenset(picks)
    numeric = [bool(rows) and not isinstance(rows[0][i], str) for i in range(len(columns))]
    head = "".join(f"<th{_class(right)}>{escape(name)}</th>" for name, right in zip(columns, numeric, strict=True))
    lines = [
        f"<tr{' class=pick' if i in picked else ''}>" + "".join(map(_cell, row)) + "</tr>" for i, row in enumerate(rows)
    ]
    kind = " class=sort" if sort else ""
    return f"<table{kind}><thead><tr>{head}</tr></thead>\n<tbody>" + "\n".join(lines) + "</tbody></table>\n"


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    return f'<td class=n data-v="{value:g}">{number(value)}</td>'


def _class(right: bool) -> str:
    return " class=n" if right else ""
