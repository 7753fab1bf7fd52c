"""The webhook configurations that make the API server ask us, and writing them, or their CA alone, to a cluster.

failurePolicy is Ignore: with the webhook down, the ValidatingAdmissionPolicy in `crds/` still refuses, and no cluster
stands still because of us.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from crds import vocabulary as v
from crds.errors import ClusterError, Conflict
from crds.kube.kinds import CRDS, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, Resource
from crds.kube.resources import Cluster
from crds.rules import Mode
from webhook import conversion
from webhook.hooks import Hook, HookKind, hooks

log = logging.getLogger(__name__)

NAME = "kubectl-dynamo"
FIELD_MANAGER = "dgdr-webhook"
TIMEOUT_SECONDS = 5
ATTEMPTS = 5
LABEL_ADMISSION = (
    "dgdr.nvidia.com/admission"  # "disabled" on a namespace: the policy still refuses there, we are not asked
)
CONFIGURATIONS = {HookKind.MUTATING: MUTATING_WEBHOOKS, HookKind.VALIDATING: VALIDATING_WEBHOOKS}


class Target(Protocol):
    """Where the API server finds us."""

    def client(self, path: str) -> dict[str, Any]:
        """A clientConfig without its caBundle."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces of our own, about which we are not asked: we could never start there if we had to answer."""


@dataclass(frozen=True)
class Url:
    """A webhook outside the cluster, at an https URL."""

    base: str

    def client(self, path: str) -> dict[str, Any]:
        """See `Target`."""
        return {"url": self.base.rstrip("/") + path}

    @property
    def namespaces(self) -> tuple[str, ...]:
        """See `Target`."""
        return ()


@dataclass(frozen=True)
class Service:
    """A webhook behind a Service of the cluster, at port 443."""

    name: str
    namespace: str

    def client(self, path: str) -> dict[str, Any]:
        """See `Target`."""
        return {"service": {"name": self.name, "namespace": self.namespace, "path": path, "port": 443}}

    @property
    def namespaces(self) -> tuple[str, ...]:
        """See `Target`."""
        return (self.namespace,)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names by which API servers call; the first is the one that they verify."""
        return (f"{self.name}.{self.namespace}.svc", f"{self.name}.{self.namespace}.svc.cluster.local")

    def serves(self, client: dict[str, Any]) -> bool:
        """Whether a clientConfig leads to this service."""
        service = client.get("service") or {}
        return (service.get("name"), service.get("namespace")) == (self.name, self.namespace)


def configurations(target: Target, mode: Mode, ca: bytes | None = None) -> tuple[dict[str, Any], ...]:
    """The mutating and the validating configuration. Without `ca`, something else fills caBundle in."""
    return tuple(_configuration(kind, target, mode, ca) for kind in HookKind)


def register(cluster: Cluster, url: Url, mode: Mode, ca: bytes, *, convert: bool) -> None:
    """Write both configurations and, to `convert`, the CRD's conversion. Raises ClusterError."""
    for document in configurations(url, mode, ca):
        cluster.apply(document, field_manager=FIELD_MANAGER, force=True)
    if convert:
        cluster.patch(CRDS, conversion.CRD, conversion.conversion_patch(url.base, ca), field_manager=FIELD_MANAGER)


def publish(cluster: Cluster, service: Service, ca: bytes, *, convert: bool) -> None:
    """Set caBundle where configurations lead to our `service`; to `convert`, in the CRD's conversion too.

    A CRD without conversion gets ours; one that leads elsewhere is another operator's and left alone, as is what is
    not installed. Raises ClusterError.
    """
    for resource in CONFIGURATIONS.values():
        _patch(cluster, resource, NAME, service, ca)
    if convert:
        _convert(cluster, service, ca)
        _patch(cluster, CRDS, conversion.CRD, service, ca)


def _convert(cluster: Cluster, service: Service, ca: bytes) -> None:
    document = cluster.find(CRDS, conversion.CRD)
    if document is not None and document["spec"].get("conversion", {}).get("strategy", "None") == "None":
        where = {"name": service.name, "namespace": service.namespace, "port": 443}
        patch = conversion.conversion_patch(where, ca)
        cluster.patch(CRDS, conversion.CRD, patch, field_manager=FIELD_MANAGER)


def _patch(cluster: Cluster, resource: Resource, name: str, service: Service, ca: bytes) -> None:
    bundle = base64.b64encode(ca).decode()
    for _ in range(ATTEMPTS):
        document = cluster.find(resource, name)
        if document is None:
            log.warning("%s %s is not installed", resource.kind, name)
            return
        stale = [one for one in _clients(document) if service.serves(one) and one.get("caBundle") != bundle]
        if not stale:
            return
        for one in stale:
            one["caBundle"] = bundle
        try:
            cluster.update(resource, document)
        except Conflict:
            continue  # another replica, or whoever applies the manifests, was first
        log.info("the CA of %s %s is up to date", resource.kind, name)
        return
    raise ClusterError(
        f"{resource.kind} {name} changes faster than its caBundle can be written",
        next="look for another program that writes it",
    )


def _clients(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The clientConfigs of a webhook configuration or a CRD."""
    for webhook in document.get("webhooks") or ():
        yield webhook["clientConfig"]
    conversion = (document.get("spec") or {}).get("conversion") or {}
    if client := (conversion.get("webhook") or {}).get("clientConfig"):
        yield client


def _configuration(kind: HookKind, target: Target, mode: Mode, ca: bytes | None) -> dict[str, Any]:
    return {
        "apiVersion": CONFIGURATIONS[kind].api_version,
        "kind": CONFIGURATIONS[kind].kind,
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/name": NAME}},
        "webhooks": [_webhook(hook, target, ca) for hook in hooks(kind, mode)],
    }


def _webhook(hook: Hook, target: Target, ca: bytes | None) -> dict[str, Any]:
    client = target.client(hook.path)
    if ca is not None:
        client["caBundle"] = base64.b64encode(ca).decode()
    excluded = ["kube-system", *target.namespaces]
    return {
        "name": hook.name,
        "clientConfig": client,
        "rules": [
            {
                "apiGroups": [v.GROUP],
                "apiVersions": [str(version) for version in hook.versions],
                "resources": [hook.resource],
                "operations": list(hook.operations),
                "scope": "Namespaced",
            }
        ],
        "matchPolicy": "Equivalent",
        "matchConditions": [asdict(condition) for condition in hook.match_conditions],
        "namespaceSelector": {
            "matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": excluded},
                {"key": LABEL_ADMISSION, "operator": "NotIn", "values": ["disabled"]},
            ]
        },
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
        # A mutation of a later webhook may call for one of ours again.
        **({"reinvocationPolicy": "IfNeeded"} if hook.kind is HookKind.MUTATING else {}),
    }
