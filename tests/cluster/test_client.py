"""The client of `crds.kube` against the real API server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from crds.errors import ApiError, Conflict, Expired, NotFound, Refused
from crds.kube.access import Overrides
from crds.kube.resources import CONFIGMAPS, NODES, PODS, SECRETS, Cluster, Resource
from crds.kube.watch import Informer, watch
from tests.cluster.controlplane import ControlPlane

pytestmark = pytest.mark.cluster


@pytest.fixture
def cluster(control_plane: ControlPlane, namespace: str) -> Cluster:
    return Cluster.connect(Overrides(kubeconfig=str(control_plane.kubeconfig), namespace=namespace))


@pytest.fixture
def nobody(control_plane: ControlPlane, namespace: str) -> Cluster:
    """Acts as a user without any right."""
    return Cluster.connect(
        Overrides(kubeconfig=str(control_plane.kubeconfig), namespace=namespace, as_user="bob", as_groups=("team",))
    )


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"by": "test"}}, "data": data}


def test_the_life_of_an_object(cluster: Cluster) -> None:
    created = cluster.create(CONFIGMAPS, config("m", a="1"))
    with pytest.raises(Conflict, match="already exists"):
        cluster.create(CONFIGMAPS, config("m"))
    assert cluster.patch(CONFIGMAPS, "m", {"data": {"b": "2"}})["data"] == {"a": "1", "b": "2"}
    operation = [{"op": "remove", "path": "/data/a"}]
    patched = cluster.patch(CONFIGMAPS, "m", operation, kind="json")
    assert patched["data"] == {"b": "2"}
    with pytest.raises(Conflict, match="has been modified"):
        cluster.update(CONFIGMAPS, created)
    assert cluster.update(CONFIGMAPS, patched | {"data": {"c": "3"}})["data"] == {"c": "3"}
    with pytest.raises(Conflict, match="precondition"):
        cluster.delete(CONFIGMAPS, "m", uid="another")
    cluster.delete(CONFIGMAPS, "m", uid=created["metadata"]["uid"])
    assert cluster.find(CONFIGMAPS, "m") is None


def test_a_dry_run_leaves_nothing(cluster: Cluster) -> None:
    assert cluster.create(CONFIGMAPS, config("m"), dry_run=True)["metadata"]["uid"]
    assert cluster.apply(config("m"), dry_run=True)["metadata"]["uid"]
    assert cluster.find(CONFIGMAPS, "m") is None


def test_apply_respects_other_managers_unless_forced(cluster: Cluster) -> None:
    cluster.apply(config("m", a="1"), field_manager="one")
    with pytest.raises(Conflict, match=r'conflict with "one".*\n?.*\.data\.a'):
        cluster.apply(config("m", a="2"), field_manager="two")
    assert cluster.apply(config("m", a="2"), field_manager="two", force=True)["data"] == {"a": "2"}


def test_apply_finds_kinds_outside_our_table(cluster: Cluster) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}}
    assert cluster.apply(quota)["spec"]["hard"] == {"pods": "0"}


def test_an_object_that_breaks_the_schema_lists_every_cause(cluster: Cluster) -> None:
    with pytest.raises(Refused, match=r'^The Pod "p" is invalid: \n\* spec.containers\[0\]') as caught:
        cluster.create(PODS, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "X_"}]}})
    assert caught.value.code == 422


def test_a_type_that_is_not_installed(cluster: Cluster) -> None:
    with pytest.raises(NotFound, match="doesn't have a resource type"):
        cluster.list(Resource("nothing.example", "v1", "things", "Thing"))


def test_missing_rights_name_the_rule(nobody: Cluster) -> None:
    with pytest.raises(ApiError, match=r'User "bob" cannot list .*verbs: \["list"\]') as caught:
        nobody.list(SECRETS)
    assert caught.value.code == 403
    with pytest.raises(ApiError, match=r'a ClusterRole with the rule .*"nodes"'):
        nobody.get(NODES, "n")


def test_a_token_that_nobody_issued(control_plane: ControlPlane) -> None:
    stranger = Cluster.connect(Overrides(kubeconfig=str(control_plane.kubeconfig), token="made-up"))
    with pytest.raises(ApiError, match="does not accept your credentials"):
        stranger.list(PODS)


def test_lists_and_tables_join_their_pages(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        cluster.create(CONFIGMAPS, config(f"m{number}"))
    monkeypatch.setattr("crds.kube.resources.PAGE", 2)
    assert [one["metadata"]["name"] for one in cluster.list(CONFIGMAPS, labels="by=test").items] == [
        f"m{number}" for number in range(5)
    ]
    table = cluster.table(CONFIGMAPS, labels="by=test")
    assert [row["cells"][0] for row in table["rows"]] == [f"m{number}" for number in range(5)]
    assert table["columnDefinitions"][0]["name"] == "Name"


def test_warnings_of_the_server_are_heard(control_plane: ControlPlane, namespace: str) -> None:
    heard: list[str] = []
    overrides = Overrides(kubeconfig=str(control_plane.kubeconfig), namespace=namespace)
    Cluster.connect(overrides, on_warning=heard.append).create(CONFIGMAPS, config("m") | {"bogus": 1})
    assert heard == ['unknown field "bogus"']


def test_a_watch_starts_where_a_list_ended(cluster: Cluster) -> None:
    listing = cluster.list(CONFIGMAPS, labels="by=test")
    cluster.create(CONFIGMAPS, config("m"))
    cluster.delete(CONFIGMAPS, "m")
    changes = watch(cluster, CONFIGMAPS, labels="by=test", resource_version=listing.resource_version, timeout=1)
    assert [change.type for change in changes] == ["ADDED", "DELETED"]


def test_a_watch_from_long_ago_is_expired(cluster: Cluster) -> None:
    with pytest.raises(Expired):
        next(watch(cluster, CONFIGMAPS, resource_version="1"))


@pytest.fixture
def informer(cluster: Cluster) -> Iterator[tuple[Informer, threading.Event]]:
    """An informer of the namespace's ConfigMaps, and an event that is set when `last` changed."""
    seen = threading.Event()
    one = Informer(
        cluster,
        CONFIGMAPS,
        namespace=cluster.namespace,
        labels="by=test",
        on_change=lambda key, _: seen.set() if key[1] == "last" else None,
    )
    yield one, seen
    one.stop()


def test_an_informer_keeps_in_step(cluster: Cluster, informer: tuple[Informer, threading.Event]) -> None:
    one, seen = informer
    cluster.create(CONFIGMAPS, config("a", x="1"))
    cluster.create(CONFIGMAPS, config("b"))
    one.start()
    assert one.wait_synced(10)
    assert len(one.items()) == 2
    cluster.patch(CONFIGMAPS, "a", {"data": {"x": "2"}})
    cluster.delete(CONFIGMAPS, "b")
    cluster.create(CONFIGMAPS, config("last"))
    assert seen.wait(10)
    found = one.get(cluster.namespace, "a")
    assert found is not None
    assert found["data"] == {"x": "2"}
    assert one.get(cluster.namespace, "b") is None
