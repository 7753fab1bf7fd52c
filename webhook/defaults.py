"""What a DGDR leaves open and the cluster can tell: the image and the GPUs. Pure: JSON Patch operations and warnings.

gpuSku, vramMb, numGpusPerNode and totalGpus are filled all together or not at all: NVIDIA's operator takes a lone SKU
as a filter for its own discovery, which knows some SKUs by another name, and fails the request. What the user says
wins, and is never capped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from crds import vocabulary as v
from crds.fields import get
from crds.rules import Mode
from profiler.discovery.pools import Discovery, Pool
from webhook.facts import Facts
from webhook.patches import pointer
from webhook.reviews import Operation, Review

NEEDED: Final = ("gpuSku", "vramMb", "numGpusPerNode", "totalGpus")
TOTAL: Final = "spec.hardware.totalGpus"
# Service accounts of controllers that fill hardware in; the name is the one of NVIDIA's chart, with any release.
_CONTROLLER: Final = re.compile(r"system:serviceaccount:[^:]+:(?:[^:]*-)?controller-manager")


@dataclass(frozen=True)
class Settings:
    """How the webhook is run: beside NVIDIA's operator or standalone, and the image of requests that name none."""

    mode: Mode = Mode.STANDALONE
    default_image: str | None = None


@dataclass(frozen=True)
class Changes:
    """Operations, and what to tell the user of them."""

    patch: tuple[Operation, ...] = ()
    warnings: tuple[str, ...] = ()


def changes(review: Review, settings: Settings, facts: Facts) -> Changes:
    """What to change in a valid DGDR."""
    document = review.object or {}
    if document.get("apiVersion") != v.DGDR_API_VERSION or not isinstance(document.get("spec"), dict):
        return Changes()
    if get(document, "metadata.deletionTimestamp") is not None:
        return Changes()
    if review.operation == "CREATE":
        image = _image(document["spec"], settings)
        hardware = _hardware(document, facts.discovery())
        return Changes(image + hardware.patch, hardware.warnings)
    if review.operation == "UPDATE" and review.old_object is not None:
        return _cap(document, review.old_object, review.user)
    return Changes()


def _image(spec: Mapping[str, Any], settings: Settings) -> tuple[Operation, ...]:
    if spec.get("image") or not settings.default_image:
        return ()
    return ({"op": "add", "path": "/spec/image", "value": settings.default_image},)


def _hardware(document: Mapping[str, Any], discovery: Discovery | None) -> Changes:
    given = get(document, "spec.hardware", {})
    if discovery is None or not isinstance(given, dict) or all(given.get(name) is not None for name in NEEDED):
        return Changes()
    pool = discovery.pool(given.get("gpuSku"))
    if pool is None:
        return Changes()
    filled = {name: value for name, value in _seen(pool).items() if given.get(name) is None}
    if get(document, "spec.hardware") is None:
        patch: list[Operation] = [{"op": "add", "path": "/spec/hardware", "value": filled}]
    else:
        patch = [{"op": "add", "path": pointer("spec", "hardware", name), "value": filled[name]} for name in filled]
    patch.append(_annotation(document, filled))
    return Changes(tuple(patch), tuple(_notes(pool, filled, given, discovery)))


def _seen(pool: Pool) -> dict[str, Any]:
    """spec.hardware as the pool is; what nobody could see is left out."""
    seen = pool.as_detected()
    optional = {"interconnect": seen.interconnect, "rdma": seen.rdma}
    return {
        "gpuSku": seen.sku,
        "vramMb": pool.vram_mb,
        "numGpusPerNode": seen.gpus_per_node,
        "totalGpus": seen.total_gpus,
    } | {name: value for name, value in optional.items() if value is not None}


def _annotation(document: Mapping[str, Any], filled: Mapping[str, Any]) -> Operation:
    """Names the fields that were filled."""
    value = ",".join(filled)
    if get(document, "metadata.annotations") is None:
        return {"op": "add", "path": "/metadata/annotations", "value": {v.ANNOTATION_DETECTED_HARDWARE: value}}
    return {"op": "add", "path": pointer("metadata", "annotations", v.ANNOTATION_DETECTED_HARDWARE), "value": value}


def _notes(pool: Pool, filled: Mapping[str, Any], given: Mapping[str, Any], discovery: Discovery) -> list[str]:
    notes = []
    if "totalGpus" in filled and pool.total_gpus > v.MAX_DETECTED_GPUS:
        notes.append(_capped(pool.total_gpus))
    others = [other for other in discovery.pools if other is not pool]
    if others and not given.get("gpuSku"):
        listed = ", ".join(f"{other.total_gpus} {other.sku}" for other in others[:3])
        more = ", ..." if len(others) > 3 else ""
        notes.append(f"spec.hardware.gpuSku: detected {pool.sku}, of which there are most; ignored {listed}{more}")
    if discovery.ignored:
        name, reason = discovery.ignored[0]
        more = f" and {len(discovery.ignored) - 1} more" if len(discovery.ignored) > 1 else ""
        notes.append(f"spec.hardware: ignored node {name[:40]}{more}: {reason}"[:119])
    return notes


def _capped(detected: int) -> str:
    return f"{TOTAL}: detected {detected} GPUs, capped at {v.MAX_DETECTED_GPUS}; set it explicitly to use more"


def _cap(document: Mapping[str, Any], old: Mapping[str, Any], user: str) -> Changes:
    """Cap what a controller has detected and writes into a request that says nothing itself."""
    total = get(document, TOTAL)
    pending = get(old, "status.phase", v.Phase.PENDING) == v.Phase.PENDING
    if not (pending and _CONTROLLER.fullmatch(user)) or get(old, TOTAL) is not None:
        return Changes()
    if not isinstance(total, int) or isinstance(total, bool) or total <= v.MAX_DETECTED_GPUS:
        return Changes()
    patch: Operation = {"op": "replace", "path": "/spec/hardware/totalGpus", "value": v.MAX_DETECTED_GPUS}
    return Changes((patch,), (_capped(total),))
