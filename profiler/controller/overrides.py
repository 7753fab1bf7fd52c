"""`spec.overrides.profilingJob` merged into the profiling Job, by an explicit allow-list. Pure.

The list is that of the Dynamo 1.2 operator: command and args can never be replaced; the first container that is given
changes the profiler whatever its name, unless it is called output-copier. An init container called `profiler` without
an image cannot run; the public docs use it to hand the profiler a token, so its env is taken for the profiler.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from crds import vocabulary as v

JOB_FIELDS = (
    "backoffLimit",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
    "completions",
    "parallelism",
    "suspend",
)
POD_FIELDS = (
    "tolerations",
    "nodeSelector",
    "affinity",
    "priorityClassName",
    "serviceAccountName",
    "runtimeClassName",
    "dnsPolicy",
    "dnsConfig",
    "terminationGracePeriodSeconds",
    "topologySpreadConstraints",
    "automountServiceAccountToken",
)
PROTECTED_LABELS = frozenset(
    {v.LABEL_APP, v.LABEL_DGDR, v.LABEL_DGDR_NAME, v.LABEL_DGDR_NAMESPACE, v.LABEL_MANAGED_BY, v.LABEL_JOB_DGDR_NAME}
)
PROFILER, RELAY = "profiler", "output-copier"


def merge_job(job: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `job` with `override` (a JobSpec) merged in."""
    merged = copy.deepcopy(dict(job))
    override = copy.deepcopy(dict(override))
    spec = merged["spec"]
    spec.update({key: override[key] for key in JOB_FIELDS if override.get(key) is not None})
    template = override.get("template") or {}
    _merge_metadata(spec["template"].setdefault("metadata", {}), template.get("metadata") or {})
    _merge_pod(spec["template"]["spec"], template.get("spec") or {})
    return merged


def _merge_metadata(metadata: dict[str, Any], override: Mapping[str, Any]) -> None:
    given = {k: value for k, value in (override.get("labels") or {}).items() if k not in PROTECTED_LABELS}
    metadata["labels"] = {**metadata.get("labels", {}), **given}
    if override.get("annotations"):
        metadata["annotations"] = {**metadata.get("annotations", {}), **override["annotations"]}


def _merge_pod(pod: dict[str, Any], override: dict[str, Any]) -> None:
    pod.update({key: override[key] for key in POD_FIELDS if override.get(key) not in (None, "", {}, [])})
    if override.get("securityContext"):
        pod["securityContext"] = {**pod.get("securityContext", {}), **override["securityContext"]}
    for key in ("volumes", "imagePullSecrets"):
        if override.get(key):
            pod[key] = _by_name(pod.get(key, []), override[key])
    env_only, init = _split_init(override.get("initContainers") or [])
    if init:
        pod["initContainers"] = _by_name(pod.get("initContainers", []), init)
    containers = {container["name"]: container for container in pod["containers"]}
    for index, container in enumerate(override.get("containers") or []):
        target = RELAY if container.get("name") == RELAY else PROFILER
        if target == RELAY or index == 0 or container.get("name") == PROFILER:
            _merge_container(containers[target], container)
    for container in env_only:
        _merge_container(containers[PROFILER], {"env": container.get("env")})


def _split_init(given: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    env_only: list[dict[str, Any]] = []
    real: list[dict[str, Any]] = []
    for container in given:
        (real if container.get("image") or container.get("name") != PROFILER else env_only).append(container)
    return env_only, real


def _merge_container(container: dict[str, Any], override: Mapping[str, Any]) -> None:
    for key in ("image", "resources", "securityContext"):
        if override.get(key):
            container[key] = override[key]
    for key in ("env", "volumeMounts"):
        if override.get(key):
            container[key] = _by_name(container.get(key, []), override[key])
    if override.get("envFrom"):
        container["envFrom"] = [*container.get("envFrom", []), *override["envFrom"]]


def _by_name(base: Iterable[dict[str, Any]], override: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries of both lists; one of the same name replaces the whole entry in its place."""
    merged = {entry["name"]: entry for entry in base}
    merged.update({entry["name"]: entry for entry in override})
    return list(merged.values())
