"""The command line under test, with a cluster made of dicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from crds.errors import NotFound
from crds.kube.kinds import DGDR, Resource
from crds.kube.resources import Cluster, Listing
from kubectl_dynamo.cli import PROGRAM, cli

Run = Callable[..., Result]

REQUEST = """\
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeploymentRequest
metadata:
  name: llama
spec:
  model: meta-llama/Llama-3.1-8B-Instruct
  backend: vllm
  hardware:
    gpuSku: h200_sxm
  sla: {ttft: 500, itl: 50}
"""


class FakeCluster:
    """Objects by (kind, name); what was created is kept in `created`."""

    def __init__(self) -> None:
        self.namespace = "dynamo"
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.created: list[dict[str, Any]] = []
        self.dry_runs: list[bool] = []
        self.overrides: Any = None

    def put(self, document: dict[str, Any]) -> None:
        self.objects[document["kind"], document["metadata"]["name"]] = document

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any]:
        found = self.find(resource, name)
        if found is None:
            raise NotFound(404, {}, f'Error from server (NotFound): {resource.qualified} "{name}" not found')
        return found

    def find(self, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return self.objects.get((resource.kind, name))

    def list(self, resource: Resource, **selectors: Any) -> Listing:
        if resource.kind == "Event":
            name = selectors["fields"].rpartition("=")[2]
            return Listing([event for event in self.events if event["involvedObject"]["name"] == name], "1")
        return Listing([found for (kind, _), found in self.objects.items() if kind == resource.kind], "1")

    def table(self, resource: Resource, name: str | None = None, **_: Any) -> dict[str, Any]:
        items = [self.get(resource, name)] if name else self.list(resource).items
        columns = [{"name": "Name", "priority": 0}, {"name": "Model", "priority": 0}, {"name": "Extra", "priority": 1}]
        rows = [
            {
                "cells": [item["metadata"]["name"], item["spec"]["model"], None],
                "object": {"metadata": item["metadata"]},
            }
            for item in items
        ]
        return {"columnDefinitions": columns, "rows": rows}

    def create(self, resource: Resource, body: dict[str, Any], *, namespace: str | None, dry_run: bool) -> Any:
        assert resource == DGDR
        self.created.append(body)
        self.dry_runs.append(dry_run)
        return {**body, "metadata": {**body["metadata"], "namespace": namespace or self.namespace, "uid": "u-1"}}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A cluster that every command connects to."""
    fake = FakeCluster()

    def connect(overrides: Any, on_warning: Any = None) -> FakeCluster:
        fake.overrides = overrides
        return fake

    monkeypatch.setattr(Cluster, "connect", staticmethod(connect))
    return fake


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("get", "qwen")`, in an empty directory and without a kubeconfig."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECTL_DYNAMO_DEBUG", raising=False)

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, list(arguments), input=stdin, prog_name=PROGRAM)

    return invoke


@pytest.fixture
def request_file(tmp_path: Path) -> str:
    """A request in the current directory, complete but for the number of GPUs."""
    (tmp_path / "llama.yaml").write_text(REQUEST, encoding="utf-8")
    return "llama.yaml"
