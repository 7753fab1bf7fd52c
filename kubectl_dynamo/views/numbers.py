"""Numbers with the digits that matter, for people."""

from __future__ import annotations

from datetime import datetime, timedelta


def number(value: float) -> str:
    """Three significant digits, thousands separated: 12,345 · 312 · 31.2 · 3.12 · 0.312."""
    size = abs(value)
    if size >= 100 or value == 0:
        return f"{value:,.0f}"
    if size >= 10:
        text = f"{value:.1f}"
    elif size >= 1:
        text = f"{value:.2f}"
    else:
        return f"{value:.3g}"
    return text.rstrip("0").rstrip(".")


def count(value: int, noun: str) -> str:
    """`1 replica`, `1,204 candidates`."""
    if value == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and not noun.endswith("ey") else f"{noun}s"
    return f"{value:,} {plural}"


def percent(part: float, whole: float) -> str:
    """`42%`; one digit where it is small."""
    share = 100 * part / whole
    return f"{share:.1f}%" if abs(share) < 1 else f"{share:,.0f}%"


def age(then: datetime | None, now: datetime) -> str:
    """How long ago, as kubectl's AGE column says it: 45s, 12m, 5h, 3d."""
    if then is None:
        return "<unknown>"
    seconds = max(0, int((now - then) / timedelta(seconds=1)))
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "m"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86_400}d"


def instant(text: object) -> datetime | None:
    """An RFC 3339 time of the API, or None where it is absent or unreadable."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) and text else None
    except ValueError:
        return None
