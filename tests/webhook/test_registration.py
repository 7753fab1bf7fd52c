"""The webhook configurations: what every webhook keeps to, and whose clientConfigs get our CA."""

from __future__ import annotations

import base64
import copy
from typing import Any, cast

import pytest

from crds.errors import ClusterError, Conflict
from crds.kube.kinds import CRDS, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, Resource
from crds.kube.resources import Cluster
from crds.rules import Mode
from webhook.admission import Admission
from webhook.registration import NAME, Service, Url, configurations, publish

SERVICE = Service("hook", "ns")
MODES = (Mode.STANDALONE, Mode.BESIDE)
CRD = "dynamographdeploymentrequests.nvidia.com"


class Stored:
    """An API server that keeps documents, with optimistic locks. `conflicts` of the next writes fail."""

    def __init__(self, **conversion: Any) -> None:
        self.conflicts = 0
        self.writes = 0
        made = configurations(SERVICE, Mode.STANDALONE)
        self.documents: dict[tuple[Resource, str], dict[str, Any]] = {
            (MUTATING_WEBHOOKS, NAME): made[0],
            (VALIDATING_WEBHOOKS, NAME): made[1],
            (CRDS, CRD): {"spec": {"conversion": conversion or {"strategy": "None"}}},
        }

    def find(self, resource: Resource, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.documents.get((resource, name)))

    def update(self, resource: Resource, body: dict[str, Any]) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict(409, {}, "somebody was first")
        self.writes += 1
        self.documents[resource, body.get("metadata", {}).get("name", CRD)] = body

    def patch(self, resource: Resource, name: str, body: dict[str, Any], *, field_manager: str) -> None:
        self.writes += 1
        self.documents[resource, name]["spec"].update(body["spec"])

    def publish(self, ca: bytes = b"ca", *, convert: bool = True) -> None:
        publish(cast(Cluster, self), SERVICE, ca, convert=convert)

    def bundles(self) -> list[str | None]:
        kept = [self.documents[one, NAME] for one in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)]
        return [webhook["clientConfig"].get("caBundle") for each in kept for webhook in each["webhooks"]]

    @property
    def conversion(self) -> dict[str, Any]:
        found: dict[str, Any] = self.documents[CRDS, CRD]["spec"]["conversion"]
        return found


@pytest.mark.parametrize("mode", MODES)
def test_no_webhook_can_make_a_cluster_stand_still(mode: Mode) -> None:
    for document in configurations(SERVICE, mode):
        for webhook in document["webhooks"]:
            assert webhook["failurePolicy"] == "Ignore"
            assert 3 <= webhook["timeoutSeconds"] <= 5
            assert webhook["sideEffects"] == "None"
            by_name, by_label = webhook["namespaceSelector"]["matchExpressions"]
            assert by_name["values"] == ["kube-system", "ns"]
            assert (by_label["key"], by_label["values"]) == ("dgdr.nvidia.com/admission", ["disabled"])
            assert "not-being-deleted" in [condition["name"] for condition in webhook["matchConditions"]]


@pytest.mark.parametrize("mode", MODES)
def test_names_are_unique_and_only_mutation_is_invoked_again(mode: Mode) -> None:
    mutating, validating = configurations(SERVICE, mode)
    for document in (mutating, validating):
        names = [webhook["name"] for webhook in document["webhooks"]]
        assert len(set(names)) == len(names)
    assert {webhook["reinvocationPolicy"] for webhook in mutating["webhooks"]} == {"IfNeeded"}
    assert not any("reinvocationPolicy" in webhook for webhook in validating["webhooks"])


@pytest.mark.parametrize("mode", MODES)
def test_every_path_that_is_registered_is_served(mode: Mode) -> None:
    served = {f"https://h:1{path}" for path in Admission().answerers()}
    for document in configurations(Url("https://h:1/"), mode):
        assert {webhook["clientConfig"]["url"] for webhook in document["webhooks"]} <= served


def test_every_ca_bundle_of_ours_is_written_once_and_then_left_alone() -> None:
    stored = Stored()
    stored.publish(b"new")
    assert set(stored.bundles()) == {base64.b64encode(b"new").decode()}
    writes = stored.writes
    stored.publish(b"new")
    assert stored.writes == writes


def test_a_conflict_is_read_again() -> None:
    stored = Stored()
    stored.conflicts = 2
    stored.publish(b"new")
    assert set(stored.bundles()) == {base64.b64encode(b"new").decode()}


def test_endless_conflicts_are_an_error() -> None:
    stored = Stored()
    stored.conflicts = 1000
    with pytest.raises(ClusterError, match="changes faster than its caBundle can be written"):
        stored.publish()


def test_a_crd_without_conversion_gets_ours_and_its_ca_follows() -> None:
    stored = Stored()
    stored.publish(b"old")
    stored.publish(b"new")
    client = stored.conversion["webhook"]["clientConfig"]
    assert client["caBundle"] == base64.b64encode(b"new").decode()
    assert (client["service"]["name"], client["service"]["namespace"]) == ("hook", "ns")


def test_another_operators_conversion_is_never_touched() -> None:
    theirs = {"service": {"name": "dynamo-platform", "namespace": "dynamo"}, "caBundle": "dGhlaXJz"}
    stored = Stored(strategy="Webhook", webhook={"clientConfig": copy.deepcopy(theirs)})
    stored.publish(b"new")
    assert stored.conversion["webhook"]["clientConfig"] == theirs


def test_without_converting_the_crd_stays_as_it_is() -> None:
    stored = Stored()
    stored.publish(b"new", convert=False)
    assert stored.conversion == {"strategy": "None"}


def test_what_is_not_installed_is_passed_over() -> None:
    stored = Stored()
    stored.documents.clear()
    stored.publish()
    assert stored.writes == 0
