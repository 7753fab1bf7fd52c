"""`Cluster`: kubectl's verbs on plain dicts; the resource types are those of `crds.kube.kinds`, offered here too.

The official client's typed API is left aside: importing CoreV1Api alone takes a second, and custom objects are dicts
there too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from crds.errors import ApiError, Expired, InputError, NotFound
from crds.kube import access, errors
from crds.kube.access import Overrides
from crds.kube.kinds import *  # noqa: F403 - the constants are this module's too
from crds.kube.kinds import Resource, by_kind, find_kind
from crds.kube.transport import Transport

Object = dict[str, Any]

FIELD_MANAGER = "kubectl-dynamo"
PAGE = 500
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
_PATCHES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


@dataclass(frozen=True)
class Listing:
    """All objects of a list, each with apiVersion and kind, and the version from which a watch goes on."""

    items: list[Object]
    resource_version: str


class Cluster:
    """One API server, one default namespace. Objects go in and come out as the server's JSON.

    `namespace=None` means the default namespace for namespaced resources. Every method raises ApiError (or NotFound,
    Conflict, Expired, Refused) for what the server refuses and Unreachable when it cannot be asked.
    """

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.transport, self.namespace = transport, namespace

    @classmethod
    def connect(cls, overrides: Overrides = Overrides(), on_warning: Callable[[str], None] | None = None) -> Cluster:  # noqa: B008
        """From kubeconfig or the pod; sends nothing yet. Raises NoCluster or InputError as `access.load`."""
        found = access.load(overrides)
        return cls(Transport(found, on_warning=on_warning), found.namespace)

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """One object."""
        return self._json("GET", self._path(resource, namespace, name))

    def find(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """One object, None if it does not exist; a missing resource type is still NotFound."""
        try:
            return self.get(resource, name, namespace)
        except NotFound as error:
            if (error.status.get("details") or {}).get("name"):
                return None
            raise

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        all_namespaces: bool = False,
        labels: str | None = None,
        fields: str | None = None,
    ) -> Listing:
        """All objects that match, read in pages; `labels` and `fields` are kubectl's -l and --field-selector."""
        path = self._path(resource, namespace, all_namespaces=all_namespaces)
        items: list[Object] = []
        version = ""
        for page in self._pages(path, _selectors(labels, fields), "application/json", items.clear):
            version = page["metadata"]["resourceVersion"]
            # Items of a typed list come without what kind they are.
            items += [
                {"apiVersion": resource.api_version, "kind": resource.kind} | item for item in page["items"] or ()
            ]
        return Listing(items, version)

    def table(
        self,
        resource: Resource,
        *,
        name: str | None = None,
        namespace: str | None = None,
        all_namespaces: bool = False,
        labels: str | None = None,
        fields: str | None = None,
    ) -> Object:
        """The server's own Table (columnDefinitions, rows), what `kubectl get` prints; pages are joined."""
        path = self._path(resource, namespace, name, all_namespaces=all_namespaces)
        if name is not None:
            return self._json("GET", path, accept=_TABLE)
        rows: list[Object] = []
        table: Object = {}
        for page in self._pages(path, _selectors(labels, fields), _TABLE, rows.clear):
            rows += page.get("rows") or ()
            # Later pages leave the column definitions out.
            table = {**page, "columnDefinitions": page.get("columnDefinitions") or table.get("columnDefinitions", [])}
        return {**table, "rows": rows}

    def create(
        self,
        resource: Resource,
        body: Object,
        *,
        namespace: str | None = None,
        dry_run: bool = False,
        field_manager: str = FIELD_MANAGER,
    ) -> Object:
        """Create; the namespace is the argument's, else the object's, else the default."""
        path = self._path(resource, namespace or _namespace_of(body))
        return self._json("POST", path, query=_write(field_manager, dry_run), body=body)

    def update(
        self, resource: Resource, body: Object, *, subresource: str | None = None, dry_run: bool = False
    ) -> Object:
        """Replace. With metadata.resourceVersion in `body`, Conflict if somebody else wrote since."""
        path = self._path(resource, _namespace_of(body), body["metadata"]["name"], subresource)
        return self._json("PUT", path, query=_write(FIELD_MANAGER, dry_run), body=body)

    def patch(
        self,
        resource: Resource,
        name: str,
        body: object,
        *,
        namespace: str | None = None,
        kind: Literal["merge", "json", "apply", "strategic"] = "merge",
        subresource: str | None = None,
        field_manager: str = FIELD_MANAGER,
        force: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Change parts. Custom resources know no strategic merge; `force` is for apply: take other managers' fields."""
        query = _write(field_manager, dry_run)
        if force and kind == "apply":
            query["force"] = "true"
        path = self._path(resource, namespace, name, subresource)
        return self._json("PATCH", path, query=query, body=body, content_type=_PATCHES[kind])

    def apply(
        self,
        body: Object,
        *,
        namespace: str | None = None,
        field_manager: str = FIELD_MANAGER,
        force: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply of a whole object of any kind that the server knows. Raises Conflict unless `force`."""
        resource = self.resource_of(str(body.get("apiVersion", "")), str(body.get("kind", "")))
        return self.patch(
            resource,
            body["metadata"]["name"],
            body,
            namespace=namespace or _namespace_of(body),
            kind="apply",
            field_manager=field_manager,
            force=force,
            dry_run=dry_run,
        )

    def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
        uid: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Delete; with `uid`, Conflict if the name now belongs to another object."""
        options: Object = {"propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if dry_run:
            options["dryRun"] = ["All"]
        return self._json("DELETE", self._path(resource, namespace, name), body=options)

    def logs(
        self,
        pod: str,
        *,
        namespace: str | None = None,
        container: str | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Iterator[str]:
        """Lines of a pod's log; with `follow`, until its container ends."""
        query = {
            "container": container,
            "tailLines": str(tail) if tail is not None else None,
            "follow": "true" if follow else None,
        }
        path = self._path(by_kind("v1", "Pod"), namespace, pod, "log")
        with self.transport.stream(path, query={key: value for key, value in query.items() if value}) as lines:
            for line in lines:
                yield line.decode("utf-8", "replace")

    def version(self) -> Object:
        """/version of the API server: gitVersion, major, minor, ..."""
        return self._json("GET", "/version")

    def resource_of(self, api_version: str, kind: str) -> Resource:
        """The resource type of a document: from our table, else the server's. Raises InputError if it has none."""
        if found := find_kind(api_version, kind):
            return found
        group, _, version = api_version.rpartition("/")
        root = f"/apis/{api_version}" if group else f"/api/{api_version}"
        try:
            served = self._json("GET", root)["resources"]
        except NotFound:
            served = []
        for one in served:
            if one["kind"] == kind and "/" not in one["name"]:
                return Resource(group, version, one["name"], kind, one["namespaced"])
        raise InputError(
            f"the cluster has no kind {kind} in {api_version}", next="install its CustomResourceDefinition first"
        )

    def _path(
        self,
        resource: Resource,
        namespace: str | None,
        name: str | None = None,
        subresource: str | None = None,
        *,
        all_namespaces: bool = False,
    ) -> str:
        return resource.path(None if all_namespaces else namespace or self.namespace, name, subresource)

    def _pages(self, path: str, query: Mapping[str, str], accept: str, restart: Callable[[], None]) -> Iterator[Object]:
        """Pages of a list; if the list changed too much to go on, `restart` and read it in one piece."""
        token = ""
        while True:
            paged = {**query, "limit": str(PAGE)} | ({"continue": token} if token else {})
            try:
                page = self._json("GET", path, query=paged, accept=accept)
            except Expired:
                if not token:
                    raise
                restart()
                yield self._json("GET", path, query=query, accept=accept)
                return
            yield page
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        response = self.transport.request(
            method, path, query=query, body=body, content_type=content_type, accept=accept
        )
        if response.code >= 400:
            raise errors.failure(response.code, response.body, errors.target(method, path, query))
        try:
            document = json.loads(response.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            server = self.transport.access.server
            raise ApiError(
                response.code,
                {},
                f"{server} answered {path} with no JSON object",
                next="check that it is an API server",
            )
        return document


def _selectors(labels: str | None, fields: str | None) -> dict[str, str]:
    chosen = {"labelSelector": labels, "fieldSelector": fields}
    return {key: value for key, value in chosen.items() if value}


def _write(field_manager: str, dry_run: bool) -> dict[str, str]:
    return {"fieldManager": field_manager} | ({"dryRun": "All"} if dry_run else {})


def _namespace_of(body: Object) -> str | None:
    return (body.get("metadata") or {}).get("namespace")
