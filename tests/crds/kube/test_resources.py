"""kubectl's verbs as HTTP requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from crds.errors import ApiError, InputError, NotFound
from crds.kube import resources
from crds.kube.resources import CONFIGMAPS, DGDR, JOBS, NODES, Cluster, by_kind
from tests.crds.kube.server import Server, listing, says, status

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}


def test_paths_of_a_resource() -> None:
    group = "/apis/nvidia.com/v1beta1"
    assert CONFIGMAPS.path() == "/api/v1/configmaps"
    assert DGDR.path("a", "x", "status") == f"{group}/namespaces/a/dynamographdeploymentrequests/x/status"
    assert NODES.path("ignored", "n") == "/api/v1/nodes/n"
    assert CONFIGMAPS.path("a", "../x") == "/api/v1/namespaces/a/configmaps/..%2Fx"


def test_a_kind_leads_to_its_resource() -> None:
    assert by_kind("batch/v1", "Job") is JOBS
    assert by_kind("nvidia.com/v1alpha1", DGDR.kind).path() == DGDR.path().replace("v1beta1", "v1alpha1")
    with pytest.raises(InputError, match=r"Jobs in batch/v1; did you mean batch/v1 Job\?"):
        by_kind("batch/v1", "Jobs")


@pytest.mark.parametrize(
    ("call", "method", "path", "query"),
    [
        (lambda c: c.get(CONFIGMAPS, "m"), "GET", "/api/v1/namespaces/mine/configmaps/m", {}),
        (lambda c: c.get(CONFIGMAPS, "m", "b"), "GET", "/api/v1/namespaces/b/configmaps/m", {}),
        (
            lambda c: c.create(CONFIGMAPS, {"metadata": {"namespace": "own"}}, dry_run=True),
            "POST",
            "/api/v1/namespaces/own/configmaps",
            {"dryRun": "All", "fieldManager": "kubectl-dynamo"},
        ),
        (
            lambda c: c.patch(CONFIGMAPS, "m", {}, kind="apply", force=True, field_manager="me"),
            "PATCH",
            "/api/v1/namespaces/mine/configmaps/m",
            {"force": "true", "fieldManager": "me"},
        ),
        (
            lambda c: c.apply(MAP, namespace="b"),
            "PATCH",
            "/api/v1/namespaces/b/configmaps/m",
            {"fieldManager": "kubectl-dynamo"},
        ),
        (
            lambda c: c.update(CONFIGMAPS, MAP, subresource="status"),
            "PUT",
            "/api/v1/namespaces/mine/configmaps/m/status",
            {"fieldManager": "kubectl-dynamo"},
        ),
        (lambda c: c.delete(CONFIGMAPS, "m"), "DELETE", "/api/v1/namespaces/mine/configmaps/m", {}),
    ],
)
def test_a_verb_as_a_request(
    cluster: Cluster, server: Server, call: Callable[[Cluster], Any], method: str, path: str, query: dict[str, str]
) -> None:
    call(cluster)
    (asked,) = server.asked
    parts = urlsplit(asked.path)
    assert (asked.method, parts.path) == (method, path)
    assert {key: value for key, (value,) in parse_qs(parts.query).items()} == query


def test_delete_names_its_propagation_and_the_object_it_means(cluster: Cluster, server: Server) -> None:
    cluster.delete(CONFIGMAPS, "m", propagation="Foreground", uid="u")
    assert json.loads(server.asked[0].body) == {"propagationPolicy": "Foreground", "preconditions": {"uid": "u"}}


def test_find_tells_a_missing_object_from_a_missing_type(cluster: Cluster, server: Server) -> None:
    server.answers = [status(404, "NotFound", "not found", name="x"), says("404 page not found\n", 404)]
    assert cluster.find(DGDR, "x") is None
    with pytest.raises(NotFound, match="install the CRDs"):
        cluster.find(DGDR, "x")


def test_an_answer_that_is_no_json_is_named(cluster: Cluster, server: Server) -> None:
    server.answers = [says("<html>log in here</html>")]
    with pytest.raises(ApiError, match="with no JSON object; check that it is an API server"):
        cluster.get(CONFIGMAPS, "m")


# Lists.


def page(*names: str, following: str = "") -> dict[str, Any]:
    metadata = {"resourceVersion": "7"} | ({"continue": following} if following else {})
    return {"metadata": metadata, "items": [{"metadata": {"name": name}} for name in names]}


def names(listing: resources.Listing) -> list[str]:
    return [item["metadata"]["name"] for item in listing.items]


def test_pages_are_joined(cluster: Cluster, server: Server) -> None:
    server.answers = [says(page("a", following="t")), says(page("b"))]
    found = cluster.list(CONFIGMAPS, labels="x=1", fields="metadata.name!=z")
    assert (names(found), found.resource_version) == (["a", "b"], "7")
    assert parse_qs(urlsplit(server.asked[1].path).query) == {
        "labelSelector": ["x=1"],
        "fieldSelector": ["metadata.name!=z"],
        "limit": ["500"],
        "continue": ["t"],
    }


def test_items_of_a_list_know_what_they_are(cluster: Cluster, server: Server) -> None:
    server.answers = [says(page("a"))]
    assert cluster.list(CONFIGMAPS).items[0] == MAP | {"metadata": {"name": "a"}}


def test_a_list_that_expired_between_pages_is_read_whole(cluster: Cluster, server: Server) -> None:
    server.answers = [says(page("a", following="t")), status(410, "Expired", "too old"), says(page("a", "b"))]
    assert names(cluster.list(CONFIGMAPS)) == ["a", "b"]
    assert "limit" not in server.asked[2].path


def test_an_empty_list_may_be_null(cluster: Cluster, server: Server) -> None:
    server.answers = [says({"metadata": {"resourceVersion": "1"}, "items": None})]
    assert cluster.list(CONFIGMAPS).items == []


def test_all_namespaces(cluster: Cluster, server: Server) -> None:
    server.answers = [listing(version="1")]
    cluster.list(CONFIGMAPS, all_namespaces=True)
    assert server.asked[0].path == "/api/v1/configmaps?limit=500"


def test_a_table_keeps_the_columns_of_its_first_page(cluster: Cluster, server: Server) -> None:
    first = {"metadata": {"continue": "t"}, "columnDefinitions": [{"name": "Name"}], "rows": [{"cells": ["a"]}]}
    server.answers = [says(first), says({"metadata": {}, "columnDefinitions": [], "rows": [{"cells": ["b"]}]})]
    table = cluster.table(CONFIGMAPS)
    assert [row["cells"] for row in table["rows"]] == [["a"], ["b"]]
    assert table["columnDefinitions"] == [{"name": "Name"}]
    assert "as=Table" in server.asked[0].headers["Accept"]


def test_logs_are_lines(cluster: Cluster, server: Server) -> None:
    server.answers = [says("one\ntw\xf6\n")]
    assert list(cluster.logs("p", container="c", tail=0)) == ["one", "twö"]
    assert server.asked[0].path == "/api/v1/namespaces/mine/pods/p/log?container=c&tailLines=0"


# Kinds that are not in our table.


def test_an_unknown_kind_is_asked_of_the_server(cluster: Cluster, server: Server) -> None:
    served = [
        {"name": "bars/status", "kind": "Bar", "namespaced": True},
        {"name": "bars", "kind": "Bar", "namespaced": True},
    ]
    server.answers = [says({"resources": served}), says({})]
    cluster.apply({"apiVersion": "foo.io/v1", "kind": "Bar", "metadata": {"name": "x"}})
    assert server.asked[0].path == "/apis/foo.io/v1"
    assert server.asked[1].path.startswith("/apis/foo.io/v1/namespaces/mine/bars/x?")


def test_a_kind_that_nobody_knows(cluster: Cluster, server: Server) -> None:
    server.answers = [says("404 page not found", 404)]
    with pytest.raises(InputError, match=r"no kind Bar in foo\.io/v1; install its CustomResourceDefinition"):
        cluster.apply({"apiVersion": "foo.io/v1", "kind": "Bar", "metadata": {"name": "x"}})
