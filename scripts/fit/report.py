"""The tables of docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from profiler.estimate import aggregated, pool_powers
from profiler.hardware import skus
from scripts.fit.disaggregated import Judged, Pools, covered, judged, left_out, powers
from scripts.fit.groups import Column, groups, observed
from scripts.fit.intervals import METRICS, HeldOut, Intervals
from scripts.fit.operations import found as operations
from scripts.fit.rows import Measurement

BEGIN, END = "<!-- tables: make accuracy -->", "<!-- end of tables -->"
Label = Callable[[Measurement], str]

GROUPINGS: dict[str, Label] = {
    "GPU": lambda row: row.sku,
    "engine": lambda row: row.engine,
    "model": lambda row: row.architecture,
    "precision": lambda row: row.precision,
    "arrival": lambda row: row.arrival,
}
SCHEMES = {
    "random": "a tenth of the configurations (deployment measured)",
    "deployment": "one model x GPU x engine x precision",
    "gpu": "one GPU",
    "family": "one GPU family",
    "model": "one model",
}


def tables(found: Sequence[Measurement], held: Mapping[str, HeldOut], disaggregated: Sequence[Pools]) -> str:
    """All tables as Markdown; `found` are all measurements, `held` the errors of those that were answered."""
    rows = held["random"].rows
    parts = [
        f"{len(found)} distinct measurements, of which the estimator answers {len(rows)} "
        f"({100 * len(rows) / len(found):.1f} %).",
        "### By what was left out of the fit",
        _table("left out", [(SCHEMES[name], _errors(held[name])) for name in SCHEMES]),
        "### As shipped",
        _shipped(rows),
        "### Disaggregated",
        _disaggregated(disaggregated),
        "### Coverage of the 80 % intervals",
        _coverage(Intervals.of(held)),
    ]
    for name, label in GROUPINGS.items():
        parts += [f"### By {name}: measured deployments", _grouped(held["random"], name, label)]
    parts += ["### Single operations", _operations()]
    for name in ("model", "GPU"):
        scheme = "model" if name == "model" else "gpu"
        parts += [f"### By {name}: that {name} left out", _grouped(held[scheme], name, GROUPINGS[name])]
    return "\n\n".join(parts)


def inserted(page: str, content: str) -> str:
    """The page with new tables between its two marks. Raises ValueError where a mark is missing."""
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:start]}\n\n{content}\n\n{page[end:]}"


def _table(first: str, rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines = [f"| {first} | rows | ITL median / p90 / bias | TTFT median / p90 / bias |", "|---|---:|---:|---:|"]
    return "\n".join(lines + [f"| {name} | {' | '.join(cells)} |" for name, cells in rows])


def _grouped(held: HeldOut, name: str, label: Label) -> str:
    labels = np.array([label(row) for row in held.rows])
    return _table(name, [(value, _errors(held.take(labels == value))) for value in sorted(set(labels.tolist()))])


def _errors(held: HeldOut) -> list[str]:
    return [str(len(held.rows)), *(_error(held.of(metric)) for metric in METRICS)]


def _error(log_errors: Column) -> str:
    """Percent: |estimate / measured - 1|, median and p90, and the median with its sign."""
    errors = 100 * (np.exp(-log_errors) - 1)
    size = np.abs(errors)
    return f"{np.median(size):.1f} / {np.quantile(size, 0.9):.1f} / {np.median(errors):+.1f}"


def _shipped(rows: Sequence[Measurement]) -> str:
    """The file in the package, asked through the door: the rows it was fitted to, and steady arrivals beside them."""
    mine = [row for row in rows if row.sku in skus()]
    itl, ttft = observed(mine)
    steady = ttft.copy()
    for group in groups(mine):
        ask = partial(aggregated, group.model, group.gpu, group.engine, group.points)
        closed = ask(arrival=group.arrival, admission_wait_steps=group.admission)
        itl[group.rows] -= np.log(closed.itl_ms)
        ttft[group.rows] -= np.log(closed.ttft_ms)
        steady[group.rows] -= np.log(ask().ttft_ms)
    load = np.array([row.concurrency for row in mine])
    plain = np.array([row.admission_wait_steps == 0 for row in mine])
    lines = [("as measured (fitted to these rows)", [str(len(mine)), _error(itl), _error(ttft)])]
    for low, high in ((2, 4), (5, 8), (9, 32)):
        which = (load >= low) & (load <= high) & plain
        name = f"asked as steady arrivals, {low} to {high} in flight"
        lines.append((name, [str(which.sum()), "", _error(steady[which])]))
    return _table("estimates of the shipped file", lines)


def _disaggregated(rows: Sequence[Pools]) -> str:
    found = judged(rows)
    lines = [("all", _judged(found, np.ones(len(found.rows), dtype=np.bool_)))]
    engines = np.array([f"{row.engine}, {row.sku}" for row in found.rows])
    limits = np.array([f"limited by {limit}" for limit in found.limits])
    for labels in (limits, engines):
        lines += [(label, _judged(found, labels == label)) for label in sorted(set(labels.tolist()))]
    return "\n\n".join(
        (
            f"{len(found.rows)} of {len(rows)} rows have an answer.",
            _table("limit; engine and GPU", lines),
            _pool_intervals(found),
        )
    )


def _judged(found: Judged, which: NDArray[np.bool_]) -> list[str]:
    return [str(which.sum()), _error(found.itl[which]), _error(found.ttft[which])]


def _pool_intervals(found: Judged) -> str:
    names = [row.deployment for row in found.rows]
    lines = [
        "| 80 % intervals | ITL | TTFT |",
        "|---|---:|---:|",
    ]
    metrics = ((found.itl, found.itl_bounds), (found.ttft, found.ttft_bounds))
    cells = {
        "covered by the engines' own bounds": [covered(*pair, 1.0) for pair in metrics],
        "covered by bounds from the other deployments": [covered(*pair, left_out(*pair, names)) for pair in metrics],
    }
    lines += [
        f"| {name} | {' | '.join(f'{100 * share:.0f} %' for share in shares)} |" for name, shares in cells.items()
    ]
    shipped = dict(zip(("ttft", "itl"), pool_powers(), strict=True))
    for name, values in (("power that these rows ask for", powers(found.rows)), ("power in use", shipped)):
        lines.append(f"| {name} | {values['itl']} | {values['ttft']} |")
    return "\n".join(lines)


def _operations() -> str:
    """Errors of the roofline equations against the tables of operations, engines and formats together."""
    errors = operations.read()["errors"]
    systems = list(dict.fromkeys(system for row in errors.values() for system in row))
    lines = [f"| operation | {' | '.join(systems)} |", f"|---|{'---:|' * len(systems)}"]
    for operation, row in errors.items():
        cells = (f"{row[system][1]:.0f} / {row[system][2]:.0f}" if system in row else "" for system in systems)
        lines.append(f"| {operation} | {' | '.join(cells)} |")
    rows = sum(cell[0] for row in errors.values() for cell in row.values())
    return f"{rows} rows, errors median / p90.\n\n" + "\n".join(lines)


def _coverage(intervals: Intervals) -> str:
    names = {
        "known": "measured",
        "related": "its model measured under the engine on another GPU",
        "new": "its model not measured under the engine",
    }
    lines = [
        "| deployment | ITL covered | ITL high / low | TTFT covered | TTFT high / low |",
        "|---|---:|---:|---:|---:|",
    ]
    for tier, cells in intervals.coverage().items():
        values = " | ".join(f"{100 * share:.0f} % | {width:.2f}" for share, width in cells)
        lines.append(f"| {names[tier]} | {values} |")
    return "\n".join(lines)
