"""Conversion by the running webhook on a real API server: store in one version, read and edit in the other.

kubectl needs the full name to ask for a version: of `dgdr.v1alpha1.nvidia.com` it expands the short name and forgets
the version, and shows v1beta1.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crds import schema
from crds import vocabulary as v
from crds.kube import kinds
from tests.cluster.controlplane import ControlPlane
from tests.cluster.polling import eventually
from tests.crds import doc_examples, old_examples
from tests.end_to_end.conftest import process
from webhook.conversion import CRD, conversion_patch

# The CRD is the whole run's: the tests of this group take turns, and it is left as it was found.
pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("standalone")]

OLD, NEW = (f"{v.PLURALS[v.Kind.DGDR]}.{version}.{v.GROUP}" for version in v.Version)
UNCONVERTED = {"spec": {"conversion": {"strategy": "None", "webhook": None}}}


@pytest.fixture(scope="module")
def conversion(control_plane: ControlPlane, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The webhook as a process, asked by the API server for conversion and for nothing else."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    directory = tmp_path_factory.mktemp("conversion")
    log = directory / "log"
    command = ["webhook", "serve", "--host", "127.0.0.1", "--port", port, "--cert-dir", str(directory)]
    cluster = control_plane.cluster()
    with process(control_plane, log, *command) as running:

        def serving() -> bool:
            assert running.poll() is None, log.read_text()
            return "serving on" in log.read_text()

        eventually(serving, 30, "the webhook did not start")
        patch = conversion_patch(f"https://127.0.0.1:{port}", (directory / "ca.crt").read_bytes())
        cluster.patch(kinds.CRDS, CRD, patch)
        try:
            eventually(lambda: _converts(control_plane), 30, "the API server does not ask for conversion")
            yield
        finally:
            cluster.patch(kinds.CRDS, CRD, UNCONVERTED)
            eventually(lambda: not _converts(control_plane), 30, "the API server still asks for conversion")
        assert "Traceback" not in log.read_text(), log.read_text()


def _converts(control_plane: ControlPlane) -> bool:
    """Whether an object that is created as v1alpha1 becomes a v1beta1 one and comes back, seen by what that leaves."""
    document = old_examples.request("my-model-deployment")
    path = f"/apis/{document['apiVersion']}/namespaces/default/{v.PLURALS[v.Kind.DGDR]}?dryRun=All"
    created = control_plane.api.post(path, document)
    return "nvidia.com/dgdr-spec" in created["metadata"].get("annotations", {})


@pytest.fixture
def kubectl(control_plane: ControlPlane, conversion: None, namespace: str) -> Callable[..., str]:
    def run(*arguments: str, document: dict[str, Any] | None = None) -> str:
        text = None if document is None else json.dumps(document)
        return control_plane.run_kubectl(*arguments, input=text, namespace=namespace).stdout

    return run


def get(kubectl: Callable[..., str], resource: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", resource, name, "-o", "json"))
    return found


@pytest.mark.parametrize("name", old_examples.EXAMPLES)
def test_old_examples_apply_and_come_back_the_same(kubectl: Callable[..., str], name: str) -> None:
    document = old_examples.request(name)
    kubectl("apply", "-f", "-", document=document)
    found = get(kubectl, OLD, name)
    assert found["apiVersion"] == "nvidia.com/v1alpha1"
    assert found["spec"] == schema.defaulted(document)["spec"]
    assert "unchanged" in kubectl("apply", "-f", "-", document=document)


def test_an_old_request_can_be_read_and_edited_in_the_new_version(kubectl: Callable[..., str]) -> None:
    document = old_examples.request("sla-moe")
    kubectl("apply", "-f", "-", document=document)
    new = get(kubectl, NEW, "sla-moe")
    assert new["spec"] == {
        "model": "deepseek-ai/DeepSeek-R1",
        "backend": "sglang",
        "image": old_examples.IMAGE,
        "autoApply": True,
        "searchStrategy": "rapid",
        "sla": {"ttft": 300, "itl": 25},
        "workload": {"isl": 2048, "osl": 512},
        "modelCache": {"pvcName": "model-cache", "pvcMountPath": "/opt/model-cache"},
    }
    edit = {"spec": {"sla": {"ttft": 250}, "hardware": {"totalGpus": 32}}}
    kubectl("patch", NEW, "sla-moe", "--type=merge", "-p", json.dumps(edit))
    expected = schema.defaulted(document)["spec"]
    expected["profilingConfig"]["config"]["sla"]["ttft"] = 250
    assert get(kubectl, OLD, "sla-moe")["spec"] == expected
    kubectl("apply", "-f", "-", document=document)
    assert get(kubectl, NEW, "sla-moe")["spec"] == {**new["spec"], "hardware": {"totalGpus": 32}}


@pytest.mark.parametrize("name", ["deepseek-r1", "llama-private", "two-overrides", "h200", "mocker"])
def test_a_new_request_survives_an_edit_through_the_old_version(kubectl: Callable[..., str], name: str) -> None:
    kubectl("apply", "-f", "-", document=doc_examples.request(name, doc_examples.ACCEPTED[name]))
    expected = get(kubectl, NEW, name)["spec"]
    edit = {"spec": {"profilingConfig": {"config": {"sla": {"itl": 33}}, "nodeSelector": {"pool": "gpu"}}}}
    kubectl("patch", OLD, name, "--type=merge", "-p", json.dumps(edit))
    expected.setdefault("sla", {})["itl"] = 33
    job = expected.setdefault("overrides", {}).setdefault("profilingJob", {"template": {"spec": {"containers": []}}})
    job["template"]["spec"]["nodeSelector"] = {"pool": "gpu"}
    assert get(kubectl, NEW, name)["spec"] == expected


def test_a_mocker_that_is_off_survives_an_edit_through_the_old_version(kubectl: Callable[..., str]) -> None:
    spec = {"model": old_examples.QWEN, "image": "i", "features": {"mocker": {"enabled": False}}}
    kubectl("apply", "-f", "-", document=doc_examples.request("off", spec))
    kubectl("patch", OLD, "off", "--type=merge", "-p", '{"spec":{"model":"another/model"}}')
    found = get(kubectl, NEW, "off")["spec"]
    assert (found["model"], found["features"]) == ("another/model", {"mocker": {"enabled": False}})


def test_a_status_is_shown_and_written_in_both_versions(kubectl: Callable[..., str]) -> None:
    kubectl("apply", "-f", "-", document=doc_examples.request("live", {"model": old_examples.QWEN, "image": "i"}))
    status = {
        "phase": "Deployed",
        "dgdName": "live-dgd",
        "profilingJobName": "profile-live",
        "deploymentInfo": {"replicas": 2, "availableReplicas": 2},
        "profilingResults": {
            "selectedConfig": {**doc_examples.DGD, "metadata": {"name": "live-dgd"}},
            "pareto": [{"config": {"tp": 8}}],
        },
    }
    kubectl("patch", NEW, "live", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    deployment = {"name": "live-dgd", "state": "successful", "created": True}
    assert get(kubectl, OLD, "live")["status"] == {
        "state": "Ready",
        "deployment": deployment,
        "generatedDeployment": status["profilingResults"]["selectedConfig"],
    }
    head, row = kubectl("get", OLD).splitlines()
    assert head.split() == ["NAME", "MODEL", "BACKEND", "STATE", "DGD-STATE", "AGE"]
    assert row.split()[:-1] == ["live", old_examples.QWEN, "Ready", "successful"]
    edit = {"status": {"state": "Failed", "observedGeneration": 1}}
    kubectl("patch", OLD, "live", "--subresource=status", "--type=merge", "-p", json.dumps(edit))
    assert get(kubectl, NEW, "live")["status"] == {**status, "phase": "Failed", "observedGeneration": 1}


def test_only_the_new_version_is_stored(control_plane: ControlPlane, conversion: None) -> None:
    crd = control_plane.cluster().get(kinds.CRDS, CRD)
    assert crd["status"]["storedVersions"] == ["v1beta1"]


def test_a_list_is_converted_as_one(kubectl: Callable[..., str], tmp_path: Path) -> None:
    documents = [doc_examples.request(f"r-{index}", {"model": old_examples.QWEN}) for index in range(40)]
    kubectl("create", "-f", "-", document={"apiVersion": "v1", "kind": "List", "items": documents})
    listed = json.loads(kubectl("get", OLD, "-o", "json"))["items"]
    assert len(listed) == 40
    assert {item["spec"]["enableGpuDiscovery"] for item in listed} == {True}
