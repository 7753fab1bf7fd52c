"""The plugin against the real API server, and through the real kubectl."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from crds import vocabulary as v
from tests.cluster.controlplane import ControlPlane
from tests.kubectl_dynamo.profiles import MET
from tests.kubectl_dynamo.stories import condition

pytestmark = pytest.mark.cluster

Done = subprocess.CompletedProcess[str]
NAME = "dynamographdeploymentrequest.nvidia.com/qwen"


@pytest.fixture
def dynamo(control_plane: ControlPlane, crds: None, namespace: str, tmp_path: Path) -> Callable[..., Done]:
    """`dynamo("get")`: our command line in the test's namespace."""
    environment = {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig), "COLUMNS": "100"}

    def run(*arguments: str, stdin: str = "") -> Done:
        return subprocess.run(
            [sys.executable, "-m", "kubectl_dynamo", *arguments, "-n", namespace],
            input=stdin,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def create(dynamo: Callable[..., Done]) -> None:
    done = dynamo("create", "qwen", "--model", "Qwen/Qwen3-32B", "--ttft", "500", "--itl", "50")
    assert (done.returncode, done.stdout) == (0, f"{NAME} created\n"), done.stderr


def test_get_prints_what_kubectl_prints(
    dynamo: Callable[..., Done], control_plane: ControlPlane, namespace: str
) -> None:
    create(dynamo)
    for arguments in (
        (),
        ("qwen",),
        ("-o", "name"),
        ("--no-headers",),
        ("-A",),
        ("-o", "jsonpath={.items[*].spec.model}"),
    ):
        ours = dynamo("get", *arguments)
        theirs = control_plane.run_kubectl("get", "dgdr", *arguments, namespace=namespace)
        assert ours.returncode == 0, ours.stderr
        if arguments == ("-A",):  # other tests' requests come and go
            assert ours.stdout.splitlines()[0].split() == theirs.stdout.splitlines()[0].split()
        else:
            assert without_ages(ours.stdout) == without_ages(theirs.stdout)


def without_ages(text: str) -> str:
    return re.sub(r"\d+s\b", "AGE", text).rstrip("\n")


def test_get_of_an_empty_namespace_is_kubectls_sentence(dynamo: Callable[..., Done], namespace: str) -> None:
    done = dynamo("get")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"No resources found in {namespace} namespace.\n")


def test_a_server_dry_run_creates_nothing(dynamo: Callable[..., Done]) -> None:
    done = dynamo("create", "qwen", "--model", "Qwen/Qwen3-32B", "--dry-run=server", "-o", "yaml")
    assert yaml.safe_load(done.stdout)["spec"]["backend"] == "auto"  # the server's default
    assert dynamo("get", "-o", "name").stdout == ""


def test_creating_twice_is_one_clear_error(dynamo: Callable[..., Done]) -> None:
    create(dynamo)
    done = dynamo("create", "qwen", "--model", "Qwen/Qwen3-32B")
    assert done.returncode == 1
    assert "already exists" in done.stderr
    assert "should not happen" not in done.stderr


def test_describe_and_pareto_read_what_the_controller_stores(
    dynamo: Callable[..., Done], control_plane: ControlPlane, namespace: str
) -> None:
    create(dynamo)
    assert "No controller has looked at it yet" in dynamo("describe", "qwen").stdout
    status = {
        "phase": "Ready",
        "dgdName": "qwen-dgd",
        "conditions": [condition("Succeeded", "True", "SpecGenerated", "The deployment can be applied")],
    }
    patch = ("patch", "dgdr", "qwen", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    control_plane.run_kubectl(*patch, namespace=namespace)
    stored = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{v.PROFILE_CONFIGMAP_PREFIX}qwen"},
        "data": {v.PROFILE_KEY: MET.to_json().decode()},
    }
    control_plane.run_kubectl("create", "-f", "-", input=json.dumps(stored), namespace=namespace)

    page = dynamo("describe", "qwen")
    assert page.returncode == 0, page.stderr
    for part in (f"qwen in namespace {namespace}: Ready", MET.pick.label, "qwen-dgd does not exist"):
        assert part in page.stdout
    assert "★" in dynamo("pareto", "qwen").stdout


def test_an_unknown_name_is_kubectls_sentence(dynamo: Callable[..., Done]) -> None:
    done = dynamo("describe", "nope")
    assert (done.returncode, done.stdout) == (1, "")
    assert '"nope" not found' in done.stderr


def test_what_profile_prints_can_be_applied(
    dynamo: Callable[..., Done], control_plane: ControlPlane, namespace: str
) -> None:
    arguments = ("--model", "Qwen/Qwen3-32B", "--gpu", "h200_sxm", "--gpus", "8", "--planner")
    printed = dynamo("profile", *arguments, "-o", "yaml").stdout
    applied = control_plane.run_kubectl("apply", "-f", "-", input=printed, namespace=namespace).stdout
    assert "dynamographdeployment.nvidia.com/qwen3-32b-dgd created" in applied


def test_kubectl_finds_the_plugin_and_completes_it(
    dynamo: Callable[..., Done], control_plane: ControlPlane, namespace: str
) -> None:
    create(dynamo)
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "KUBECONFIG": str(control_plane.kubeconfig),
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
    }

    def kubectl(*arguments: str) -> str:
        return subprocess.run(
            [str(control_plane.kubectl), *arguments], env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert kubectl("dynamo", "get", "-n", namespace, "-o", "name") == f"{NAME}\n"
    assert "qwen" in kubectl("__complete", "dynamo", "describe", "-n", namespace, "").splitlines()
    assert "profile" in kubectl("__complete", "dynamo", "prof")
