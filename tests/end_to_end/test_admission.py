"""Admission on a real API server: what is refused, what is filled in, what is injected, and what passes untouched."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from crds.errors import NotFound, Refused
from crds.kube.access import Overrides
from crds.kube.resources import DGD, DGDR, Cluster
from tests.cluster.controlplane import ControlPlane
from tests.cluster.namespaces import temporary_namespace
from tests.cluster.node import GPU_TAINT, Nodes
from tests.cluster.polling import eventually
from tests.crds.cases import CASES, Case, request
from tests.crds.doc_examples import ACCEPTED

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("standalone")]

Document = dict[str, Any]

OPERATOR = "system:serviceaccount:dynamo-system:dynamo-platform-dynamo-operator-controller-manager"
FOUND = {"gpuSku": "h200_sxm", "vramMb": 143771, "numGpusPerNode": 8, "totalGpus": 16}
DETECTED = "dgdr.nvidia.com/detected-hardware"
GENERATED = "nvidia.com/generated-dgd-spec"
ADDITIONAL = "dgdr.nvidia.com/additional-resources"
FINALIZER = "nvidia.com/finalizer"
TOLERATION = {"key": GPU_TAINT["key"], "operator": "Equal", "value": GPU_TAINT["value"], "effect": GPU_TAINT["effect"]}
TOKEN = {
    "name": "HF_TOKEN",
    "valueFrom": {"secretKeyRef": {"name": "hf-token-secret", "key": "HF_TOKEN", "optional": True}},
}


@dataclass
class Admitted:
    """A namespace about which the webhook is asked; `warnings` are those of the last calls."""

    control_plane: ControlPlane
    name: str
    warnings: list[str] = field(default_factory=list)

    def cluster(self, user: str | None = None) -> Cluster:
        groups = ("system:masters",) if user else ()
        overrides = Overrides(
            kubeconfig=str(self.control_plane.kubeconfig), namespace=self.name, as_user=user, as_groups=groups
        )
        return Cluster.connect(overrides, on_warning=self.warnings.append)


@pytest.fixture(scope="module")
def admitted_namespace(control_plane: ControlPlane, webhook: None, gpu_nodes: Nodes) -> Iterator[str]:
    with temporary_namespace(control_plane, f"admission-{secrets.token_hex(3)}", admission=True) as name:
        # The webhook's own copy of the nodes may be a moment behind.
        cluster = Admitted(control_plane, name).cluster()
        eventually(
            lambda: "hardware" in cluster.create(DGDR, request(name="canary"), dry_run=True)["spec"],
            30,
            "the webhook knows no GPUs",
        )
        yield name


@pytest.fixture
def admitted(control_plane: ControlPlane, admitted_namespace: str) -> Admitted:
    return Admitted(control_plane, admitted_namespace)


def named(document: Document) -> Document:
    """The document under a name that no other test uses."""
    metadata = {**document["metadata"], "name": f"{document['metadata']['name']}-{secrets.token_hex(3)}"}
    return {**document, "metadata": metadata}


# Refused.


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.errors and case.old is None], ids=lambda case: str(case.name)
)
def test_a_wrong_request_is_refused_in_our_own_words(admitted: Admitted, case: Case) -> None:
    with pytest.raises(Refused) as refused:
        admitted.cluster().create(DGDR, case.new, dry_run=True)
    message = refused.value.status["message"]
    assert all(error in message for error in case.errors)
    causes = refused.value.status["details"]["causes"]
    assert [cause["field"] for cause in causes] == [error.partition(":")[0] for error in case.errors]


def test_a_frozen_spec_is_refused_and_its_metadata_is_not(admitted: Admitted) -> None:
    cluster = admitted.cluster()
    made = cluster.create(DGDR, named(request()))
    name = made["metadata"]["name"]
    made["status"] = {"phase": "Profiling", "profilingJobName": f"profile-{name}"}
    cluster.update(DGDR, made, subresource="status")
    with pytest.raises(Refused, match='in phase "Profiling"'):
        cluster.patch(DGDR, name, {"spec": {"model": "Qwen/Qwen3-8B"}})
    patched = cluster.patch(DGDR, name, {"metadata": {"labels": {"a": "b"}}})
    assert patched["metadata"]["labels"] == {"a": "b"}


# Filled in.


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_every_documented_example_enters_with_complete_hardware(admitted: Admitted, name: str) -> None:
    given = ACCEPTED[name].get("hardware", {})
    made = admitted.cluster().create(DGDR, {**request(name=name), "spec": ACCEPTED[name]}, dry_run=True)
    hardware = made["spec"].get("hardware", {})
    if given.get("gpuSku", FOUND["gpuSku"]) == FOUND["gpuSku"]:
        assert hardware == FOUND | given
    else:
        assert hardware == given
    filled = made["metadata"].get("annotations", {}).get(DETECTED, "")
    assert set(filled.split(",")) - {""} == hardware.keys() - given.keys()


def test_a_dry_run_stores_nothing(admitted: Admitted) -> None:
    document = named(request())
    assert admitted.cluster().create(DGDR, document, dry_run=True)["spec"]["hardware"] == FOUND
    assert admitted.cluster().find(DGDR, document["metadata"]["name"]) is None


def test_a_second_apply_of_the_same_file_changes_nothing(admitted: Admitted) -> None:
    document = named(request())
    first = admitted.cluster().apply(document)
    second = admitted.cluster().apply(document)
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


def test_a_sku_that_the_cluster_lacks_is_a_warning(admitted: Admitted) -> None:
    admitted.cluster().create(DGDR, request({"hardware": {"gpuSku": "t4"}}), dry_run=True)
    assert any('no usable node has "t4"; there are h200_sxm' in warning for warning in admitted.warnings)


# Injected.


def dgd(request_name: str, services: Document) -> Document:
    labels = {"dgdr.nvidia.com/name": request_name} if request_name else {}
    return {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoGraphDeployment",
        "metadata": {"name": f"dgd-{secrets.token_hex(3)}", "labels": labels},
        "spec": {"services": services},
    }


SERVICES: Document = {
    "Frontend": {"componentType": "frontend"},
    "Worker": {"componentType": "worker", "resources": {"limits": {"gpu": "8"}}},
}


@pytest.fixture(scope="module")
def owner(control_plane: ControlPlane, admitted_namespace: str) -> str:
    """A request with a model cache and a toleration of its own, once the webhook has seen it."""
    own = {"key": "team", "operator": "Exists"}
    job = {"template": {"spec": {"containers": [], "tolerations": [own]}}}
    cluster = Admitted(control_plane, admitted_namespace).cluster()
    spec = {"modelCache": {"pvcName": "models"}, "overrides": {"profilingJob": job}}
    name: str = cluster.create(DGDR, named(request(spec)))["metadata"]["name"]

    def seen() -> bool:
        return "pvcs" in cluster.create(DGD, dgd(name, SERVICES), dry_run=True)["spec"]

    eventually(seen, 30, "the webhook does not know the request")
    return name


def test_a_generated_deployment_gets_what_it_lacks(admitted: Admitted, owner: str) -> None:
    spec = admitted.cluster().create(DGD, dgd(owner, SERVICES), dry_run=True)["spec"]
    mount = {"name": "models", "mountPoint": "/opt/model-cache", "useAsCompilationCache": False}
    home = {"name": "HF_HOME", "value": "/opt/model-cache"}
    assert spec["pvcs"] == [{"name": "models", "create": False}]
    assert spec["services"]["Frontend"] == SERVICES["Frontend"] | {"volumeMounts": [mount], "envs": [home]}
    assert spec["services"]["Worker"] == SERVICES["Worker"] | {
        "volumeMounts": [mount],
        "envs": [TOKEN, home],
        "extraPodSpec": {"tolerations": [{"key": "team", "operator": "Exists"}, TOLERATION]},
    }
    assert [warning for warning in admitted.warnings if "did not add" in warning] == []


def test_another_deployment_stays_as_it_is(admitted: Admitted) -> None:
    document = dgd("", SERVICES)
    assert admitted.cluster().create(DGD, document, dry_run=True)["spec"] == document["spec"]


def test_scaling_a_deployment_injects_nothing(admitted: Admitted, control_plane: ControlPlane, owner: str) -> None:
    document = dgd("", SERVICES)
    cluster, name = admitted.cluster(), document["metadata"]["name"]
    cluster.create(DGD, document)
    cluster.patch(DGD, name, {"metadata": {"labels": {"dgdr.nvidia.com/name": owner}}})
    scaled = cluster.patch(DGD, name, {"spec": {"services": {"Worker": {"replicas": 4}}}})
    assert scaled["spec"]["services"]["Worker"] == SERVICES["Worker"] | {"replicas": 4}


# Passes.


def test_all_requests_can_be_deleted_at_once(admitted: Admitted) -> None:
    cluster = admitted.cluster()
    for _ in range(3):
        cluster.create(DGDR, named(request(name="crowd")))
    path = DGDR.path(admitted.name) + "?labelSelector=none%3Dsuch"
    assert cluster.transport.request("DELETE", path).code == 200
    made = [one["metadata"]["name"] for one in cluster.list(DGDR).items if "crowd" in one["metadata"]["name"]]
    assert len(made) == 3
    for name in made:
        cluster.delete(DGDR, name)


def test_an_unknown_subresource_is_not_found(admitted: Admitted) -> None:
    made = admitted.cluster().create(DGDR, named(request()))
    with pytest.raises(NotFound):
        admitted.cluster().update(DGDR, made, subresource="nothing")


def test_a_finalizer_goes_from_an_object_that_breaks_a_rule(admitted: Admitted) -> None:
    cluster = admitted.cluster()
    made = cluster.create(DGDR, {**named(request()), "metadata": {"generateName": "late-", "finalizers": [FINALIZER]}})
    name = made["metadata"]["name"]
    cluster.delete(DGDR, name)
    cluster.patch(DGDR, name, {"metadata": {"finalizers": None}})
    eventually(lambda: cluster.find(DGDR, name) is None, 10, "the request was not deleted")


# NVIDIA's operator.


def essence(document: Document) -> Document:
    """What was written, without what the API server keeps of it."""
    kept = ("generation", "resourceVersion", "managedFields")
    metadata = {key: value for key, value in document["metadata"].items() if key not in kept}
    return {**document, "metadata": metadata}


class Operator:
    """The writes of NVIDIA's operator, each of which must come back as it was sent."""

    def __init__(self, admitted: Admitted) -> None:
        self.cluster = admitted.cluster(OPERATOR)

    def update(self, document: Document) -> Document:
        written = self.cluster.update(DGD if "services" in document["spec"] else DGDR, document)
        assert essence(written) == essence(document)
        return written

    def annotate(self, document: Document, key: str, value: str | None) -> Document:
        changed = copy.deepcopy(document)
        annotations = changed["metadata"].setdefault("annotations", {})
        if value is None:
            del annotations[key]
        else:
            annotations[key] = value
        return self.update(changed)

    def status(self, document: Document, phase: str, **more: Any) -> Document:
        changed = {**copy.deepcopy(document), "status": {**document.get("status", {}), "phase": phase, **more}}
        written = self.cluster.update(DGDR, changed, subresource="status")
        assert essence(written) == essence(changed)
        return written


def test_the_writes_of_nvidias_operator_pass_untouched(admitted: Admitted) -> None:
    job = {"template": {"spec": {"containers": [], "initContainers": []}}}
    found = admitted.cluster().create(DGDR, named(request({"overrides": {"profilingJob": job}})))
    operator, name = Operator(admitted), found["metadata"]["name"]

    # Its first update takes what is empty out of the spec.
    found["metadata"]["finalizers"] = [FINALIZER]
    del found["spec"]["overrides"]["profilingJob"]["template"]["spec"]["initContainers"]
    found = operator.update(found)
    found = operator.status(found, "Pending", observedGeneration=found["metadata"]["generation"])
    found["spec"]["hardware"]["rdma"] = False
    found = operator.update(found)
    found = operator.status(found, "Profiling", profilingPhase="Initializing", profilingJobName=f"profile-{name}")
    found = operator.annotate(found, ADDITIONAL, "kind: ConfigMap")
    found = operator.annotate(found, GENERATED, "kind: DynamoGraphDeployment")
    found = operator.annotate(found, GENERATED, "kind: DynamoGraphDeployment")
    found = operator.status(found, "Deploying", dgdName=f"{name}-dgd")

    made = operator.cluster.create(DGD, dgd(name, complete(SERVICES)))
    assert made["spec"] == {"services": complete(SERVICES)}
    made["metadata"]["finalizers"] = [FINALIZER]
    made = operator.update(made)
    made = operator.annotate(made, "nvidia.com/current-worker-hash", "834ed71f")

    found = operator.annotate(found, GENERATED, None)
    found = operator.status(found, "Deployed")
    operator.cluster.delete(DGDR, name)
    found = operator.cluster.get(DGDR, name)
    del found["metadata"]["finalizers"]
    operator.cluster.update(DGDR, found)
    eventually(lambda: operator.cluster.find(DGDR, name) is None, 10, "the request was not deleted")


def complete(services: Document) -> Document:
    """Services that lack nothing."""
    found = copy.deepcopy(services)
    found["Worker"] |= {"envs": [TOKEN], "extraPodSpec": {"tolerations": [TOLERATION]}}
    return found


@pytest.mark.parametrize("phase", ["Ready", "Failed", "Deployed"])
def test_at_rest_a_spec_is_frozen_and_what_says_nothing_new_passes(admitted: Admitted, phase: str) -> None:
    found = admitted.cluster().create(DGDR, named(request()))
    operator = Operator(admitted)
    found = operator.status(found, phase, profilingJobName="profile-x")
    with pytest.raises(Refused, match=f'in phase "{phase}"'):
        operator.update({**found, "spec": {**found["spec"], "model": "Qwen/Qwen3-8B"}})
    empty = {"overrides": {"profilingJob": {"template": {"spec": {"containers": []}}}}}
    found = operator.update({**found, "spec": {**found["spec"], **empty}})
    operator.annotate(found, "a", "b")


def test_what_the_operator_detects_beyond_32_gpus_is_capped(admitted: Admitted) -> None:
    found = admitted.cluster().create(DGDR, named(request({"hardware": {"gpuSku": "a100_sxm"}})))
    operator = Operator(admitted)
    found = operator.status(found, "Pending")
    found["spec"]["hardware"] |= {"vramMb": 81920, "numGpusPerNode": 8, "totalGpus": 64}
    written = operator.cluster.update(DGDR, found)
    assert written["spec"]["hardware"]["totalGpus"] == 32
    assert any("detected 64 GPUs, capped at 32" in warning for warning in admitted.warnings)
