"""`kubectl dynamo profile --measured`: a user's own measurements from the command line to the pick."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kubectl_dynamo.conftest import Run
from tests.profiler.test_determinism import PLACES

MODEL = "meta-llama/Llama-3.1-70B-Instruct"
SYSTEM = ("--model", MODEL, "--gpu", "h100_sxm", "--backend", "vllm")
ASKED = (*SYSTEM, "--gpus", "16", "--itl", "50", "--ttft", "1000")
LOADS = (16, 32, 64, 128)


def profiled(run: Run, *more: str) -> dict[str, Any]:
    result = run("profile", *ASKED, *more, "-o", "json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def shape(found: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(worker["role"], worker["layout"]["tp"], worker["replicas"]) for worker in found["workers"]]


def estimated(run: Run, concurrency: int) -> dict[str, float]:
    row: dict[str, float] = json.loads(
        run("estimate", *SYSTEM, "--tp", "4", "--concurrency", str(concurrency), "-o", "json").stdout
    )
    return row


@pytest.fixture
def slow(run: Run, tmp_path: Path) -> str:
    """TP4 as measured at some loads: twice as slow as estimated."""
    lines = ["backend,tp,isl,osl,concurrency,ttft_ms,itl_ms"]
    for load in LOADS:
        at = estimated(run, load)
        lines.append(f"vllm,4,4000,1000,{load},{2 * at['ttft_ms']},{2 * at['itl_ms']}")
    (tmp_path / "slow.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "slow.csv"


def test_a_layout_that_is_twice_as_slow_as_estimated_is_not_picked(run: Run, slow: str) -> None:
    before, after = profiled(run), profiled(run, "--measured", slow)
    assert shape(before["pick"]) == [("worker", 4, 4)]
    assert shape(after["pick"]) != [("worker", 4, 4)]
    assert after["pick"]["metrics"]["itl_ms"] <= 50
    assert after["calibration"]["used"] == len(LOADS)
    assert after["calibration"]["instead_of"] == before["pick"]
    assert before["calibration"] is None


def test_the_page_says_what_measurements_changed_and_explain_shows_them(run: Run, slow: str) -> None:
    page = " ".join(run("profile", *ASKED, "--measured", slow).stdout.split())
    assert "Your 4 measurements put" in page
    assert "without them the pick would be vllm agg 4x TP4." in page
    assert "What you measured" not in page
    explained = run("profile", *ASKED, "--measured", slow, "--explain").stdout
    assert "What you measured" in explained
    assert "vllm agg TP4" in explained


def test_the_same_files_give_the_same_bytes(run: Run, slow: str) -> None:
    first, second = (run("profile", *ASKED, "--measured", slow, "-o", "yaml").stdout for _ in range(2))
    assert first == second != ""


@pytest.mark.parametrize("place", PLACES)
def test_every_place_gives_the_same_bytes(run: Run, slow: str, tmp_path: Path, place: str) -> None:
    command = [
        str(Path(sys.executable).with_name("kubectl-dynamo")),
        "profile",
        *ASKED,
        "--measured",
        slow,
        "-o",
        "json",
    ]
    there = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **PLACES[place]}
    done = subprocess.run(command, cwd=tmp_path, env=there, capture_output=True, text=True, check=True)
    assert done.stdout == run("profile", *ASKED, "--measured", slow, "-o", "json").stdout


def test_an_export_of_aiperf_is_taken_with_its_layout_behind_the_name(run: Run, tmp_path: Path) -> None:
    at = estimated(run, 32)
    export = {
        "time_to_first_token": {"unit": "ms", "avg": at["ttft_ms"]},
        "inter_token_latency": {"unit": "ms", "avg": 2 * at["itl_ms"]},
        "input_sequence_length": {"unit": "tokens", "avg": 4000},
        "output_sequence_length": {"unit": "tokens", "avg": 1000},
        "input_config": {"endpoint": {"model_names": [MODEL]}, "loadgen": {"concurrency": 32}},
    }
    (tmp_path / "run.json").write_text(json.dumps(export), encoding="utf-8")
    found = profiled(run, "--measured", "run.json,tp=4,arrival=steady")
    (point,) = found["calibration"]["measurements"]
    assert (point["layout"]["tp"], point["concurrency"], point["source"]) == (4, 32, "run.json: row 1")
    assert point["itl_ms"] / point["itl_ms_estimated"] == pytest.approx(2, rel=1e-3)


def test_files_add_up(run: Run, slow: str, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("tp,concurrency,itl_ms\n8,32,22\n", encoding="utf-8")
    assert profiled(run, "--measured", slow, "--measured", "more.csv")["calibration"]["used"] == len(LOADS) + 1


def test_measurements_of_something_else_are_named_and_left_out(run: Run, slow: str, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("tp,concurrency,itl_ms,gpu_sku\n4,32,22,h200_sxm\n", encoding="utf-8")
    result = run("profile", *ASKED, "--measured", slow, "--measured", "other.csv", "-o", "name")
    assert "other.csv: row 1 is of GPU h200_sxm (asked: h100_sxm)" in result.stderr
    assert result.exit_code == 0


HEADER = "backend,tp,concurrency,itl_ms"
BAD = {
    "empty": (b"", "it is empty"),
    "garbage": (bytes(range(128, 256)), "is not text in UTF-8"),
    "seconds": (f"{HEADER}\nvllm,4,32,0.031\n".encode(), "is it in milliseconds, and of this deployment?"),
    "microseconds": (f"{HEADER}\nvllm,4,32,31000\n".encode(), "is it in milliseconds, and of this deployment?"),
    "NaN": (f"{HEADER}\nvllm,4,32,nan\n".encode(), "must be a positive number of milliseconds"),
    "another JSON": (b'{"a": 1}', "holds no time_to_first_token"),
    "a record a line": (b'{"a": 1}\n{"a": 2}\n', "give AIPerf's profile_export_aiperf.json"),
    "a million rows": (f"{HEADER}\n".encode() + b"vllm,4,32,31\n" * 1_000_000, "10,000 are the most"),
    "a column that nobody reads": (b"backend,tp,concurrency,itl_ms,gpu\nvllm,4,32,31,b200\n", "did you mean gpu_sku?"),
    "no layout": (b"backend,concurrency,itl_ms\nvllm,32,31\n", "does not say the tp of what was measured"),
    "no load": (b"backend,tp,itl_ms\nvllm,4,31\n", "does not say the concurrency of what was measured"),
    "heads that do not divide": (f"{HEADER}\nvllm,3,32,31\n".encode(), "heads not divisible by TP"),
    "another engine": (f"{HEADER}\nsglang,4,32,31\n".encode(), "is of engine sglang (asked: vllm)"),
    "another GPU": (f"{HEADER},gpu_sku\nvllm,4,32,31,b200_sxm\n".encode(), "is of GPU b200_sxm (asked: h100_sxm)"),
    "another model": (
        f"{HEADER},model\nvllm,4,32,31,Qwen/Qwen3-32B\n".encode(),
        f"is of model Qwen/Qwen3-32B (asked: {MODEL})",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_an_error_that_says_why(run: Run, tmp_path: Path, name: str) -> None:
    data, told = BAD[name]
    (tmp_path / "bad.csv").write_bytes(data)
    result = run("profile", *ASKED, "--measured", "bad.csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr
    assert "should not happen" not in result.stderr
    assert not list(tmp_path.glob("*.yaml"))


def test_an_engine_that_neither_request_nor_file_names_is_asked_for(run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("tp,concurrency,itl_ms\n4,32,31\n", encoding="utf-8")
    asked = ("--model", MODEL, "--gpu", "h100_sxm", "--gpus", "16", "-o", "name")
    refused = run("profile", *asked, "--measured", "m.csv")
    assert "m.csv: does not say the backend of what was measured" in refused.stderr
    assert run("profile", *asked, "--measured", "m.csv,backend=vllm").exit_code == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("gone.csv",), "gone.csv: no such file"),
        (("slow.csv,itl=3",), 'no column is called "itl"; did you mean isl?'),
        (("slow.csv,ep=4",), 'no column is called "ep"; did you mean moe_ep?'),
        (("slow.csv,tp=",), "says nothing after tp="),
        (("slow.csv,tp=x",), "tp: Invalid value: 'x'"),
        (("slow.csv", "slow.csv,tp=8"), "slow.csv: is given twice"),
    ],
)
def test_a_flag_that_cannot_be_used_says_why(run: Run, slow: str, given: tuple[str, ...], told: str) -> None:
    result = run("profile", *ASKED, *(part for path in given for part in ("--measured", path)))
    assert result.exit_code == 1
    assert told in " ".join(result.stderr.replace("\n  ", "; ").split())
