"""The profiling Job of a request: the profiler, and the relay that carries its files to a ConfigMap. Pure.

Names, labels, mounts and environment are those of the Dynamo 1.2 operator, so that people's scripts find them.
Different on purpose: the token secret is optional, the containers have requests and limits, the Job has a deadline, and
the pod carries the label that the public docs select on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crds import vocabulary as v
from crds.fields import get
from profiler.controller.overrides import merge_job

DATA_DIR = "/data"
CONFIG_DIR = "/config"
DEADLINE_SECONDS = {v.SearchStrategy.RAPID: 1800, v.SearchStrategy.THOROUGH: 6 * 3600}


@dataclass(frozen=True)
class JobSettings:
    """What the person who runs the controller decides about profiling pods."""

    image: str


def job_name(dgdr: str) -> str:
    """Name of the profiling Job of a request."""
    return v.JOB_PREFIX + dgdr


def output_name(dgdr: str) -> str:
    """Name of the ConfigMap in which results come back."""
    return v.OUTPUT_CONFIGMAP_PREFIX + dgdr


def owner(dgdr: Mapping[str, Any]) -> dict[str, Any]:
    """An owner reference to the request: what it owns is collected with it."""
    return {
        "apiVersion": v.DGDR_API_VERSION,
        "kind": str(v.Kind.DGDR),
        "name": dgdr["metadata"]["name"],
        "uid": dgdr["metadata"]["uid"],
        "controller": True,
    }


def labels(dgdr: Mapping[str, Any]) -> dict[str, str]:
    """Labels of everything that is made for a request."""
    return {
        v.LABEL_DGDR_NAME: dgdr["metadata"]["name"],
        v.LABEL_DGDR_NAMESPACE: dgdr["metadata"]["namespace"],
        v.LABEL_MANAGED_BY: v.MANAGED_BY,
    }


def profiling_job(dgdr: Mapping[str, Any], hardware: Mapping[str, Any], settings: JobSettings) -> dict[str, Any]:
    """The Job that profiles `dgdr` on `hardware` (spec.hardware with what discovery filled in).

    Raises InputError where `spec.overrides.profilingJob` cannot be merged.
    """
    name, spec = dgdr["metadata"]["name"], dgdr["spec"]
    strategy = v.SearchStrategy(spec.get("searchStrategy") or v.SearchStrategy.RAPID)
    marks = {v.LABEL_APP: v.APP_PROFILER, v.LABEL_DGDR: name, v.LABEL_JOB_DGDR_NAME: name, **labels(dgdr)}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(name),
            "namespace": dgdr["metadata"]["namespace"],
            "labels": marks,
            "ownerReferences": [owner(dgdr)],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": DEADLINE_SECONDS[strategy],
            "template": {"metadata": {"labels": dict(marks)}, "spec": _pod(dgdr, hardware, settings)},
        },
    }
    return merge_job(job, get(spec, "overrides.profilingJob", {}))


def _pod(dgdr: Mapping[str, Any], hardware: Mapping[str, Any], settings: JobSettings) -> dict[str, Any]:
    cache = get(dgdr, "spec.modelCache.pvcName")
    volumes: list[dict[str, Any]] = [{"name": "profiling-output", "emptyDir": {}}]
    if cache:
        volumes.append({"name": "model-cache", "persistentVolumeClaim": {"claimName": cache, "readOnly": True}})
    return {
        "restartPolicy": "Never",
        "serviceAccountName": v.PROFILING_SERVICE_ACCOUNT,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000},
        "imagePullSecrets": [{"name": v.PULL_SECRET}],
        "containers": [_profiler(dgdr, hardware, settings), _relay(dgdr, settings)],
        "volumes": volumes,
    }


def _profiler(dgdr: Mapping[str, Any], hardware: Mapping[str, Any], settings: JobSettings) -> dict[str, Any]:
    config = json.dumps({**dgdr["spec"], "hardware": dict(hardware)}, separators=(",", ":"))
    mounts: list[dict[str, Any]] = [{"name": "profiling-output", "mountPath": DATA_DIR}]
    if get(dgdr, "spec.modelCache.pvcName"):
        path = get(dgdr, "spec.modelCache.pvcMountPath", v.DEFAULT_MODEL_MOUNT)
        mounts.append({"name": "model-cache", "mountPath": path, "readOnly": True})
    token = {"name": v.HF_TOKEN_SECRET, "key": v.HF_TOKEN_KEY, "optional": True}
    return {
        "name": "profiler",
        "image": settings.image,
        "command": ["python", "-m", "profiler"],
        "args": ["--config", config, "--output-dir", DATA_DIR],
        "env": [{"name": "HUGGING_FACE_HUB_TOKEN", "valueFrom": {"secretKeyRef": token}}, *_identity(dgdr)],
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
        "volumeMounts": mounts,
    }


def _relay(dgdr: Mapping[str, Any], settings: JobSettings) -> dict[str, Any]:
    pod_name = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return {
        "name": "output-copier",
        "image": settings.image,
        "command": ["python", "-m", "profiler.relay"],
        "args": ["--output-dir", DATA_DIR, "--config-map", output_name(dgdr["metadata"]["name"])],
        "env": [*_identity(dgdr), pod_name],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [{"name": "profiling-output", "mountPath": DATA_DIR, "readOnly": True}],
    }


def _identity(dgdr: Mapping[str, Any]) -> list[dict[str, Any]]:
    metadata = dgdr["metadata"]
    return [
        {"name": "DGDR_NAME", "value": metadata["name"]},
        {"name": "DGDR_NAMESPACE", "value": metadata["namespace"]},
        {"name": "DGDR_UID", "value": metadata["uid"]},
    ]


def job_access(namespace: str) -> list[dict[str, Any]]:
    """Service account of profiling pods, and its rights: read the request and its own pod, write the output."""
    name = v.PROFILING_SERVICE_ACCOUNT
    metadata = {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": v.MANAGED_BY}}
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "get", "update", "patch"]},
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
                {"apiGroups": [v.GROUP], "resources": [v.PLURALS[v.Kind.DGDR]], "verbs": ["get"]},
            ],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {**metadata, "name": f"{name}-binding"},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    ]
