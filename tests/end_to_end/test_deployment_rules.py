"""The rules of deployments and models as a user of a cluster without NVIDIA's operator meets them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from crds.errors import Refused
from crds.kube.access import Overrides
from crds.kube.kinds import DGD, MODELS
from crds.kube.resources import Cluster
from tests.cluster.controlplane import ControlPlane
from tests.cluster.namespaces import LABEL_ADMISSION, temporary_namespace
from tests.cluster.polling import eventually
from tests.crds.deployment_cases import CASES, MODEL_CASES, NOTHING_KNOWN, RECIPES, Case, deployment

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("standalone")]

Document = dict[str, Any]

CREATES = [case for case in CASES if case.old is None and case.context == NOTHING_KNOWN]
# What was wrong before cannot be made here.
UPDATES = [case for case in CASES if case.old is not None and "violation" not in case.name]
MODEL_UPDATES = [case for case in MODEL_CASES if case.old is not None and "violation" not in case.name]


@pytest.fixture(scope="module")
def held(control_plane: ControlPlane, webhook: None) -> Iterator[str]:
    with temporary_namespace(control_plane, f"held-{secrets.token_hex(3)}", admission=True) as name:
        yield name


class Held:
    """A namespace in which the webhook holds everything; `warnings` are those of the calls so far."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._kubeconfig, self._namespace = str(control_plane.kubeconfig), namespace
        self.warnings: list[str] = []

    def cluster(self, user: str = "") -> Cluster:
        overrides = Overrides(
            kubeconfig=self._kubeconfig,
            namespace=self._namespace,
            as_user=user or None,
            as_groups=("system:masters",) if user else (),
        )
        return Cluster.connect(overrides, on_warning=self.warnings.append)


@pytest.fixture
def api(control_plane: ControlPlane, held: str) -> Held:
    return Held(control_plane, held)


def named(document: Document) -> Document:
    """The document under a name that no other test uses."""
    return {**document, "metadata": {**document["metadata"], "name": f"d-{secrets.token_hex(3)}"}}


def says(refused: Refused, errors: tuple[str, ...]) -> bool:
    return refused.status["code"] == 422 and all(error in refused.status["message"] for error in errors)


def is_refused(cluster: Cluster, document: Document, why: str = "") -> bool:
    try:
        cluster.create(DGD, document, dry_run=True)
    except Refused as refused:
        return why in refused.status["message"]
    return False


@pytest.mark.parametrize("case", CREATES, ids=lambda case: case.name)
def test_a_deployment_is_created_or_refused_in_our_own_words(api: Held, case: Case) -> None:
    if case.errors:
        with pytest.raises(Refused) as refused:
            api.cluster().create(DGD, case.new, dry_run=True)
        assert says(refused.value, case.errors)
    elif "epp" not in case.name:  # this cluster has no inference extension
        api.cluster().create(DGD, case.new, dry_run=True)
    assert set(case.warnings) <= set(api.warnings)


@pytest.mark.parametrize("case", UPDATES, ids=lambda case: case.name)
def test_a_deployment_is_updated_or_refused_by_who_asks(api: Held, case: Case) -> None:
    assert case.old
    made = api.cluster().create(DGD, named(case.old))
    if status := case.old.get("status"):
        made = api.cluster().update(DGD, {**made, "status": {"state": "successful", **status}}, subresource="status")
    asked = {**made, "spec": case.new["spec"]}
    if not case.errors:
        api.cluster(case.context.user).update(DGD, asked)
        return
    with pytest.raises(Refused) as refused:
        api.cluster(case.context.user).update(DGD, asked)
    assert says(refused.value, case.errors)


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - {"gateway"}))
def test_a_recipe_enters(api: Held, name: str) -> None:
    api.cluster().create(DGD, RECIPES[name], dry_run=True)


def test_an_endpoint_picker_needs_the_inference_extension(api: Held) -> None:
    refused = "install the Gateway API Inference Extension first"
    eventually(lambda: is_refused(api.cluster(), RECIPES["gateway"], refused), 30, "no API groups are known")


@pytest.mark.parametrize("case", [case for case in MODEL_CASES if case.old is None], ids=lambda case: case.name)
def test_a_model_is_created_or_refused_in_our_own_words(api: Held, case: Case) -> None:
    if not case.errors:
        api.cluster().create(MODELS, case.new, dry_run=True)
        return
    with pytest.raises(Refused) as refused:
        api.cluster().create(MODELS, case.new, dry_run=True)
    assert says(refused.value, case.errors)


@pytest.mark.parametrize("case", MODEL_UPDATES, ids=lambda case: case.name)
def test_a_model_is_updated_or_refused(api: Held, case: Case) -> None:
    assert case.old
    made = api.cluster().create(MODELS, named(case.old))
    asked = {**made, "spec": case.new["spec"]}
    if not case.errors:
        api.cluster().update(MODELS, asked)
        return
    with pytest.raises(Refused) as refused:
        api.cluster().update(MODELS, asked)
    assert says(refused.value, case.errors)


def test_all_errors_come_at_once_each_with_its_field(api: Held) -> None:
    wrong = deployment({"Frontend": {"ingress": {"enabled": True}}, "decode": {"volumeMounts": [{"name": "models"}]}})
    with pytest.raises(Refused) as refused:
        api.cluster().create(DGD, wrong, dry_run=True)
    assert [cause["field"] for cause in refused.value.status["details"]["causes"]] == [
        "spec.services[Frontend].ingress.host",
        "spec.services[decode].volumeMounts[0].mountPoint",
    ]


def test_a_deployment_that_was_wrong_before_may_change_elsewhere_and_go(api: Held, control_plane: ControlPlane) -> None:
    wrong = {"Frontend": {"ingress": {"enabled": True}}}
    with temporary_namespace(control_plane, f"free-{secrets.token_hex(3)}", admission=False) as name:
        there = Held(control_plane, name).cluster()
        made = there.create(DGD, named(deployment(wrong)))
        control_plane.run_kubectl("label", "namespace", name, f"{LABEL_ADMISSION}-")
        eventually(lambda: is_refused(there, deployment(wrong)), 30, "the webhook is not asked", interval=0.2)
        changed = there.update(DGD, {**made, "spec": deployment({**wrong, "decode": {"replicas": 4}})["spec"]})
        assert changed["spec"]["services"]["decode"]["replicas"] == 4
        there.delete(DGD, made["metadata"]["name"])
