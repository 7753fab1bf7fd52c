"""`kubectl dynamo validate`, and what every command says of input that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kubectl_dynamo.conftest import REQUEST, Run


def test_validate_says_ok_for_each_request(run: Run, request_file: str) -> None:
    result = run("validate", "-f", request_file)
    assert (result.exit_code, result.stdout) == (0, "llama.yaml: dynamographdeploymentrequest/llama: ok\n")


def test_validate_lists_every_violation_of_every_file(run: Run, tmp_path: Path) -> None:
    wrong = REQUEST.replace("h200_sxm", "H100-SXM5-80GB").replace("ttft: 500", "ttft: -1, e2eLatency: 5")
    (tmp_path / "a.yaml").write_text(f"{REQUEST}---\n{wrong}", encoding="utf-8")
    (tmp_path / "other.yaml").write_text("kind: ConfigMap\n", encoding="utf-8")
    result = run("validate", "-f", ".")
    assert result.exit_code == 1
    assert "a.yaml: dynamographdeploymentrequest/llama: ok" in result.stdout
    assert 'did you mean "h100_sxm"?' in result.stdout
    assert "spec.sla.e2eLatency: Forbidden" in result.stdout
    assert "other.yaml" not in result.output


def test_strict_turns_warnings_into_errors(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(REQUEST.replace("name: llama", "name: 'on'"), encoding="utf-8")
    assert run("validate", "-f", "a.yaml").exit_code == 0
    assert "warning:" in run("validate", "-f", "a.yaml").stdout
    assert run("validate", "-f", "a.yaml", "--strict").exit_code == 1


def test_examples_of_the_repository_are_valid(run: Run) -> None:
    examples = Path(__file__).parents[2] / "manifests" / "examples"
    result = run("validate", "-f", str(examples))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: ConfigMap\napiVersion: v1\n", "holds no DynamoGraphDeploymentRequest"),
        (REQUEST.replace("backend:", "backnd:"), "spec.backnd: Unknown field"),
        (REQUEST.replace("spec:", "spec: ["), "not valid YAML"),
        ("", "it is empty"),
        (REQUEST.split("spec:", maxsplit=1)[0] + "spec: hello\n", "spec"),
    ],
)
@pytest.mark.parametrize("command", ["profile", "create", "validate"])
def test_a_bad_file_is_one_clear_error(run: Run, tmp_path: Path, command: str, text: str, told: str) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    result = run(command, "-f", "bad.yaml")
    assert result.exit_code == 1
    assert told in result.output
    assert "should not happen" not in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["profile", "create", "validate", "pareto"])
def test_a_missing_file_is_one_clear_error(run: Run, command: str) -> None:
    result = run(command, "-f", "gone.yaml")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].lower().startswith("error: gone.yaml: no such file")


@pytest.mark.parametrize("arguments", [["get"], ["describe", "x"], ["pareto", "x"], ["create", "x", "--model", "m"]])
def test_without_a_kubeconfig_commands_say_so(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no kubeconfig" in result.stderr


@pytest.mark.parametrize("arguments", [["get"], ["describe", "x"], ["pareto", "x"], ["create", "x", "--model", "m"]])
def test_an_unreachable_cluster_is_one_clear_error(run: Run, arguments: list[str]) -> None:
    result = run(*arguments, "--server", "https://127.0.0.1:1", "--request-timeout", "2s")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "127.0.0.1:1" in result.stderr
    assert "should not happen" not in result.stderr
