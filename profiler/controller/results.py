"""What a profiler wrote, out of the output ConfigMap. Pure.

Both our profiler and NVIDIA's write the same keys, so this reads either: `phase`, `message`, and at the end
`profiler_status` (success, failed) with `final_config.yaml` or `profiler_error`, and perhaps `webui_data.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crds import documents
from crds import vocabulary as v
from crds.errors import InputError


@dataclass(frozen=True)
class Progress:
    """Where a profiler is: its phase (one of the seven, or None), and its own sentence."""

    phase: v.ProfilingPhase | None
    message: str


@dataclass(frozen=True)
class Result:
    """A finished profile: the DGD, the ConfigMaps that go with it, and the frontier's configurations."""

    dgd: dict[str, Any]
    config_maps: tuple[dict[str, Any], ...]
    pareto: tuple[dict[str, Any], ...]


def belongs_to(config_map: Mapping[str, Any], dgdr: Mapping[str, Any]) -> bool:
    """Whether the output is of this very request, and not of an earlier one of the same name."""
    owners = config_map["metadata"].get("ownerReferences", [])
    return any(owner.get("uid") == dgdr["metadata"]["uid"] for owner in owners)


def progress(config_map: Mapping[str, Any]) -> Progress:
    """Phase and message; an unknown phase counts as none."""
    data = config_map.get("data") or {}
    known = next((phase for phase in v.ProfilingPhase if phase == data.get("phase")), None)
    return Progress(known, data.get("message", ""))


def failure(config_map: Mapping[str, Any]) -> str | None:
    """The profiler's own sentence if it failed, else None."""
    data = config_map.get("data") or {}
    if data.get("profiler_status") != "failed":
        return None
    return str(data.get("profiler_error") or data.get("message") or "the profiler gave no reason")


def finished(config_map: Mapping[str, Any]) -> bool:
    """Whether a result is there."""
    return (config_map.get("data") or {}).get("profiler_status") == "success"


def result(config_map: Mapping[str, Any]) -> Result:
    """The result of a finished profile. Raises InputError, one sentence, where it cannot be read."""
    data = config_map.get("data") or {}
    name = config_map["metadata"]["name"]
    if v.RESULT_FILE not in data:
        raise InputError(f"key {v.RESULT_FILE} not found in ConfigMap {name}")
    found = documents.load(data[v.RESULT_FILE], f"{name}/{v.RESULT_FILE}")
    dgds = [d for d in found if d.get("kind") == v.Kind.DGD]
    if not dgds:
        raise InputError(f"no {v.Kind.DGD} found in {v.RESULT_FILE} of ConfigMap {name}")
    dgd = dgds[-1]
    if dgd.get("apiVersion") != v.DGD_API_VERSION or not isinstance(dgd.get("spec"), dict):
        raise InputError(
            f"the {v.Kind.DGD} in ConfigMap {name} cannot be used",
            f'apiVersion is "{dgd.get("apiVersion")}", {v.DGD_API_VERSION} with a spec is expected',
        )
    maps = tuple(d for d in found if d.get("kind") == "ConfigMap" and (d.get("metadata") or {}).get("name"))
    return Result(dgd, maps, tuple(_pareto(data.get(v.WEBUI_FILE, ""))))


def _pareto(text: str) -> list[dict[str, Any]]:
    """The seventh column of each row of the cost table is a DGD as YAML; rows that hold none are passed over."""
    try:
        rows = json.loads(text)["cost"]["table"]["data"]
        found = [documents.load(row[6], v.WEBUI_FILE) for row in rows if len(row) >= 7]
    except (ValueError, LookupError, TypeError, InputError):
        return []  # optional extra of the wire protocol: its absence or damage costs the picture, not the result
    return [loaded[0] for loaded in found if loaded]
