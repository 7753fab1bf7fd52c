"""The Pareto front of one or more profiles: as a chart, a table, and rows for csv and json."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from kubectl_dynamo.views.chart import Chart, Limit, Point, Series
from kubectl_dynamo.views.numbers import number
from kubectl_dynamo.views.plot import plot
from kubectl_dynamo.views.style import Color, Style
from kubectl_dynamo.views.tables import Cell, Column, paragraph, table
from profiler.profile import Asked, Configuration, Profile

COLUMNS = (
    "name",
    "pick",
    "backend",
    "mode",
    "configuration",
    "gpus",
    "ttft_ms",
    "itl_ms",
    "throughput_per_user",
    "throughput_per_gpu",
    "request_rate",
    "concurrency",
    "provenance",
)
OFF_THE_FRONT = (
    "The pick is off the front: that compares what each GPU gives, whatever the TTFT and the load; the pick is best "
    "for the request as a whole."
)
X_LABEL, Y_LABEL = "tokens/s/user (1000 / ITL)", "tokens/s/GPU"


def chart(profiles: Sequence[Profile]) -> Chart:
    """Fronts, picks and ITL limits of the profiles; the cloud only where there is one profile."""
    limits = {profile.asked.itl_ms for profile in profiles if profile.asked.itl_ms}
    return Chart(
        series=tuple(
            Series(profile.asked.name, tuple(map(_point, profile.frontier)), _point(profile.pick))
            for profile in profiles
        ),
        cloud=profiles[0].cloud if len(profiles) == 1 else (),
        limits=tuple(Limit(1000 / itl, f"ITL ≤ {number(itl)} ms to the right") for itl in sorted(limits)),
        x_label=X_LABEL,
        y_label=Y_LABEL,
    )


def picture(profile: Profile, style: Style) -> str:
    """The chart of one profile in a terminal."""
    drawn = plot(chart([profile]), style)
    return drawn if profile.pick in profile.frontier else f"{drawn}\n{paragraph(OFF_THE_FRONT, style)}"


def series_name(asked: Asked) -> str:
    """`qwen (Qwen/Qwen3-32B, 16x h200_sxm)`."""
    return f"{asked.name} ({asked.model}, {asked.total_gpus}x {asked.gpu_sku})"


def report(profiles: Sequence[Profile], style: Style, *, everything: bool = False) -> str:
    """The picture, then each front as a table (the accessible form of the same)."""
    parts = [plot(chart(profiles), style)]
    for profile in profiles:
        title = style.bold(paragraph(series_name(profile.asked), style, indent=""))
        parts.append(f"{title}\n{front_table(profile, style, everything=everything)}")
    return "\n\n".join(parts)


def front_table(profile: Profile, style: Style, *, everything: bool = False) -> str:
    """The front, slowest for a user first; at most twelve rows, spread evenly, unless `everything`."""
    columns = (
        Column(""),
        Column("CONFIGURATION", wraps=True),
        Column("GPUS", right=True),
        Column("TTFT ms", right=True),
        Column("ITL ms", right=True),
        Column("TOK/S/USER", right=True, optional=True),
        Column("TOK/S/GPU", right=True),
    )
    front = with_pick(profile)
    shown = front if everything else _spread(front, profile.pick, 12)
    rows = [_row(configuration, profile.pick, style) for configuration in shown]
    text = table(columns, rows, style)
    hidden = len(front) - len(shown)
    return f"{text}\n  {hidden} more points: -o wide" if hidden else text


def _row(configuration: Configuration, pick: Configuration, style: Style) -> list[str | Cell]:
    metrics, chosen = configuration.metrics, configuration == pick
    color = Color.BOLD if chosen else None
    return [
        Cell(("★" if style.unicode else "*") if chosen else "", Color.STAR),
        Cell(configuration.label, color),
        str(configuration.gpus),
        number(metrics.ttft_ms),
        number(metrics.itl_ms),
        number(metrics.throughput_per_user),
        number(metrics.throughput_per_gpu),
    ]


def rows(profiles: Sequence[Profile]) -> list[dict[str, object]]:
    """One flat record for each point of each front; the pick is always among them."""
    return [
        dict(zip(COLUMNS, _values(profile, configuration), strict=True))
        for profile in profiles
        for configuration in with_pick(profile)
    ]


def to_csv(profiles: Sequence[Profile]) -> str:
    """The rows as CSV with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(profiles))
    return out.getvalue()


def _values(profile: Profile, configuration: Configuration) -> tuple[object, ...]:
    metrics = configuration.metrics
    return (
        profile.asked.name,
        configuration == profile.pick,
        configuration.backend,
        configuration.mode,
        configuration.label,
        configuration.gpus,
        metrics.ttft_ms,
        metrics.itl_ms,
        metrics.throughput_per_user,
        metrics.throughput_per_gpu,
        metrics.request_rate,
        metrics.concurrency,
        configuration.provenance,
    )


def with_pick(profile: Profile) -> list[Configuration]:
    """The front and the pick, which need not lie on it (load match takes the fewest GPUs)."""
    front = list(profile.frontier)
    if profile.pick not in front:
        front.append(profile.pick)
    return sorted(front, key=lambda configuration: configuration.metrics.throughput_per_user)


def _spread(front: list[Configuration], pick: Configuration, most: int) -> list[Configuration]:
    """`most` points evenly over the front, the pick among them."""
    if len(front) <= most:
        return front
    kept = {round(i * (len(front) - 1) / (most - 1)) for i in range(most)}
    return [configuration for i, configuration in enumerate(front) if i in kept or configuration == pick]


def _point(configuration: Configuration) -> Point:
    metrics = configuration.metrics
    return Point(
        metrics.throughput_per_user, metrics.throughput_per_gpu, configuration.label, configuration.mode == "disagg"
    )
