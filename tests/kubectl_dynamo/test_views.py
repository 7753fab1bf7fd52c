"""What users see, at three widths, with and without UTF-8 and colour."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from kubectl_dynamo.views import describe, html, pareto, pick, profile
from kubectl_dynamo.views.chart import ticks
from kubectl_dynamo.views.numbers import age, count, number
from kubectl_dynamo.views.style import Style
from kubectl_dynamo.views.svg import svg
from kubectl_dynamo.views.tables import Column, table
from profiler.profile import Profile
from tests.kubectl_dynamo import golden
from tests.kubectl_dynamo.profiles import EXPLAINED, MEASURED, MET, MISSED, QWEN
from tests.kubectl_dynamo.stories import NOW, STORIES

WIDTHS = (60, 80, 120)
AT = datetime.fromisoformat(NOW)


def fits(text: str, width: int) -> bool:
    return all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("name", "found"), [("met", MET), ("missed", MISSED)])
def test_profile_report(name: str, found: Profile, width: int) -> None:
    text = profile.report(found, Style(width))
    golden.check(f"profile-{name}-{width}.txt", text)
    assert fits(text, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_an_explained_report(width: int) -> None:
    text = profile.report(EXPLAINED, Style(width), explained=True)
    golden.check(f"profile-explained-{width}.txt", text)
    assert fits(text, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_with_measurements(width: int) -> None:
    text = profile.report(MEASURED, Style(width), explained=True)
    golden.check(f"profile-measured-{width}.txt", text)
    assert fits(text, width)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {},
            "Your 3 measurements put TTFT 7% lower and ITL 78% higher than estimated; without them the pick would be ",
        ),
        ({"used": 1, "ttft_factor": 1.0}, "Your measurement puts ITL 78% higher than estimated; without it the pick "),
        (
            {"ttft_factor": 1.0, "itl_factor": 1.004},
            "Your 3 measurements leave it as estimated; without them the pick ",
        ),
        ({"instead_of": MEASURED.pick}, "than estimated; without them the pick would be the same."),
    ],
)
def test_what_measurements_changed_is_a_sentence(change: dict[str, Any], told: str) -> None:
    assert MEASURED.calibration
    assert told in pick.measured(MEASURED, replace(MEASURED.calibration, **change))


def test_a_page_shows_what_was_measured() -> None:
    text = html.page([MEASURED])
    assert "What you measured" in text
    assert "slow.csv: row 2" in text
    assert "What you measured" not in html.page([EXPLAINED])


def test_explaining_shows_every_alternative() -> None:
    many = replace(EXPLAINED, alternatives=EXPLAINED.alternatives * 4)
    assert "3 more: --explain" in profile.report(many, Style(80))
    assert "more: --explain" not in profile.report(many, Style(80), explained=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_pareto_report_overlays_requests(width: int) -> None:
    text = pareto.report([MET, QWEN], Style(width))
    golden.check(f"pareto-two-{width}.txt", text)
    assert fits(text, width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", STORIES)
def test_describe_page(name: str, width: int) -> None:
    text = describe.page(STORIES[name], AT, Style(width))
    golden.check(f"describe-{name}-{width}.txt", text)
    assert fits(text, width)


def test_without_utf8_everything_is_ascii() -> None:
    style = Style(80, unicode=False)
    text = profile.report(MET, style)
    golden.check("profile-met-80-ascii.txt", text)
    pages = [describe.page(story, AT, style) for story in STORIES.values()]
    assert "\n".join([text, profile.report(MISSED, style), pareto.report([MET, QWEN], style), *pages]).isascii()


def test_colour_adds_nothing_but_colour() -> None:
    painted = profile.report(MET, Style(80, color=True))
    golden.check("profile-met-80-color.txt", painted)
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == profile.report(MET, Style(80))


def test_wide_shows_the_whole_front_and_every_alternative() -> None:
    golden.check("profile-met-120-wide.txt", profile.report(MET, Style(120), everything=True))


def test_an_interval_that_crosses_its_limit_is_only_likely_met() -> None:
    verdicts = [line for line in pick.page(MET, Style(80)).splitlines() if "ITL" in line]
    assert "likely met; limits the pick" in verdicts[-1]


def test_a_limit_far_off_does_not_squeeze_the_picture() -> None:
    assert pareto.chart([MISSED]).x_top == 74.0
    assert "off this chart at 200" in pareto.report([MISSED], Style(100))


def test_a_pick_off_the_front_is_drawn_and_listed() -> None:
    off = replace(MET, pick=replace(MET.pick, gpus=99, metrics=replace(MET.pick.metrics, throughput_per_gpu=300.0)))
    assert pareto.report([off], Style(80)).count("★") == 3  # legend, picture, table


def test_a_front_of_one_point_draws() -> None:
    assert "★" in pareto.report([replace(MET, frontier=(), cloud=())], Style(60))


def test_svg_is_well_formed_and_carries_every_point() -> None:
    text = svg(pareto.chart([MET]), "front of <llama>")
    golden.check("pareto-met.svg", text)
    root = ElementTree.fromstring(text)
    tips = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert [tip for tip in tips if MET.pick.label in tip]
    assert len(tips) == 1 + len(MET.frontier) + 1


@pytest.mark.parametrize(("name", "found"), [("explained", [EXPLAINED]), ("missed", [MISSED]), ("two", [MET, QWEN])])
def test_a_page_for_a_browser(name: str, found: list[Profile]) -> None:
    text = html.page(found)
    golden.check(f"page-{name}.html", text)
    (svg_text,) = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    ElementTree.fromstring(svg_text)
    assert all(text.count(f"<{tag}") == text.count(f"</{tag}>") for tag in ("table", "tr", "td", "section", "script"))


def test_a_page_loads_nothing_and_believes_no_name() -> None:
    hostile = replace(EXPLAINED, asked=replace(EXPLAINED.asked, name="<script>alert(1)</script>", model="a&b"))
    text = html.page([hostile])
    assert "<script>alert" not in text
    assert "a&amp;b" in text
    assert not re.search(r"(src|href)=|@import|url\(", text)


def test_columns_of_a_page_that_hold_numbers_sort_as_numbers() -> None:
    text = html.page([MET])
    fastest = max(point.metrics.ttft_ms for point in MET.frontier)
    assert f'data-v="{fastest:g}"' in text
    assert text.count("class=sort") == 2  # the front and the alternatives


def test_csv_has_a_row_for_each_point() -> None:
    golden.check("pareto-met.csv", pareto.to_csv([MET]))
    lines = pareto.to_csv([MET, QWEN]).splitlines()
    assert len(lines) == 1 + len(MET.frontier) + len(QWEN.frontier)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12345.6, "12,346"), (312.4, "312"), (31.24, "31.2"), (3.1, "3.1"), (0.01234, "0.0123")],
)
def test_numbers_show_the_digits_that_matter(value: float, text: str) -> None:
    assert number(value) == text


def test_counts_are_grammatical() -> None:
    assert [count(1, "GPU"), count(2, "GPU"), count(2, "retry"), count(1204, "key")] == [
        "1 GPU",
        "2 GPUs",
        "2 retries",
        "1,204 keys",
    ]


@pytest.mark.parametrize(
    ("then", "text"), [("12:29:01", "59s"), ("12:18:00", "12m"), ("07:30:00", "5h"), ("12:31:00", "0s")]
)
def test_ages_are_kubectls(then: str, text: str) -> None:
    assert age(datetime.fromisoformat(f"2026-05-01T{then}Z"), AT) == text


@pytest.mark.parametrize("high", [0.0, 0.03, 1.0, 7.0, 60.0, 99.9, 1e6])
def test_ticks_are_round_and_reach_the_top(high: float) -> None:
    values = ticks(high, 5)
    assert values[0] == 0
    assert values[-1] >= high
    assert 2 <= len(values) <= 7


def test_a_narrow_table_drops_optional_columns_before_it_wraps() -> None:
    columns = (Column("A"), Column("B", optional=True), Column("WHY", wraps=True))
    rows = [["a" * 20, "b" * 20, "long words " * 5]]
    assert "B" in table(columns, rows, Style(100)).splitlines()[0]
    narrow = table(columns, rows, Style(45))
    assert "B" not in narrow.splitlines()[0]
    assert fits(narrow, 45)


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def __init__(self, tty: bool) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


@pytest.mark.parametrize(
    ("tty", "environment", "flag", "colored"),
    [
        (True, {}, "auto", True),
        (False, {}, "auto", False),
        (True, {"NO_COLOR": "1"}, "auto", False),
        (True, {"TERM": "dumb"}, "auto", False),
        (False, {"NO_COLOR": "1"}, "always", True),
        (True, {}, "never", False),
    ],
)
def test_colour_follows_terminal_environment_and_flag(
    tty: bool, environment: dict[str, str], flag: str, colored: bool
) -> None:
    assert Style.of(_Terminal(tty), environment, flag).color is colored


def test_piped_output_is_a_hundred_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert Style.of(_Terminal(tty=False), {}).width == 100
