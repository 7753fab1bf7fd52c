"""Every invalid request ends in a failed status with the rule's message; absurd but valid ones are answered."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from profiler.__main__ import main

HARDWARE = {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8}
CHOOSE = "spec.searchStrategy: Invalid value: thorough: is incompatible with spec.backend auto"


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """A run handles signals and ignores them at its end; the tests go on with theirs."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def run(directory: Path, **spec: Any) -> tuple[int, dict[str, str]]:
    """The exit code and the status file, with blanks as people read them."""
    given = {"model": "Qwen/Qwen3-32B", "backend": "vllm", "hardware": HARDWARE, **spec}
    code = main(["--config", json.dumps(given), "--output-dir", str(directory)])
    status = yaml.safe_load((directory / "profiler_status.yaml").read_text())
    return code, {key: str(value).replace("\u00a0", " ") for key, value in status.items()}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"hardware": {"totalGpus": 8}}, "spec.hardware.gpuSku: Required value"),
        ({"hardware": {"gpuSku": "h200_sxm"}}, "spec.hardware.totalGpus: Required value"),
        ({"hardware": {**HARDWARE, "numGpusPerNode": 0}}, "spec.hardware.numGpusPerNode: Invalid value: 0"),
        ({"hardware": {**HARDWARE, "totalGpus": -8}}, "spec.hardware.totalGpus: Invalid value: -8"),
        ({"hardware": {**HARDWARE, "vramMb": 0}}, "spec.hardware.vramMb: Invalid value: 0"),
        ({"hardware": {**HARDWARE, "gpuSku": "h300_sxm"}}, "spec.hardware.gpuSku: Unsupported value: h300_sxm"),
        ({"workload": {"concurrency": 5, "requestRate": 1}}, "cannot be combined with spec.workload.concurrency"),
        ({"workload": {"requestRate": 0}}, "spec.workload.requestRate: Invalid value: 0"),
        ({"workload": {"concurrency": -1}}, "spec.workload.concurrency: Invalid value: -1"),
        ({"workload": {"isl": 0}}, "spec.workload.isl: Invalid value: 0"),
        ({"sla": {"ttft": 0}}, "spec.sla.ttft: Invalid value: 0"),
        ({"sla": {"e2eLatency": 0}}, "spec.sla.e2eLatency: Invalid value: 0"),
        ({"sla": {"itl": float("nan")}}, "sla.itl is nan: numbers must be finite"),
        ({"sla": {"e2eLatency": 1000, "ttft": 100}}, "spec.sla.e2eLatency: Forbidden: cannot be combined"),
        ({"backend": "auto", "searchStrategy": "thorough"}, CHOOSE),
        ({"overrides": {"dgd": [1]}}, "spec.overrides.dgd: Invalid type"),
        (
            {"features": {"planner": {"optimization_target": "sla", "pre_deployment_sweeping_mode": "none"}}},
            "spec.features.planner.pre_deployment_sweeping_mode: Invalid value: none",
        ),
        ({"features": {"planner": {"ttft_ms": 0}}}, "spec.features.planner.ttft_ms: Invalid value: 0"),
    ],
)
def test_an_invalid_request_fails_with_the_rules_message(tmp_path: Path, spec: dict[str, Any], says: str) -> None:
    code, status = run(tmp_path, **spec)
    assert (code, status["status"], status["message"]) == (1, "failed", "Config validation failed")
    assert says in status["error"]
    assert not (tmp_path / "final_config.yaml").exists()


def test_a_name_of_sixty_characters_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DGDR_NAME", "a" * 60)
    code, status = run(tmp_path)
    assert code == 1
    assert "metadata.name: Invalid value" in status["error"]


def test_a_prompt_beyond_the_context_says_what_to_lower(tmp_path: Path) -> None:
    code, status = run(tmp_path, workload={"isl": 200_000})
    assert code == 1
    assert "isl + osl exceed the context limit of the model" in status["error"]
    assert "lower spec.workload.isl or spec.workload.osl" in status["error"]


def test_a_million_gpus_are_a_request_like_any_other(tmp_path: Path) -> None:
    code, status = run(tmp_path, hardware={**HARDWARE, "totalGpus": 1_000_000})
    assert (code, status["status"]) == (0, "success")


@pytest.mark.parametrize("sla", [{"ttft": None, "itl": 50}, {"ttft": None, "itl": None}, {"itl": 50}])
def test_a_target_of_null_is_one_that_was_left_out(tmp_path: Path, sla: dict[str, Any]) -> None:
    assert run(tmp_path, sla=sla)[0] == 0


def test_a_hopeless_target_gets_the_closest_and_by_how_much(tmp_path: Path) -> None:
    code, status = run(tmp_path, sla={"ttft": 1, "itl": 1})
    assert code == 0
    assert "SLA not met by any configuration; closest: TTFT" in status["message"]
    assert "times the 1 ms asked" in status["message"]
