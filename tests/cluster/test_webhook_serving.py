"""The webhook's life on a real API server: its manifests, a CA that replicas share, a rolling restart under load."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from crds.errors import DynamoError
from crds.kube.kinds import SECRETS, VALIDATING_WEBHOOKS
from crds.rules import Mode
from tests.cluster.api import ApiFailure
from tests.cluster.controlplane import REPOSITORY, ControlPlane
from tests.cluster.polling import eventually
from tests.webhook.serving import HOST, free_port, serving
from webhook.certificates.authority import InSecret, Memory
from webhook.certificates.files import Files
from webhook.certificates.issue import CA_LIFE
from webhook.certificates.keeper import Keeper
from webhook.certificates.validity import Watched
from webhook.registration import NAME, Service, Url, configurations, publish, register

# Configurations are the whole cluster's: tests that write them, here and end to end, stay on one worker.
pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("standalone")]

OVERLAYS = REPOSITORY / "manifests" / "webhook" / "overlays"
CA_SECRET = "kubectl-dynamo-webhook-ca"


@pytest.fixture
def clean(control_plane: ControlPlane) -> Iterator[None]:
    """No configuration of ours is left afterwards."""
    yield
    for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        control_plane.run_kubectl("delete", kind, NAME, "--ignore-not-found")


@pytest.mark.parametrize("overlay", ["standalone", "beside", "fail", "provided", "cert-manager"])
def test_the_api_server_takes_the_manifests(control_plane: ControlPlane, overlay: str) -> None:
    rendered = control_plane.run_kubectl("kustomize", str(OVERLAYS / overlay)).stdout
    documents = [one for one in yaml.safe_load_all(rendered) if not one["apiVersion"].startswith("cert-manager.io/")]
    home = next(one for one in documents if one["kind"] == "Namespace")
    control_plane.run_kubectl("apply", "-f", "-", input=json.dumps(home))
    everything = yaml.safe_dump_all(documents)
    done = control_plane.run_kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", input=everything)
    assert len(done.stdout.splitlines()) == len(documents)
    # With warnings on, a restricted namespace says what it would not let run.
    pods = control_plane.run_kubectl("apply", "--dry-run=server", "-f", "-", input=everything)
    assert "would violate PodSecurity" not in pods.stderr


def test_two_replicas_that_start_together_share_a_ca_and_publish_it(
    control_plane: ControlPlane, namespace: str, clean: None, tmp_path: Path
) -> None:
    cluster = control_plane.cluster()
    service = Service("webhook", namespace)
    for document in configurations(service, Mode.BESIDE):
        cluster.apply(document, field_manager="test", force=True)
    clock = _Clock()
    files = [Files.within(tmp_path / name) for name in "ab"]
    keepers = [
        Keeper(
            InSecret(control_plane.cluster(), namespace, CA_SECRET),
            each,
            service.hosts,
            partial(publish, control_plane.cluster(), service, convert=False),
            clock,
        )
        for each in files
    ]
    for later in (0, 0.7, 1.4):
        clock.now = datetime.now(UTC) + later * CA_LIFE
        failures = _together([keeper.check for keeper in keepers])
        assert failures == []
        kept = cluster.get(SECRETS, CA_SECRET, namespace)["data"]["ca.crt"]
        found = cluster.get(VALIDATING_WEBHOOKS, NAME)
        assert {one["clientConfig"]["caBundle"] for one in found["webhooks"]} == {kept}
        assert [Watched(each, clock).problem() for each in files] == [None, None]
    assert base64.b64decode(kept).count(b"BEGIN CERTIFICATE") == 2


def _together(actions: list[Any]) -> list[DynamoError]:
    failures: list[DynamoError] = []
    barrier = threading.Barrier(len(actions))

    def run(action: Any) -> None:
        barrier.wait()
        try:
            action()
        except DynamoError as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


class _Clock:
    now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_rolling_restart_under_four_writers_fails_no_write(
    control_plane: ControlPlane, crds: None, namespace: str, clean: None, tmp_path: Path
) -> None:
    """Two processes on one port, failurePolicy Fail: what the API server could not ask would be an error."""
    files, port = Files.within(tmp_path), free_port()
    url = Url(f"https://{HOST}:{port}")
    kubeconfig = ["--kubeconfig", str(control_plane.kubeconfig)]

    def publish_all(ca: bytes) -> None:
        register(control_plane.cluster(), url, Mode.BESIDE, ca, convert=False)
        _fail_closed_in(control_plane, namespace)

    Keeper(Memory(), files, ["localhost", HOST], publish_all, lambda: datetime.now(UTC)).check()
    given = ["--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key), "--reuse-port", *kubeconfig]
    outcomes: list[str] = []
    stop = threading.Event()
    with serving(tmp_path, *given, port=port) as first:
        eventually(lambda: 'admission webhook "dgdr' in _write(control_plane, namespace, itl=-5), 30, "it is not asked")
        threads = [threading.Thread(target=_writer, args=(control_plane, namespace, outcomes, stop)) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        with serving(tmp_path, *given, port=port) as second:
            assert first.stop() == 0
            time.sleep(1)
            with serving(tmp_path, *given, port=port):
                assert second.stop() == 0
                time.sleep(1)
                stop.set()
                for thread in threads:
                    thread.join()
    assert len(outcomes) > 100
    assert set(outcomes) == {"created"}


def _fail_closed_in(control_plane: ControlPlane, namespace: str) -> None:
    for kind in ("mutatingwebhookconfiguration", "validatingwebhookconfiguration"):
        found = json.loads(control_plane.run_kubectl("get", kind, NAME, "-o", "json").stdout)
        selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        for webhook in found["webhooks"]:
            webhook |= {"failurePolicy": "Fail", "namespaceSelector": selector}
        control_plane.run_kubectl("replace", "-f", "-", input=json.dumps(found))


def _writer(control_plane: ControlPlane, namespace: str, outcomes: list[str], stop: threading.Event) -> None:
    while not stop.is_set():
        outcomes.append(_write(control_plane, namespace))


def _write(control_plane: ControlPlane, namespace: str, **sla: float) -> str:
    document = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"generateName": "qwen-"},
        "spec": {"model": "Qwen/Qwen3-0.6B", "sla": sla},
    }
    path = f"/apis/nvidia.com/v1beta1/namespaces/{namespace}/dynamographdeploymentrequests?dryRun=All"
    try:
        control_plane.api.post(path, document)
    except ApiFailure as failure:
        return str(failure)
    return "created"
