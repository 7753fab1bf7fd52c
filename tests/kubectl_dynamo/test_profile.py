"""`kubectl dynamo profile`: the real profiler behind the command line, no cluster."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml

from kubectl_dynamo import inputs
from kubectl_dynamo.progress import CLEAR, Progress
from profiler.profile import Profile
from tests.kubectl_dynamo.conftest import REQUEST, Run


def test_profile_explains_and_writes_the_deployment(run: Run, request_file: str, tmp_path: Path) -> None:
    result = run("profile", "-f", request_file, "--gpus", "8")
    assert result.exit_code == 0, result.stderr
    for heading in ("Asked", "Searched", "Pick", "Pareto front", "Written", "Next"):
        assert f"\n{heading}\n" in result.stdout
    written = list(yaml.safe_load_all((tmp_path / "llama.dgd.yaml").read_text(encoding="utf-8")))
    assert written[-1]["kind"] == "DynamoGraphDeployment"
    assert "kubectl apply -f llama.dgd.yaml" in result.stdout


def test_profile_as_yaml_is_ready_for_kubectl_apply_and_writes_nothing(
    run: Run, request_file: str, tmp_path: Path
) -> None:
    result = run("profile", "-f", request_file, "--gpus", "8", "-o", "yaml")
    documents = list(yaml.safe_load_all(result.stdout))
    assert {document["kind"] for document in documents} <= {"ConfigMap", "DynamoGraphDeployment"}
    assert documents[-1]["kind"] == "DynamoGraphDeployment"
    assert [path.name for path in tmp_path.iterdir()] == ["llama.yaml"]


def test_profile_as_json_is_the_same_twice_and_can_be_drawn(run: Run, request_file: str, tmp_path: Path) -> None:
    first = run("profile", "-f", request_file, "--gpus", "8", "-o", "json").stdout
    assert first == run("profile", "-f", request_file, "--gpus", "8", "-o", "json").stdout
    assert Profile.from_json(first).asked.hardware_source == "request, flags"
    assert "★" in run("pareto", "-f", "-", stdin=first).stdout


def test_the_written_deployment_says_why_its_flags_are_there(run: Run, request_file: str, tmp_path: Path) -> None:
    run("profile", "-f", request_file, "--gpus", "8")
    written = (tmp_path / "llama.dgd.yaml").read_text(encoding="utf-8")
    assert "# the share that the estimates suppose" in written
    assert written == run("profile", "-f", request_file, "--gpus", "8", "-o", "yaml").stdout


def test_explain_adds_reasons(run: Run, request_file: str) -> None:
    plain, explained = (run("profile", "-f", request_file, "--gpus", "8", *more) for more in ((), ("--explain",)))
    assert "\nWhat would change it\n" in plain.stdout
    assert "limits the pick: without it a better one exists" in explained.stdout
    assert "\nOne decode step of " in explained.stdout


@pytest.mark.parametrize(("form", "start"), [("html", "<!doctype html>"), ("svg", "<svg ")])
def test_a_profile_as_a_picture_goes_to_standard_output(run: Run, request_file: str, form: str, start: str) -> None:
    result = run("profile", "-f", request_file, "--gpus", "8", "-o", form)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(start)
    profile = run("profile", "-f", request_file, "--gpus", "8", "-o", "json").stdout
    assert run("pareto", "-f", "-", "-o", form, stdin=profile).stdout == result.stdout


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_that_goes_away() -> None:
    terminal = _Terminal()
    with Progress(terminal) as progress:
        progress.step("Reading the model x")
        progress.step("Selecting from 5 candidates")
    assert terminal.getvalue().split(CLEAR) == ["", "Reading the model x ...", "Selecting from 5 candidates ...", ""]


def test_progress_is_silent_in_a_pipe() -> None:
    pipe = io.StringIO()
    with Progress(pipe) as progress:
        progress.step("Reading")
    assert pipe.getvalue() == ""


def test_profile_without_a_file(run: Run, tmp_path: Path) -> None:
    result = run("profile", "--model", "Qwen/Qwen3-32B", "--gpu", "h200_sxm", "--gpus", "8", "--output-dir", "out")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "qwen3-32b.dgd.yaml",
        "qwen3-32b.html",
        "qwen3-32b.profile.json",
    ]


def test_profile_reads_standard_input(run: Run) -> None:
    result = run("profile", "-f", "-", "--gpus", "8", "-o", "name", stdin=REQUEST)
    assert result.stdout == "dynamographdeployment.nvidia.com/llama-dgd\n"


def test_profile_refuses_a_gpu_that_the_file_contradicts(run: Run, request_file: str) -> None:
    result = run("profile", "-f", request_file, "--gpu", "b200_sxm", "--gpus", "8")
    assert result.exit_code == 1
    assert '--gpu b200_sxm, but llama.yaml has spec.hardware.gpuSku: "h200_sxm"' in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "Qwen/Qwen3-32B"], "--gpu h200_sxm --gpus 16"),
        (["--model", "Qwen/Qwen3-32B", "--gpu", "h200_sxm"], "--gpus 16"),
        (["--model", "nobody/knows-this", "--gpu", "h200_sxm", "--gpus", "8"], 'unknown model "nobody/knows-this"'),
        (["--model", "m", "--gpu", "h200_sxm", "--gpus", "-1"], "spec.hardware.totalGpus: Invalid value: -1"),
        (["--model", "Qwen/Qwen3-32B", "--gpu", "h200_sxm", "--gpus", "8", "--output-dir", "/proc/no"], "cannot write"),
    ],
)
def test_profile_says_what_is_missing(run: Run, arguments: list[str], told: str) -> None:
    result = run("profile", *arguments)
    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stdout.count("error") == 0


def test_a_gpu_without_a_count_is_asked_for_the_count(run: Run) -> None:
    result = run("profile", "--model", "Qwen/Qwen3-32B", "--gpu", "h200_sxm")
    assert result.exit_code == 1
    assert "spec.hardware.totalGpus: Required value" in result.stderr
    assert "nothing says how many h200_sxm GPUs there are" in result.stderr


def test_a_gpu_with_two_form_factors_has_to_be_named_in_full(run: Run) -> None:
    result = run("profile", "--model", "m", "--gpu", "H100", "--gpus", "8")
    assert result.exit_code == 2
    assert "'H100' is two GPUs: say h100_sxm or h100_pcie" in result.stderr


def test_a_gpu_that_only_estimates_know_is_said_to_be_one(run: Run) -> None:
    result = run("profile", "--model", "m", "--gpu", "b300_sxm", "--gpus", "8")
    assert result.exit_code == 2
    assert "a request cannot name b300_sxm: the API has no such SKU" in result.stderr


def test_an_unknown_gpu_is_a_usage_error_with_the_nearest(run: Run) -> None:
    result = run("profile", "--model", "m", "--gpu", "h200_smx", "--gpus", "8")
    assert result.exit_code == 2
    assert "did you mean h200_sxm?" in result.stderr


OLD = """\
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeploymentRequest
metadata:
  name: old
spec:
  model: Qwen/Qwen3-32B
  backend: vllm
  profilingConfig:
    profilerImage: nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.8.0
    config:
      sla: {isl: 3000, osl: 150, ttft: 500, itl: 30}
      sweep: {useAiConfigurator: true}
"""


def test_a_request_of_v1alpha1_is_profiled_as_what_it_is_in_v1beta1(run: Run) -> None:
    old = run("profile", "-f", "-", "--gpu", "h200_sxm", "--gpus", "8", "-o", "json", stdin=OLD)
    assert old.exit_code == 0, old.stderr
    assert old.stderr.splitlines()[0] == (
        "Note: standard input is of nvidia.com/v1alpha1; profiled as nvidia.com/v1beta1, "
        "without spec.profilingConfig.config.sweep.useAiConfigurator"
    )
    flags = ("--model", "Qwen/Qwen3-32B", "--backend", "vllm", "--gpu", "h200_sxm", "--gpus", "8")
    load = ("--isl", "3000", "--osl", "150", "--ttft", "500", "--itl", "30")
    assert old.stdout == run("profile", "--name", "old", *flags, *load, "-o", "json").stdout


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("isl: 3000", "isl: -4"), "spec.profilingConfig.config.sla.isl: Invalid value: -4: must be greater than 0"),
        (("model: Qwen/Qwen3-32B", "model: 3"), "spec.model: Invalid type: 3: must be a string"),
        (("v1alpha1", "v1"), 'apiVersion "nvidia.com/v1" has no DynamoGraphDeploymentRequest'),
    ],
)
def test_a_request_of_v1alpha1_is_held_against_its_own_rules(run: Run, change: tuple[str, str], told: str) -> None:
    result = run("profile", "-f", "-", "--gpu", "h200_sxm", "--gpus", "8", stdin=OLD.replace(*change))
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr


def test_a_request_of_v1alpha1_is_validated_as_it_is(run: Run, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(OLD, encoding="utf-8")
    assert run("validate", "-f", "old.yaml").stdout == "old.yaml: dynamographdeploymentrequest/old: ok\n"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen3-8B", "qwen3-8b"),
        ("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8", "nvidia-nemotron-3-super"),
        ("/models/2026-11_Llama 3.1/", "llama-3-1"),
        ("org/" + "x" * 60, "x" * 24),
        ("7b-chat", "chat"),
        ("org/123", "request"),
    ],
)
def test_a_request_without_a_name_takes_one_of_the_model_that_its_services_can_start_with(model, name):
    assert inputs.dns_name(model) == name
