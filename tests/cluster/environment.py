"""The environment of a container, resolved as the kubelet resolves it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.cluster.volumes import NotYet, Source

Object = dict[str, Any]
REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z0-9]+)\)")


def resolve(container: Object, source: Source, base: Mapping[str, str]) -> dict[str, str]:
    """Variables of `container` on top of `base`. Raises NotYet where a ConfigMap or Secret that it needs is missing."""
    variables = dict(base)
    for entry in container.get("envFrom") or []:
        for kind, read in (("configMapRef", source.config_map), ("secretRef", source.secret)):
            if kind in entry:
                data = read(entry[kind]["name"], entry[kind].get("optional", False)) or {}
                variables |= {entry.get("prefix", "") + key: value.decode() for key, value in data.items()}
    for entry in container.get("env") or []:
        value = _value(entry, source, variables)
        if value is not None:
            variables[entry["name"]] = value
    return variables


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace $(NAME) by its value; an unknown name stays as it is, and $$ is a dollar."""

    def replace(match: re.Match[str]) -> str:
        return variables.get(match[1], match[0]) if match[1] else "$"

    return REFERENCE.sub(replace, text)


def _value(entry: Object, source: Source, variables: Mapping[str, str]) -> str | None:
    origin = entry.get("valueFrom")
    if not origin:
        return expand(entry.get("value", ""), variables)
    if "fieldRef" in origin:
        return source.field(origin["fieldRef"]["fieldPath"])
    for kind, read in (("configMapKeyRef", source.config_map), ("secretKeyRef", source.secret)):
        if kind in origin:
            reference = origin[kind]
            optional = reference.get("optional", False)
            data = read(reference["name"], optional) or {}
            if reference["key"] in data:
                return data[reference["key"]].decode()
            if optional:
                return None
            raise NotYet(f"couldn't find key {reference['key']} in {kind.removesuffix('KeyRef')} {reference['name']}")
    raise NotYet(f"the node harness cannot resolve {entry['name']} from {', '.join(sorted(origin))}")
