"""The volumes of a pod as directories of this machine."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from tests.cluster.api import Api, ApiFailure

Object = dict[str, Any]


class NotYet(Exception):
    """Something that the pod needs does not exist (yet). Like the kubelet, one tries again."""


class Source:
    """What a pod's volumes and environment are made of: the ConfigMaps, Secrets, tokens and fields it refers to."""

    def __init__(self, api: Api, pod: Object, pod_ip: str) -> None:
        self._api, self._pod, self._pod_ip = api, pod, pod_ip
        self._namespace = pod["metadata"]["namespace"]

    def config_map(self, name: str, optional: bool) -> dict[str, bytes] | None:
        """Keys and values; None if it is absent and optional. Raises NotYet if it is absent."""
        found = self._get("configmaps", "configmap", name, optional)
        if found is None:
            return None
        texts = {key: value.encode() for key, value in (found.get("data") or {}).items()}
        return texts | {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}

    def secret(self, name: str, optional: bool) -> dict[str, bytes] | None:
        """Keys and values; None if it is absent and optional. Raises NotYet if it is absent."""
        found = self._get("secrets", "secret", name, optional)
        if found is None:
            return None
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}

    def token(self, projection: Object) -> bytes:
        """A token of the pod's service account, bound to the pod."""
        metadata = self._pod["metadata"]
        account = self._pod["spec"].get("serviceAccountName", "default")
        spec: Object = {
            "expirationSeconds": projection.get("expirationSeconds", 3600),
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]},
        }
        if projection.get("audience"):
            spec["audiences"] = [projection["audience"]]
        answer = self._api.post(
            f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{account}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
        )
        return str(answer["status"]["token"]).encode()

    def field(self, path: str) -> str:
        """Value of the downward API's `path`, such as metadata.name or metadata.labels['app']."""
        metadata, spec = self._pod["metadata"], self._pod["spec"]
        simple = {
            "metadata.name": metadata["name"],
            "metadata.namespace": metadata["namespace"],
            "metadata.uid": metadata["uid"],
            "spec.nodeName": spec.get("nodeName", ""),
            "spec.serviceAccountName": spec.get("serviceAccountName", ""),
            "status.podIP": self._pod_ip,
            "status.podIPs": self._pod_ip,
            "status.hostIP": "127.0.0.1",
        }
        if path in simple:
            return str(simple[path])
        for kind in ("labels", "annotations"):
            if path.startswith(f"metadata.{kind}['") and path.endswith("']"):
                return str((metadata.get(kind) or {}).get(path[len(f"metadata.{kind}['") : -2], ""))
            if path == f"metadata.{kind}":
                return "\n".join(f'{key}="{value}"' for key, value in sorted((metadata.get(kind) or {}).items()))
        raise NotYet(f"the node harness does not know the field {path}")

    def _get(self, plural: str, kind: str, name: str, optional: bool) -> Object | None:
        try:
            return self._api.get(f"/api/v1/namespaces/{self._namespace}/{plural}/{name}")
        except ApiFailure as failure:
            if failure.code != 404:
                raise
            if optional:
                return None
            raise NotYet(f'{kind} "{name}" not found') from failure


def prepare(volumes: list[Object], source: Source, directory: Path, claims: Path) -> dict[str, Path]:
    """Make the pod's volumes; name to directory. `claims` holds one per claim. Raises NotYet."""
    return {volume["name"]: _prepare(volume, source, directory / volume["name"], claims) for volume in volumes}


def claim_directory(claims: Path, namespace: str, name: str) -> Path:
    """Directory of a PersistentVolumeClaim."""
    return claims / namespace / name


def _prepare(volume: Object, source: Source, directory: Path, claims: Path) -> Path:
    if "persistentVolumeClaim" in volume:
        name = volume["persistentVolumeClaim"]["claimName"]
        directory = claim_directory(claims, source.field("metadata.namespace"), name)
    directory.mkdir(parents=True, exist_ok=True)
    if "projected" in volume:
        for projection in volume["projected"].get("sources") or []:
            _write(directory, projection, source)
    elif "secret" in volume:  # spelled secretName here, name in a projection
        _write(directory, {"secret": volume["secret"] | {"name": volume["secret"]["secretName"]}}, source)
    elif not volume.keys() & {"emptyDir", "persistentVolumeClaim"}:
        _write(directory, volume, source)
    return directory


def _write(directory: Path, projection: Object, source: Source) -> None:
    for name, content in _files(projection, source).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _files(projection: Object, source: Source) -> dict[str, bytes]:
    if token := projection.get("serviceAccountToken"):
        return {token["path"]: source.token(token)}
    if downward := projection.get("downwardAPI"):
        return {item["path"]: source.field(item["fieldRef"]["fieldPath"]).encode() for item in downward["items"]}
    for kind, read in (("configMap", source.config_map), ("secret", source.secret)):
        if kind in projection:
            return _selected(projection[kind], read(projection[kind]["name"], projection[kind].get("optional", False)))
    raise NotYet(f"the node harness cannot make a volume of {', '.join(sorted(projection))}")


def _selected(reference: Object, data: dict[str, bytes] | None) -> dict[str, bytes]:
    items = reference.get("items")
    if data is None or not items:
        return data or {}
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not reference.get("optional"):
        raise NotYet(f"references non-existent config key: {missing[0]}")
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}
