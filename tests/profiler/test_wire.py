"""`python -m profiler` as NVIDIA's operator runs it: a process, its files and its exit code."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from crds.vocabulary import ProfilingPhase
from profiler import status, wire
from profiler.status import Status

SPEC: dict[str, Any] = {
    "model": "meta-llama/Llama-3.1-70B-Instruct",
    "backend": "vllm",
    "image": "nvcr.io/nvidia/ai-dynamo/dynamo-planner:1.2.1",
    "hardware": {"gpuSku": "h200_sxm", "vramMb": 144384, "totalGpus": 16, "numGpusPerNode": 8},
    "workload": {"isl": 4000, "osl": 1000},
    "sla": {"ttft": 500, "itl": 50},
    "searchStrategy": "rapid",
    "autoApply": True,
}
ENVIRONMENT = {**os.environ, "DGDR_NAME": "llama", "DGDR_NAMESPACE": "team", "DGDR_UID": "0"}


def start(config: str, directory: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "profiler", "--config", config, "--output-dir", str(directory), *options]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(config: str, directory: Path, *options: str) -> tuple[int, str]:
    process = start(config, directory, *options)
    stdout, stderr = process.communicate(timeout=60)
    assert stdout == ""
    return process.returncode, stderr


def grep(directory: Path, key: str) -> str:
    """One line of the status file, as the sidecar's script reads it."""
    command = (
        f"grep '^{key}:' {directory}/profiler_status.yaml | head -1 | sed -e 's/^{key}: *//' -e 's/[\"'\"'\"']//g'"
    )
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()


def spec(**changes: Any) -> str:
    return json.dumps({**SPEC, **changes})


def test_a_spec_becomes_a_deployment(tmp_path: Path) -> None:
    code, stderr = run(spec(), tmp_path)
    assert (code, stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "final_config.yaml",
        "profiler_status.yaml",
        "webui_data.json",
    ]
    assert (grep(tmp_path, "status"), grep(tmp_path, "phase")) == ("success", "Done")
    assert (
        yaml.safe_load((tmp_path / "profiler_status.yaml").read_text())["outputs"]["final_config"]
        == "final_config.yaml"
    )
    *config_maps, dgd = yaml.safe_load_all((tmp_path / "final_config.yaml").read_text())
    assert [document["metadata"]["name"] for document in config_maps] == ["dgdr-profile-llama"]
    assert (dgd["kind"], dgd["metadata"]["name"]) == ("DynamoGraphDeployment", "llama-dgd")


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_a_file_holds_a_spec_or_a_whole_request(tmp_path: Path, suffix: str) -> None:
    whole = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "ignored", "namespace": "ignored"},
        "spec": SPEC,
    }
    for number, document in enumerate((SPEC, whole)):
        config = tmp_path / f"config{suffix}"
        config.write_text(json.dumps(document) if suffix == ".json" else yaml.safe_dump(document))
        assert run(str(config), tmp_path / str(number)) == (0, "")
    first, second = ((tmp_path / str(number) / "final_config.yaml").read_bytes() for number in (0, 1))
    assert first == second


def test_an_unknown_field_is_told_of_and_ignored(tmp_path: Path) -> None:
    assert run(spec(colour="green"), tmp_path) == (0, "")
    assert "spec.colour is ignored" in grep(tmp_path, "message")


def test_every_flag_of_nvidias_profiler_is_accepted(tmp_path: Path) -> None:
    flags = "--deployment-timeout 60 --prefill-interpolation-granularity 4 --decode-interpolation-granularity 3"
    assert run(spec(), tmp_path, *flags.split()) == (0, "")


def test_help_says_which_flags_have_no_effect() -> None:
    text = subprocess.run(
        [sys.executable, "-m", "profiler", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert " ".join(text.split()).count("accepted for compatibility and without effect") == 3


def test_a_dry_run_checks_and_writes_no_result(tmp_path: Path) -> None:
    assert run(spec(), tmp_path, "--dry-run") == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["profiler_status.yaml"]
    assert grep(tmp_path, "status") == "success"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{not json", "not valid YAML"),
        ("/nowhere/config.yaml", "no such file"),
        ("[]", "not a mapping"),
        (json.dumps({"backend": "vllm"}), "spec.model"),
        (json.dumps({"model": SPEC["model"]}), "spec.hardware.gpuSku: Required value"),
        (spec(features={"planner": {"max_gpu_budget": "all"}}), "spec.features.planner.max_gpu_budget"),
        (spec(sla={"itl": -5}), "spec.sla.itl: Invalid value: -5: must be greater than 0"),
        (spec(backend="auto", searchStrategy="thorough"), "spec.searchStrategy"),
        (spec(hardware={}), "spec.hardware.gpuSku: Required value"),
        (spec(hardware="many"), "spec.hardware"),
        (spec(overrides={"dgd": "text"}), "spec.overrides.dgd"),
        (json.dumps({"apiVersion": "nvidia.com/v1alpha1", "spec": SPEC}), "nvidia.com/v1alpha1"),
    ],
)
def test_a_bad_config_is_a_failed_status_and_one_line(tmp_path: Path, config: str, says: str) -> None:
    code, stderr = run(config, tmp_path)
    assert code == 1
    assert says in stderr
    assert len(stderr.splitlines()) == 1
    assert (grep(tmp_path, "status"), grep(tmp_path, "phase")) == ("failed", "Initializing")
    assert grep(tmp_path, "message") == "Config validation failed"
    assert says in grep(tmp_path, "error").replace("\u00a0", " ")
    assert not (tmp_path / "final_config.yaml").exists()


def test_an_unknown_model_without_a_network_fails_with_a_sentence(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "profiler", "--config", spec(model="nobody/knows"), "--output-dir", str(tmp_path)],
        env={**ENVIRONMENT, "HF_ENDPOINT": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert "nobody/knows" in grep(tmp_path, "error")


def test_a_model_that_fits_nowhere_fails_in_the_phase_of_selecting(tmp_path: Path) -> None:
    code, _ = run(spec(hardware={"gpuSku": "h100_sxm", "totalGpus": 1}), tmp_path)
    assert code == 1
    assert grep(tmp_path, "phase") == "SelectingConfig"
    assert "set spec.hardware.totalGpus to 2 or more" in grep(tmp_path, "error")


def test_wrong_usage_exits_2(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "profiler"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert process.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_an_output_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, stderr = run(spec(), tmp_path / "file")
    assert code == 1
    assert "Traceback" not in stderr
    assert str(tmp_path / "file") in stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_in_a_failed_status(tmp_path: Path, number: signal.Signals) -> None:
    """The config is a pipe that nobody writes to, so the run stands still in its first phase."""
    pipe = tmp_path / "config.yaml"
    os.mkfifo(pipe)
    process = start(str(pipe), tmp_path)
    deadline = time.monotonic() + 30
    while not (tmp_path / "profiler_status.yaml").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in stderr
    assert grep(tmp_path, "status") == "failed"
    assert number.name in grep(tmp_path, "error")


def test_a_signal_before_anything_is_imported_is_not_lost(tmp_path: Path) -> None:
    """What `python -m profiler` does first is to note signals; here one comes before it goes on."""
    code = (
        "import os, runpy, signal, sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'profiler.wire': os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.meta_path.insert(0, Stop())\n"
        f"sys.argv = ['profiler', '--config', sys.argv[1], '--output-dir', {str(tmp_path / 'new')!r}]\n"
        "runpy.run_module('profiler', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, spec()], env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in done.stderr
    assert grep(tmp_path / "new", "status") == "failed"
    assert "stopped by SIGTERM" in grep(tmp_path / "new", "error")


def test_a_result_that_does_not_fit_the_disk_is_a_failed_status(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the status fits, the result does not."""
    done = subprocess.run(
        [sys.executable, "-m", "profiler", "--config", spec(), "--output-dir", str(tmp_path)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["profiler_status.yaml"]
    assert (grep(tmp_path, "status"), grep(tmp_path, "phase")) == ("failed", "GeneratingDGD")
    assert "File too large" in grep(tmp_path, "error")


def test_on_a_full_disk_the_last_status_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the file would say for ever that the run is running."""
    run = wire.Run(tmp_path)
    run.enter(ProfilingPhase.INITIALIZING, "Profiler job started")
    real = status.write

    def write(directory: Path, found: Status, now: datetime) -> None:
        if (directory / "profiler_status.yaml").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(directory, found, now)

    monkeypatch.setattr(status, "write", write)
    run.fail("Profiler could not read or write a file", "final_config.yaml: No space left on device")
    assert grep(tmp_path, "status") == "failed"


def test_signals_at_any_moment_leave_a_final_state_or_none(tmp_path: Path) -> None:
    for step in range(12):
        directory = tmp_path / str(step)
        process = start(spec(), directory)
        time.sleep(0.06 * step)
        process.terminate()
        process.communicate(timeout=30)
        if (directory / "profiler_status.yaml").exists():
            assert grep(directory, "status") in {"success", "failed"}
        if (directory / "final_config.yaml").exists():
            assert list(yaml.safe_load_all((directory / "final_config.yaml").read_text()))[-1]["kind"].endswith(
                "Deployment"
            )
