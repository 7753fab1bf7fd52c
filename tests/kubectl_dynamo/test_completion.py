"""The completion protocol of kubectl: candidates, a directive, exit 0 whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crds import vocabulary as v
from kubectl_dynamo.cli import COMMANDS
from kubectl_dynamo.completion import FILES, NO_FILES, candidates
from tests.kubectl_dynamo.conftest import FakeCluster
from tests.kubectl_dynamo.stories import dgdr


def values(*words: str) -> list[str]:
    return [line.partition("\t")[0] for line in candidates(words)[0]]


def test_commands_come_with_their_help() -> None:
    lines, directive = candidates([""])
    assert lines[: len(COMMANDS)] == [f"{name}\t{row.help}" for name, row in COMMANDS.items()]
    assert directive == NO_FILES


def test_enum_values() -> None:
    assert values("create", "x", "--backend", "") == [str(backend) for backend in v.Backend]
    assert values("profile", "--gpu", "h1") == ["h100_sxm", "h100_pcie"]
    assert values("get", "-o", "j") == ["json"]


def test_flags() -> None:
    assert "--dry-run" in values("create", "--d")


def test_files_are_left_to_the_shell() -> None:
    assert candidates(["profile", "-f", ""]) == ([], FILES)


def test_names_come_from_the_cluster(cluster: FakeCluster) -> None:
    cluster.put(dgdr())
    assert values("describe", "ll") == ["llama-70b"]
    assert values("-n", "team", "get", "llama-70b", "") == []
    assert cluster.overrides.namespace == "team"


def test_namespaces_come_from_the_cluster(cluster: FakeCluster) -> None:
    cluster.put({"kind": "Namespace", "metadata": {"name": "team"}})
    assert values("get", "-n", "") == ["team"]


def test_contexts_come_from_the_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text("contexts: [{name: prod, context: {}}, {name: dev, context: {}}]\n", encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert values("get", "--context", "") == ["dev", "prod"]


def test_models_and_gpus_that_can_be_estimated_are_offered() -> None:
    assert values("estimate", "--gpu", "b") == ["b200_sxm", "b300_sxm"]
    assert "Qwen/Qwen3-32B-FP8" in values("estimate", "--model", "Qwen/Qwen3-32B")
    assert values("models", "openai/") == ["openai/gpt-oss-120b", "openai/gpt-oss-20b"]


def test_a_cluster_that_hangs_costs_two_seconds_and_no_error(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "kubectl_dynamo.completion", "get", "-s", address, ""],
            env={**os.environ, "KUBECONFIG": str(tmp_path / "none")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, ":4\n", "")
    assert time.monotonic() - started < 5
