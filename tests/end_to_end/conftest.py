"""The product as a user runs it: the webhook and the controller as processes beside a real control plane.

The webhook is registered for the whole cluster, so it asks only about namespaces that do not opt out; the controller
of a test looks at the test's own namespace alone.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import REPOSITORY, ControlPlane
from tests.cluster.namespaces import temporary_namespace
from tests.cluster.node import Node, Nodes
from tests.cluster.polling import eventually

PHASES_AT_REST = ("Ready", "Deployed", "Failed")
CONFIGURATIONS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


@contextlib.contextmanager
def process(control_plane: ControlPlane, log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m ...` until the block ends; what it prints goes to `log`."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=REPOSITORY,
            env=control_plane.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield running
        finally:
            running.terminate()
            running.wait(30)


@pytest.fixture(scope="module")
def webhook(control_plane: ControlPlane, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The webhook, registered by itself as the README says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    log = tmp_path_factory.mktemp("webhook") / "log"
    url = f"https://127.0.0.1:{port}"
    command = ["webhook", "serve", "--host", "127.0.0.1", "--port", port, "--register", url]
    with process(control_plane, log, *command, "--kubeconfig", str(control_plane.kubeconfig)) as running:

        def registered() -> bool:
            assert running.poll() is None, log.read_text()
            return "serving on" in log.read_text()

        eventually(registered, 30, "the webhook did not register")
        eventually(lambda: _asked(control_plane), 30, "the API server does not ask the webhook", interval=0.2)
        yield
        for kind in CONFIGURATIONS:
            control_plane.run_kubectl("delete", kind, "kubectl-dynamo")


def _asked(control_plane: ControlPlane) -> bool:
    """Whether the API server asks the webhook yet: it takes a new configuration in after a moment."""
    canary = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "canary"},
        "spec": {"model": "Qwen/Qwen3-0.6B", "hardware": {"gpuSku": "h200"}},
    }
    command = ("create", "--dry-run=server", "-f", "-")
    done = control_plane.run_kubectl(*command, input=json.dumps(canary), check=False, namespace="default")
    return "did you mean" in done.stderr  # the schema refuses it too, in words of its own


@dataclass(frozen=True)
class Standalone:
    """A namespace of a cluster without NVIDIA's operator, in which our controller works."""

    control_plane: ControlPlane
    namespace: str
    nodes: Nodes
    log: Path

    def kubectl(
        self, *arguments: str, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """kubectl in the namespace; `kubectl dynamo` is this project's plugin."""
        return self.control_plane.run_kubectl(*arguments, input=input, check=check, namespace=self.namespace)

    def dynamo(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """kubectl dynamo, in the namespace. kubectl refuses flags before a plugin's name, so -n comes after."""
        return self.control_plane.run_kubectl("dynamo", *arguments, "-n", self.namespace, check=check)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object of the namespace; an AssertionError where it is not there."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json").stdout)
        return found

    def created(self, kind: str, name: str) -> dict[str, Any]:
        """An object of the namespace, as soon as it is there."""

        def there() -> dict[str, Any] | None:
            found = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found").stdout
            return json.loads(found) if found else None

        return eventually(there, 30, f"{kind} {name} was not created", interval=0.2)

    def settled(self, name: str, *phases: str, timeout: float = 90) -> dict[str, Any]:
        """The request once it is in one of `phases`; Failed ends the wait early."""

        def reached() -> dict[str, Any] | None:
            found = self.get("dgdr", name)
            phase = found.get("status", {}).get("phase")
            if phase == "Failed" and "Failed" not in phases:
                raise LookupError(f"{name} failed: {json.dumps(found['status']['conditions'], indent=1)}")
            return found if phase in phases else None

        return eventually(reached, timeout, f"{name} did not reach {' or '.join(phases)}", interval=0.2)

    def condition(self, request: dict[str, Any], type_: str) -> dict[str, Any]:
        """A condition of a request."""
        return next(c for c in request["status"]["conditions"] if c["type"] == type_)


@contextlib.contextmanager
def standalone_namespace(control_plane: ControlPlane, nodes: Nodes, slug: str, directory: Path) -> Iterator[Standalone]:
    """A namespace with a controller of its own."""
    name = f"e2e-{slug}-{secrets.token_hex(3)}"
    log = directory / "controller.log"
    command = ["profiler.controller", "--kubeconfig", str(control_plane.kubeconfig), "--namespace", name]
    with temporary_namespace(control_plane, name, admission=True), process(control_plane, log, *command) as running:

        def watching() -> bool:
            assert running.poll() is None, log.read_text()
            return "watching" in log.read_text()

        eventually(watching, 30, "the controller did not start")
        yield Standalone(control_plane, name, nodes, log)
        assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture
def standalone(control_plane: ControlPlane, webhook: None, gpu_nodes: Nodes, tmp_path: Path) -> Iterator[Standalone]:
    """A fresh standalone namespace for one test."""
    with standalone_namespace(control_plane, gpu_nodes, "thread", tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def shared_standalone(
    control_plane: ControlPlane, webhook: None, gpu_nodes: Nodes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Standalone]:
    """One standalone namespace for a module, in a cluster that has an H100 node as well."""
    gpu_nodes.add(Node("gpu-h100", 8, "NVIDIA-H100-80GB-HBM3", 81559))
    try:
        with standalone_namespace(control_plane, gpu_nodes, "examples", tmp_path_factory.mktemp("examples")) as found:
            yield found
    finally:
        gpu_nodes.remove("gpu-h100")
