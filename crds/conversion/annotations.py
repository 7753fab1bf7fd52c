"""Annotations that keep what a version has no field for, in the form that NVIDIA's operator writes and reads.

`nvidia.com/dgdr-spec` holds `{"version": 1, "spec": ...}`, `nvidia.com/dgdr-status` a bare status; both are sparse and
of the version that the object is *not* in. Ours adds `absent` to the first: Go skips fields that it does not know.
Operators 1.0 to 1.2 wrote an annotation for each field besides; they are read where the two are missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from crds import schema
from crds import vocabulary as v
from crds.conversion import spec
from crds.conversion.spec import Kept
from crds.conversion.trees import Tree, get, path, replaced
from crds.fields import ErrorType, FieldError

SPEC: Final = "nvidia.com/dgdr-spec"
STATUS: Final = "nvidia.com/dgdr-status"

# Controllers read these two from a v1beta1 object when they make the profiling Job, so they are written there too.
CONFIG_MAP_REF: Final = "nvidia.com/dgdr-config-map-ref"
OUTPUT_PVC: Final = "nvidia.com/dgdr-output-pvc"

_GPU_DISCOVERY: Final = "nvidia.com/dgdr-enable-gpu-discovery"
_DEPLOYMENT_OVERRIDES: Final = "nvidia.com/dgdr-deployment-overrides"
_PROFILING_CONFIG: Final = "nvidia.com/dgdr-profiling-config"
_STATUS_BACKEND: Final = "nvidia.com/dgdr-status-backend"
_PROFILING_RESULTS: Final = "nvidia.com/dgdr-profiling-results"
_DEPLOYMENT_STATUS: Final = "nvidia.com/dgdr-deployment-status"
_PROFILING_JOB_NAME: Final = "nvidia.com/dgdr-profiling-job-name"

PRIVATE: Final = frozenset(
    {
        SPEC,
        STATUS,
        CONFIG_MAP_REF,
        OUTPUT_PVC,
        _GPU_DISCOVERY,
        _DEPLOYMENT_OVERRIDES,
        _PROFILING_CONFIG,
        _STATUS_BACKEND,
        _PROFILING_RESULTS,
        _DEPLOYMENT_STATUS,
        _PROFILING_JOB_NAME,
    }
)

_CONFIG_MAP_REF: Final = path("profilingConfig.configMapRef")
_OUTPUT_PVC: Final = path("profilingConfig.outputPVC")
_TOP_LEVEL: Final = re.compile(r"\w+\.(\w+)")
# Fields that a sparse part may leave out: the other version's own fields give them.
_GIVEN: Final = frozenset(
    {
        "spec.model",
        "spec.backend",
        "spec.profilingConfig",
        "spec.profilingConfig.profilerImage",
        "spec.overrides.profilingJob.template.spec.containers",
        "status.state",
    }
)
_BEYOND_FLOAT: Final = re.compile(r"\d{309}")  # a number that Go cannot read would break every list with the object
_ENCODER: Final = msgspec.json.Encoder(order="sorted")  # the same object must give the same bytes


def kept_of_alpha(annotations: Mapping[str, Any]) -> tuple[Kept, Tree]:
    """What the annotations of a v1beta1 object keep of the v1alpha1 spec and status."""
    fields, absent = _envelope(annotations)
    if fields is None:
        fields = _legacy_spec(annotations)
    # These act on their own, so what they say now is what holds.
    if (reference := _object(annotations.get(CONFIG_MAP_REF))) is not None:
        fields = replaced(fields, _CONFIG_MAP_REF, reference)
    if claim := annotations.get(OUTPUT_PVC):
        fields = replaced(fields, _OUTPUT_PVC, claim)
    status = _object(annotations.get(STATUS))
    if status is None:
        status = _legacy_status(annotations)
    version = v.Version.V1ALPHA1
    fields = spec.unsaid_of_alpha(_fitting("spec", fields, version))
    return Kept(fields, absent), _fitting("status", status, version)


def kept_of_beta(annotations: Mapping[str, Any]) -> tuple[Kept, Tree]:
    """What the annotations of a v1alpha1 object keep of the v1beta1 spec and status."""
    fields, absent = _envelope(annotations)
    status = _object(annotations.get(STATUS)) or {}
    if _PROFILING_JOB_NAME in annotations:
        status = {"profilingJobName": annotations[_PROFILING_JOB_NAME], **status}
    version = v.Version.V1BETA1
    fields = spec.unsaid_of_beta(_fitting("spec", fields or {}, version))
    return Kept(fields, absent), _fitting("status", status, version)


def keeping(kept: Kept, status: Tree) -> dict[str, str]:
    """Annotations that keep a spec and a status; none for what is empty."""
    annotations = {}
    if kept:
        absent = {"absent": sorted(kept.absent)} if kept.absent else {}
        annotations[SPEC] = _json({"version": 1, "spec": kept.fields, **absent})
    if status:
        annotations[STATUS] = _json(status)
    return annotations


def acting(kept: Kept) -> dict[str, str]:
    """Annotations of a v1beta1 object that controllers act on, of what it keeps of v1alpha1."""
    annotations = {}
    if isinstance(reference := get(kept.fields, _CONFIG_MAP_REF), dict):
        annotations[CONFIG_MAP_REF] = _json(reference)
    if isinstance(claim := get(kept.fields, _OUTPUT_PVC), str) and claim:
        annotations[OUTPUT_PVC] = claim
    return annotations


def _envelope(annotations: Mapping[str, Any]) -> tuple[Tree | None, frozenset[str]]:
    """The spec that is kept, None where there is none, and what it says is absent."""
    payload = _object(annotations.get(SPEC))
    if payload is None or "spec" not in payload:
        return payload, frozenset()
    fields, absent = payload["spec"], payload.get("absent")
    listed = [item for item in absent if isinstance(item, str)] if isinstance(absent, list) else []
    return fields if isinstance(fields, dict) else None, frozenset(listed)


def _legacy_spec(annotations: Mapping[str, Any]) -> Tree:
    fields: Tree = {}
    if annotations.get(_GPU_DISCOVERY) == "true":
        fields["enableGpuDiscovery"] = True
    if (overrides := _object(annotations.get(_DEPLOYMENT_OVERRIDES))) is not None:
        fields["deploymentOverrides"] = overrides
    if (config := _object(annotations.get(_PROFILING_CONFIG))) is not None:
        fields = replaced(fields, spec.CONFIG, config)
    return fields


def _legacy_status(annotations: Mapping[str, Any]) -> Tree:
    kept = {"backend": annotations.get(_STATUS_BACKEND), "profilingResults": annotations.get(_PROFILING_RESULTS)}
    status: Tree = {key: value for key, value in kept.items() if value}
    deployment = _object(annotations.get(_DEPLOYMENT_STATUS))
    if deployment is not None:
        state = deployment.pop("requestState", None)
        status |= {"deployment": deployment} | ({"state": state} if state else {})
    return status


def _fitting(part: str, kept: Tree, version: v.Version) -> Tree:
    """What of `kept` the schema takes: anyone can write an annotation, and clients with types read what comes of it."""
    if not kept:
        return kept
    found = schema.check({"apiVersion": f"{v.GROUP}/{version}", "kind": str(v.Kind.DGDR), "metadata": {}, part: kept})
    broken = {_TOP_LEVEL.match(error.path) for error in found if not _tolerated(error)}
    names = {match[1] for match in broken if match}
    return {key: value for key, value in kept.items() if key not in names}


def _tolerated(error: FieldError) -> bool:
    """Fields that the schema does not know are the API server's to take away."""
    return error.type is ErrorType.UNKNOWN or (error.type is ErrorType.REQUIRED and error.path in _GIVEN)


def _object(text: Any) -> Tree | None:
    """A JSON object, None where the text is none."""
    if not isinstance(text, str) or _BEYOND_FLOAT.search(text):
        return None
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _json(value: Tree) -> str:
    return _ENCODER.encode(value).decode()
