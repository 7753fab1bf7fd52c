"""The webhook configurations that make the API server ask us, and writing them to a cluster.

failurePolicy is Ignore: with the webhook down, the ValidatingAdmissionPolicy in `crds/` still refuses, and no cluster
stands still because of us.
"""

from __future__ import annotations

import base64
from typing import Any

from crds import vocabulary as v
from crds.kube.resources import Cluster
from webhook.hooks import MUTATE_DGDR, VALIDATE_DGDR

NAME = "kubectl-dynamo"
FIELD_MANAGER = "dgdr-webhook"
TIMEOUT_SECONDS = 5
LABEL_ADMISSION = "dgdr.nvidia.com/admission"  # "disabled" on a namespace: only the policy refuses there

# Asked only for what can be refused: a new request or a changed spec, and never for an object on its way out.
MATCH_CONDITIONS = (
    {"name": "spec-is-new", "expression": "oldObject == null || object.spec != oldObject.spec"},
    {"name": "not-being-deleted", "expression": "!has(object.metadata.deletionTimestamp)"},
)


def configurations(url: str, ca: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The mutating and the validating configuration for a webhook that runs at `url`, outside the cluster."""
    return (
        _configuration("MutatingWebhookConfiguration", {"reinvocationPolicy": "IfNeeded"}, url + MUTATE_DGDR, ca),
        _configuration("ValidatingWebhookConfiguration", {}, url + VALIDATE_DGDR, ca),
    )


def register(cluster: Cluster, url: str, ca: bytes) -> None:
    """Write both configurations. Raises ClusterError."""
    for document in configurations(url.rstrip("/"), ca):
        cluster.apply(document, field_manager=FIELD_MANAGER, force=True)


def _configuration(kind: str, extra: dict[str, Any], url: str, ca: bytes) -> dict[str, Any]:
    webhook = {
        "name": "dgdr.kubectl-dynamo.nvidia.com",
        "clientConfig": {"url": url, "caBundle": base64.b64encode(ca).decode()},
        "rules": [
            {
                "apiGroups": [v.GROUP],
                "apiVersions": [str(v.Version.V1BETA1)],
                "resources": [v.PLURALS[v.Kind.DGDR]],
                "operations": ["CREATE", "UPDATE"],
                "scope": "Namespaced",
            }
        ],
        "matchPolicy": "Equivalent",
        "matchConditions": [dict(condition) for condition in MATCH_CONDITIONS],
        "namespaceSelector": {
            "matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]},
                {"key": LABEL_ADMISSION, "operator": "NotIn", "values": ["disabled"]},
            ]
        },
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
        **extra,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/name": NAME}},
        "webhooks": [webhook],
    }
