"""Objects that the schema of a DGDR allows, for property tests: small, and odd wherever oddness is allowed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from crds import schema
from crds import vocabulary as v

WORDS = st.sampled_from(["", "a", "b-c", "Qwen/Qwen3-0.6B", "/opt/models", "ä"])
NUMBERS = st.one_of(st.integers(-(2**40), 2**40), st.floats(-1e6, 1e6, allow_nan=False))
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=6,
)
RESOURCES = st.fixed_dictionaries(
    {"apiVersion": st.just("nvidia.com/v1alpha1"), "kind": st.just("DynamoGraphDeployment")},
    optional={"metadata": st.just({"name": "d"}), "spec": st.dictionaries(WORDS, JSON, max_size=2)},
)
CONDITION = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Succeeded", "Validation", "Profiling"]),
        "status": st.sampled_from(["True", "False", "Unknown"]),
        "reason": st.just("Pending"),
        "message": WORDS,
        "lastTransitionTime": st.just("2026-01-01T00:00:00Z"),
    }
)
# What v1alpha1's free-form configuration really holds, with values of the wrong type among them.
_SLA = st.dictionaries(st.sampled_from(["ttft", "itl", "isl", "osl", "optimizationType", "odd"]), JSON, max_size=5)
_GOOD_SLA = st.fixed_dictionaries(
    {},
    optional={
        "ttft": NUMBERS,
        "itl": NUMBERS,
        "isl": st.integers(-5, 5000),
        "osl": st.integers(-5, 5000),
        "optimizationType": st.sampled_from(["latency", "throughput", "cost"]),
    },
)
_CACHE = st.dictionaries(
    st.sampled_from(["pvcName", "modelPathInPvc", "pvcMountPath", "pvcPath"]), WORDS | JSON, max_size=4
)
CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "sla": _SLA | _GOOD_SLA | JSON,
        "deployment": st.fixed_dictionaries({}, optional={"modelCache": _CACHE | JSON, "odd": JSON}) | JSON,
        "planner": st.dictionaries(WORDS, JSON, max_size=2) | JSON,
        "sweep": JSON,
    },
)


@st.composite
def instances(draw: st.DrawFn, of: Mapping[str, Any], name: str = "") -> Any:
    """A value that `of`, the schema of a field called `name`, allows."""
    if name == "conditions":
        return draw(st.lists(CONDITION, max_size=2, unique_by=lambda item: item["type"]))
    if name == "config" and "required" not in of and of.get("x-kubernetes-preserve-unknown-fields"):
        return draw(CONFIG)
    if of.get("x-kubernetes-embedded-resource") or name == "selectedConfig":
        return draw(RESOURCES if name != "selectedConfig" else RESOURCES | st.dictionaries(WORDS, JSON, max_size=2))
    if "enum" in of:
        return draw(st.sampled_from(of["enum"]))
    if of.get("x-kubernetes-int-or-string"):
        return draw(st.sampled_from([1, "1", "1Gi"]))
    if of["type"] == "array":
        items = [draw(instances(of["items"])) for _ in range(draw(st.integers(0, 2)))]
        return list({_identity(item, of): item for item in items}.values())
    if of["type"] == "object":
        return draw(_objects(of))
    scalars: dict[str, st.SearchStrategy[Any]] = {
        # An empty model is allowed by the old schema alone; the rules refuse it in both versions.
        "string": st.sampled_from(["a", "m/b"]) if "minLength" in of or name == "model" else WORDS,
        "boolean": st.booleans(),
        "integer": st.integers(0, 2**31 - 1),
        "number": NUMBERS,
    }
    return draw(scalars[of["type"]])


def _identity(item: Any, of: Mapping[str, Any]) -> Any:
    """What two items of a list may not share."""
    keys = of.get("x-kubernetes-list-map-keys")
    if keys:
        return tuple(item.get(key, of["items"]["properties"][key].get("default")) for key in keys)
    return json.dumps(item) if of.get("x-kubernetes-list-type") == "set" else id(item)


@st.composite
def _objects(draw: st.DrawFn, of: Mapping[str, Any]) -> dict[str, Any]:
    if of.get("x-kubernetes-preserve-unknown-fields"):
        return draw(st.dictionaries(WORDS, JSON, max_size=2))
    fields, others = of.get("properties", {}), of.get("additionalProperties")
    if not fields:
        return draw(st.dictionaries(WORDS, instances(others), max_size=2)) if others else {}
    # A pod has hundreds of fields; what matters here is that some of them are there.
    most = len(fields) if len(fields) < 15 else 3
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), max_size=most, unique=True))
    names = [*of.get("required", ()), *(name for name in chosen if name not in of.get("required", ()))]
    return {name: draw(instances(fields[name], name)) for name in names}


@st.composite
def requests(draw: st.DrawFn, version: v.Version) -> dict[str, Any]:
    """A DGDR of `version` as a client may send it and a controller may have filled its status in."""
    api_version = f"{v.GROUP}/{version}"
    properties = schema.versions(v.Kind.DGDR)[api_version]["properties"]
    metadata: dict[str, Any] = {"name": "r", "labels": {"team": "a"}}
    if draw(st.booleans()):
        metadata["annotations"] = {"mine": "kept"}
    document = {
        "apiVersion": api_version,
        "kind": str(v.Kind.DGDR),
        "metadata": metadata,
        "spec": draw(instances(properties["spec"])),
    }
    if draw(st.booleans()):
        document["status"] = draw(instances(properties["status"]))
    return document
