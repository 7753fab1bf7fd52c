"""The deployment of a request: the DGD to create and the ConfigMaps with it, and what its status adds up to. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from crds import vocabulary as v
from crds.fields import get
from profiler.controller.jobs import labels

ANNOTATION_REQUEST_UID = "dgdr.nvidia.com/request-uid"  # tells our own DGD from a foreign one of the same name


def name_of(dgdr: Mapping[str, Any]) -> str:
    """Name of the DGD of a request."""
    return v.dgd_name(dgdr["metadata"]["name"], get(dgdr, "spec.overrides.dgd"))


def to_create(dgdr: Mapping[str, Any], dgd: Mapping[str, Any]) -> dict[str, Any]:
    """The DGD as it is created for `dgdr`: named and labelled. It has no owner, so that it outlives the request."""
    metadata = dgd.get("metadata") or {}
    return {
        "apiVersion": v.DGD_API_VERSION,
        "kind": str(v.Kind.DGD),
        "metadata": {
            "name": name_of(dgdr),
            "namespace": dgdr["metadata"]["namespace"],
            "labels": {**(metadata.get("labels") or {}), **labels(dgdr)},
            "annotations": {**(metadata.get("annotations") or {}), ANNOTATION_REQUEST_UID: dgdr["metadata"]["uid"]},
        },
        "spec": copy.deepcopy(dgd["spec"]),
    }


def is_ours(dgdr: Mapping[str, Any], dgd: Mapping[str, Any]) -> bool:
    """Whether an existing DGD was made for this very request."""
    return bool(get(dgd, "metadata.annotations", {}).get(ANNOTATION_REQUEST_UID) == dgdr["metadata"]["uid"])


def config_map(
    dgdr: Mapping[str, Any], document: Mapping[str, Any], owner_reference: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A ConfigMap of the result as it is applied: in the request's namespace, labelled, perhaps with an owner."""
    metadata = document["metadata"]
    made = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": metadata["name"],
            "namespace": dgdr["metadata"]["namespace"],
            "labels": {**(metadata.get("labels") or {}), **labels(dgdr)},
        },
        **{key: document[key] for key in ("data", "binaryData") if document.get(key)},
    }
    if owner_reference:
        made["metadata"]["ownerReferences"] = [dict(owner_reference)]
    return made


def dgd_owner(dgd: Mapping[str, Any]) -> dict[str, Any]:
    """An owner reference to a DGD: the ConfigMaps that its pods mount live as long as it does."""
    return {
        "apiVersion": v.DGD_API_VERSION,
        "kind": str(v.Kind.DGD),
        "name": dgd["metadata"]["name"],
        "uid": dgd["metadata"]["uid"],
        "controller": True,
    }


def state(dgd: Mapping[str, Any]) -> str:
    """`.status.state` of a DGD, initializing where nobody has set it."""
    return str(get(dgd, "status.state", v.DgdState.INITIALIZING))


def info(dgd: Mapping[str, Any]) -> dict[str, int]:
    """`deploymentInfo`: replicas and available replicas, summed over the services of a DGD."""
    services = get(dgd, "status.services", {}).values()
    return {
        "replicas": sum(int(service.get("replicas") or 0) for service in services),
        "availableReplicas": sum(int(service.get("availableReplicas") or 0) for service in services),
    }


def is_profile(dgdr: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap of the result is our own profile.json, which lives and goes with the request."""
    return bool(document["metadata"]["name"] == v.PROFILE_CONFIGMAP_PREFIX + dgdr["metadata"]["name"])
