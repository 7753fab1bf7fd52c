"""The files: what the sidecar and the operator read, whole or not at all."""

from __future__ import annotations

import errno
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from crds.vocabulary import ProfilingPhase
from profiler import outcome, pipeline, status
from profiler.models import load
from profiler.status import Status
from tests.profiler.requests import DENSE, MLA, MOE, request

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def written(directory: Path, model: str = DENSE, gpus: int = 16, **spec: Any) -> dict[str, str]:
    asked = request(model, gpus, **spec)
    loaded = load(model)
    return outcome.write(directory, asked, loaded, pipeline.profile(asked, loaded))


def test_result_is_a_stream_that_ends_in_the_deployment(tmp_path: Path) -> None:
    written(tmp_path, features={"planner": {}})
    text = (tmp_path / "final_config.yaml").read_text()
    kinds = [document["kind"] for document in yaml.safe_load_all(text)]
    assert kinds == ["ConfigMap", "ConfigMap", "DynamoGraphDeployment"]
    assert text.endswith("\n")
    assert not re.search(r"(^|\s)[&*]id\d+", text)
    assert not re.search(r": (null|~)?$\n(?=\S)", text, re.MULTILINE)


@pytest.mark.parametrize(("model", "gpus"), [(DENSE, 16), (MOE, 32), (MLA, 32)])
def test_files_fit_one_config_map(tmp_path: Path, model: str, gpus: int) -> None:
    written(tmp_path, model, gpus)
    texts = [path.read_text() for path in tmp_path.iterdir()]
    assert sum(len(text.encode()) for text in texts) <= 150_000 - outcome.STATUS_BYTES
    assert len(json.dumps(texts)) < 262_144
    assert all(text.endswith("\n") for text in texts)


def test_webui_rows_have_seven_columns_and_end_in_a_deployment_with_its_estimates(tmp_path: Path) -> None:
    written(tmp_path)
    rows = json.loads((tmp_path / "webui_data.json").read_text())["cost"]["table"]["data"]
    assert 2 <= len(rows) <= outcome.MAX_POINTS
    for row in rows:
        assert len(row) == 7
        assert all(isinstance(value, float) and value > 0 for value in row[:6])
        dgd = yaml.safe_load(row[6])
        assert dgd["kind"] == "DynamoGraphDeployment"
        assert float(dgd["metadata"]["annotations"]["dgdr.nvidia.com/estimate-itl-ms"]) == pytest.approx(row[2])


def test_points_are_shed_until_the_files_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    everything = sum(path.stat().st_size for path in tmp_path.iterdir())
    monkeypatch.setattr(outcome, "MAX_BYTES", everything - 10_000)
    written(tmp_path)
    rows = json.loads((tmp_path / "webui_data.json").read_text())["cost"]["table"]["data"]
    assert 2 <= len(rows) < outcome.MAX_POINTS
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= everything - 10_000


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "final_config.yaml"
    target.write_text("before\n")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        status.replace(target, b"after\n")
    assert [path.name for path in tmp_path.iterdir()] == ["final_config.yaml"]
    assert target.read_text() == "before\n"


def test_status_has_its_keys_in_order_one_line_each(tmp_path: Path) -> None:
    full = Status("success", ProfilingPhase.DONE, "all well", "nothing", {"final_config": "final_config.yaml"})
    status.write(tmp_path, full, NOW)
    text = (tmp_path / "profiler_status.yaml").read_text()
    keys = [line.partition(":")[0] for line in text.splitlines()]
    assert keys == ["status", "timestamp", "message", "error", "outputs", "phase"]
    assert yaml.safe_load(text) == {
        "status": "success",
        "timestamp": "2026-01-02T03:04:05Z",
        "message": "all well",
        "error": "nothing",
        "outputs": {"final_config": "final_config.yaml"},
        "phase": "Done",
    }


def test_a_sentence_with_colons_reads_the_same() -> None:
    line = status.one_line('spec.sla.itl: Invalid value: -5: must be "greater" than 0')
    assert status.plain(line) == "spec.sla.itl: Invalid value: -5: must be greater than 0"


@given(st.text(max_size=200))
def test_any_error_survives_grep_the_sidecar_and_yaml(text: str) -> None:
    rendered = Status("failed", ProfilingPhase.INITIALIZING, "m", f"error {text}").render(NOW)
    lines = [line for line in rendered.split("\n") if line.startswith("error:")]
    assert len(lines) == 1
    value = lines[0].removeprefix("error:").strip(" ")
    assert not set(value) & set("\"'\\")
    assert " #" not in value
    # The sidecar pastes the value between double quotes; the file itself is read as YAML too.
    assert yaml.safe_load(f'"{value}"') == yaml.safe_load(rendered)["error"] == value
    assert rendered.endswith("\n")
