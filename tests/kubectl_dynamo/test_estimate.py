"""`kubectl dynamo estimate`: one point, many points, a user's measurements."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from crds.vocabulary import ENGINES
from kubectl_dynamo.views import estimates as view
from kubectl_dynamo.views.style import Style
from profiler.points.tables import COLUMNS, FOUND, Table
from tests.kubectl_dynamo import estimates, golden
from tests.kubectl_dynamo.conftest import Run

POINT = ("--model", "Qwen/Qwen3-32B", "--gpu", "h200_sxm", "--tp", "2", "--concurrency", "16")
TABLE = """\
model,gpu_sku,tp,isl,osl,concurrency
Qwen/Qwen3-32B,h200_sxm,2,1000,200,16
Qwen/Qwen3-32B,h200_sxm,3,1000,200,16
deepseek-ai/DeepSeek-R1,b200_sxm,8,1000,200,64
"""


@pytest.mark.parametrize("width", [60, 80, 120])
def test_one_point_on_a_page(width: int) -> None:
    text = view.one(estimates.answer(), estimates.PARTS, Style(width))
    golden.check(f"estimate-one-{width}.txt", text)
    assert max(map(len, text.splitlines())) <= width


def test_workers_show_their_own_half() -> None:
    text = view.one(estimates.answer(mode="prefill"), estimates.OF_PREFILL, Style(80))
    golden.check("estimate-prefill-80.txt", text)
    assert "ITL" not in text
    of_decode = replace(estimates.PARTS, first_token={})
    assert "TTFT" not in view.one(estimates.answer(mode="decode"), of_decode, Style(80))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_many_points_as_a_table(width: int) -> None:
    rows = (("Qwen/Qwen3-30B-A3B", "h200_sxm"), ("deepseek-ai/DeepSeek-R1", "mi300"), ("Qwen/Qwen3-32B", "h2000"))
    table = Table(("model", "gpu_sku"), ("model", "gpu_sku"), rows, {})
    golden.check(f"estimate-many-{width}.txt", view.many(table, {}, estimates.FOUND, Style(width)))


def test_without_utf8_the_page_is_ascii() -> None:
    assert view.one(estimates.answer(), estimates.PARTS, Style(80, unicode=False)).isascii()


def test_a_point_from_flags(run: Run) -> None:
    result = run("estimate", *POINT)
    assert result.exit_code == 0, result.stderr
    for word in ("TTFT ms", "ITL ms", "tokens/s/GPU", "memory GiB/GPU", "Where the ITL goes", "dense GEMM"):
        assert word in result.stdout


def test_the_parts_of_the_itl_add_up(run: Run) -> None:
    for mode in ("agg", "decode"):
        row = json.loads(run("estimate", *POINT, "--mode", mode, "-o", "json").stdout)
        parts = sum(row["decode_step_ms"].values())
        assert parts <= row["itl_ms"] * (1 + 1e-9)
        if mode == "decode":
            assert parts == pytest.approx(row["itl_ms"])


def test_the_parts_of_the_ttft_add_up(run: Run) -> None:
    for mode in ("agg", "prefill"):
        row = json.loads(run("estimate", *POINT, "--mode", mode, "-o", "json").stdout)
        assert sum(row["first_token_ms"].values()) == pytest.approx(row["ttft_ms"])
        assert ("kv_transfer_ms" in row) == (mode == "prefill")


def test_a_request_rate_stands_for_a_concurrency(run: Run) -> None:
    point = POINT[:-2]
    at_rate = json.loads(run("estimate", *point, "--request-rate", "0.5", "-o", "json").stdout)
    in_flight = ("--concurrency", str(at_rate["in_flight"]))
    same = json.loads(run("estimate", *point, *in_flight, "-o", "json").stdout)
    assert same["ttft_ms"] == pytest.approx(at_rate["ttft_ms"])
    assert "0.5 requests/s: 7." in run("estimate", *point, "--request-rate", "0.5").stdout
    refused = run("estimate", *point, "--request-rate", "50")
    assert (refused.exit_code, "sustains no more than" in refused.stderr) == (1, True)
    engines = int(refused.stderr.split("spread it over ")[1].split()[0])
    assert run("estimate", *point, "--request-rate", str(50 / engines)).exit_code == 0
    assert run("estimate", *point, "--request-rate", str(50 / (engines - 1))).exit_code == 1


def test_stages_are_answered_and_said_to_be_unmeasured(run: Run) -> None:
    shown = run("estimate", *POINT, "--pp", "2").stdout
    assert "PP2" in shown
    assert "no measurement had pipeline stages" in " ".join(shown.split())
    assert json.loads(run("estimate", *POINT, "--pp", "2", "-o", "json").stdout)["provenance"] == "transferred"


def test_flags_and_a_file_give_the_same_answer(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(TABLE, encoding="utf-8")
    many = list(csv.DictReader(io.StringIO(run("estimate", "-f", "p.csv", "-o", "csv").stdout)))
    single = run("estimate", *POINT, "--isl", "1000", "--osl", "200", "-o", "csv").stdout
    assert next(csv.DictReader(io.StringIO(single)))["ttft_ms"] == many[0]["ttft_ms"]


def test_a_table_has_one_row_out_for_one_in(run: Run) -> None:
    result = run("estimate", "-f", "-", "-o", "csv", stdin=TABLE)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == 0
    assert [bool(row["reason"]) for row in rows] == [False, True, False]
    assert list(rows[0]) == [*TABLE.splitlines()[0].split(","), *FOUND]


def test_every_column_of_a_table_has_a_flag_that_fills_it(run: Run) -> None:
    from kubectl_dynamo.commands.estimate import POINT_FLAGS

    assert sorted(flag.column for flag in POINT_FLAGS) == sorted(COLUMNS)
    rows = json.loads(run("estimate", "-f", "-", "-o", "json", *POINT, stdin="osl\n100\n200\n").stdout)
    assert rows[0]["itl_ms"] != rows[1]["itl_ms"]
    assert run("estimate", "-f", "-", *POINT, stdin="osl\n100\n200\n").stdout.count("Qwen/Qwen3-32B  h200_sxm") == 2


def test_measurements_shift_the_estimate_and_narrow_it(run: Run, tmp_path: Path) -> None:
    before = json.loads(run("estimate", *POINT, "-o", "json").stdout)
    (tmp_path / "m.csv").write_text(f"itl_ms\n{before['itl_ms'] * 1.5}\n", encoding="utf-8")
    after = json.loads(run("estimate", *POINT, "--measured", "m.csv", "-o", "json").stdout)
    assert before["itl_ms"] < after["itl_ms"] < before["itl_ms"] * 1.5
    assert after["itl_ms_high"] / after["itl_ms_low"] < before["itl_ms_high"] / before["itl_ms_low"]
    assert sum(after["decode_step_ms"].values()) > sum(before["decode_step_ms"].values())


def test_measurements_of_something_else_are_said_to_be_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("model,gpu_sku,itl_ms\nQwen/Qwen3-8B,h200_sxm,20\n", encoding="utf-8")
    result = run("estimate", *POINT, "--measured", "m.csv", "-o", "csv")
    assert (result.exit_code, "of another model, GPU or engine" in result.stderr) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--gpu", "l4"), "with --tp 4 it has one"),
        (("--gpu", "h200_smx"), 'did you mean "h200_sxm"?'),
        (("--gpu", "h200_sxm", "--isl", "50000"), "40,960 tokens"),
        (("--gpu", "h200_sxm", "--isl", "0"), "isl: Invalid value: '0'"),
        (("--gpu", "h200_sxm", "--concurrency", "nan"), "concurrency: Invalid value: 'nan'"),
        (("--gpu", "h200_sxm", "--measured", "gone.csv"), "error: gone.csv: no such file"),
        (("--gpu", "h200_sxm", "-f", "gone.csv"), "error: gone.csv: no such file"),
    ],
)
def test_a_point_without_an_answer_is_an_error_that_says_why(run: Run, arguments: tuple[str, ...], told: str) -> None:
    result = run("estimate", "--model", "Qwen/Qwen3-32B", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr
    assert "should not happen" not in result.stderr


def test_an_unknown_model_lists_the_ways_out(run: Run) -> None:
    assert "--online" in run("estimate", "--model", "nobody/knows", "--gpu", "t4").stderr


def test_too_few_flags_are_a_usage_error(run: Run) -> None:
    assert run("estimate", "--model", "Qwen/Qwen3-32B").exit_code == 2
    assert run("estimate", "--model", "Qwen/Qwen3-32B", "--gpu", "").exit_code == 2


def test_a_misspelt_column_is_named(run: Run) -> None:
    Path("points.csv").write_text("model,gpu_sku,islt,ep,note\nQwen/Qwen3-30B-A3B,h200_sxm,2000,1,x\n")
    result = run("estimate", "-f", "points.csv", "-o", "csv")
    assert result.stderr.splitlines() == [
        'Warning: points.csv: column "islt" is kept but not read; did you mean isl?',
        'Warning: points.csv: column "ep" is kept but not read; did you mean moe_ep?',
    ]


@pytest.mark.parametrize("name", ["H100", "a100"])
def test_a_gpu_with_two_form_factors_has_to_be_named_in_full(run: Run, name: str) -> None:
    found = run("estimate", "--model", "Qwen/Qwen3-32B", "--gpu", name)
    assert found.exit_code == 1
    assert f'"{name}" is two GPUs: say {name.lower()}_sxm or {name.lower()}_pcie' in found.stderr
    Path("points.csv").write_text(f"model,gpu_sku\nQwen/Qwen3-32B,{name}\n")
    (row,) = json.loads(run("estimate", "-f", "points.csv", "-o", "json").stdout)
    assert row["reason"].startswith(f'gpu_sku: "{name}" is two GPUs')


@pytest.mark.parametrize("backend", [str(engine) for engine in ENGINES])
def test_more_requests_than_fit_are_said_to_be_so(run: Run, backend: str) -> None:
    for crowd in (600, 900, 2000):  # by rounding, a full engine may seem to run more than fit
        text = run("estimate", *POINT, "--backend", backend, "--concurrency", str(crowd)).stdout
        assert f"of {crowd:,} in flight" in text
        assert "wait for a place" in text
    assert "in the KV cache" in run("estimate", *POINT, "--backend", backend).stdout
