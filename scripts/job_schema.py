"""Write Kubernetes' own pod and Job types into the CRDs, without descriptions.

    python scripts/job_schema.py            rewrite the generated parts of crds/nvidia.com_*.yaml
    python scripts/job_schema.py --check    exit 1 where a file is not what this script gives

A CRD marks each part with two comments of the same indentation; everything between them is replaced:

    # generated: io.k8s.api.batch.v1.JobSpec                   the schema's keywords (type, required, properties)
    # generated: properties of io.k8s.api.core.v1.PodSpec      its fields alone, so that others can stand beside them
    # generated: DynamoGraphDeployment.spec.services           what the DGD's CRD says of one service
    # end of generated

The types come from api/openapi-spec/swagger.json of k8s.io/kubernetes at VERSION, which Go downloads once into its
module cache; --openapi names the file where there is no Go. A new Kubernetes version: change VERSION, run, review.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

VERSION = "v1.33.4"
CRDS = Path(__file__).parent.parent / "crds"
WIDTH = 120
MARK = re.compile(r"^(?P<indent> *)# generated: (?P<bare>properties of )?(?P<name>\S+)$")
DOCUMENT_END = "\n...\n"  # PyYAML ends a lone scalar with it
END = "# end of generated"

# Keywords that a structural schema may carry; the rest (descriptions, patch strategies, unions) has no meaning there.
KEPT = ("type", "format", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "required")

NUMBER = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"

# Types whose OpenAPI form says less than the API server checks: the documented grammar of Quantity, and the markers on
# the Go type of Condition.
SPECIAL: dict[str, dict[str, Any]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": rf"^[+-]?{NUMBER}(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?{NUMBER}))?$",
        "x-kubernetes-int-or-string": True,
    },
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
    },
    "io.k8s.apimachinery.pkg.apis.meta.v1.Condition": {
        "type": "object",
        "required": ["lastTransitionTime", "message", "reason", "status", "type"],
        "properties": {
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "message": {"type": "string", "maxLength": 32768},
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            "reason": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1024,
                "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            },
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "type": {
                "type": "string",
                "maxLength": 316,
                "pattern": rf"^({LABEL}(\.{LABEL})*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
            },
        },
    },
    # Of a pod's or a claim's metadata only what a template may say.
    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {
        "type": "object",
        "properties": {
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            "finalizers": {"type": "array", "items": {"type": "string"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "name": {"type": "string"},
            "namespace": {"type": "string"},
        },
    },
}

# A key of a list map must be required or have a default; these are the defaults that Kubernetes' Go types declare.
DEFAULTS = {
    ("io.k8s.api.core.v1.ContainerPort", "protocol"): "TCP",
    ("io.k8s.api.core.v1.LocalObjectReference", "name"): "",
}


def definitions(path: Path | None) -> dict[str, Any]:
    """Definitions of Kubernetes' OpenAPI v2 file by name; from Go's module cache where `path` is None."""
    if path is None:
        command = ["go", "mod", "download", "-json", f"k8s.io/kubernetes@{VERSION}"]
        got = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
        path = Path(json.loads(got.stdout)["Dir"]) / "api" / "openapi-spec" / "swagger.json"
    found: dict[str, Any] = json.loads(path.read_text())["definitions"]
    return found


def structural(name: str, types: dict[str, Any]) -> dict[str, Any]:
    """The structural schema of definition `name`, references resolved."""
    if name in SPECIAL:
        return SPECIAL[name]
    schema = _converted(types[name], types)
    for (owner, field), default in DEFAULTS.items():
        if owner == name:
            schema["properties"][field] |= {"default": default}
    return schema


def _converted(node: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        target = structural(node["$ref"].removeprefix("#/definitions/"), types)
        return target | {key: node[key] for key in KEPT if key in node}
    schema = {key: node[key] for key in KEPT if key in node}
    for key in ("items", "additionalProperties"):
        if key in node:
            schema[key] = _converted(node[key], types)
    if "properties" in node:
        schema["properties"] = {key: _converted(value, types) for key, value in sorted(node["properties"].items())}
    return schema


def of_deployment(path: str, types: dict[str, Any]) -> dict[str, Any]:
    """What the DGD's CRD says of one entry of the map at `path`, such as `spec.services`."""
    text = (CRDS / "nvidia.com_dynamographdeployments.yaml").read_text()
    crd = yaml.load(filled(text, types), yaml.CSafeLoader)
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for field in path.split("."):
        schema = schema["properties"][field]
    entry: dict[str, Any] = schema["additionalProperties"]
    return entry


def lines(mapping: dict[str, Any], indent: int) -> Iterator[str]:
    """YAML of a mapping: what fits on one line in flow form, the rest as a block."""
    pad = " " * indent
    for key, value in mapping.items():
        flow = yaml.dump(value, Dumper=yaml.CSafeDumper, default_flow_style=True, sort_keys=False, width=10**6)
        line = f"{pad}{key}: {flow.removesuffix(DOCUMENT_END).rstrip()}"
        if len(line) <= WIDTH or not isinstance(value, dict):
            yield line
        else:
            yield f"{pad}{key}:"
            yield from lines(value, indent + 2)


def filled(text: str, types: dict[str, Any]) -> str:
    """A CRD's text with every generated part written anew. Raises ValueError for a part without an end."""
    out: list[str] = []
    source = iter(text.splitlines())
    for line in source:
        out.append(line)
        mark = MARK.match(line)
        if mark is None:
            continue
        indent = mark["indent"]
        if f"{indent}{END}" not in source:  # consumes the old part
            raise ValueError(f"{line.strip()!r} has no {END!r} of the same indentation")
        path = mark["name"].removeprefix("DynamoGraphDeployment.")
        schema = structural(path, types) if path == mark["name"] else of_deployment(path, types)
        out.extend(lines(schema["properties"] if mark["bare"] else schema, len(indent)))
        out.append(f"{indent}{END}")
    return "\n".join(out) + "\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Write Kubernetes' pod and Job types into the CRDs.")
    parser.add_argument("--openapi", type=Path, help="swagger.json of Kubernetes (default: from Go's module cache)")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a file would change")
    options = parser.parse_args(arguments)
    types = definitions(options.openapi)
    stale = []
    for path in sorted(CRDS.glob("nvidia.com_*.yaml")):
        text = path.read_text()
        new = filled(text, types)
        if new == text:
            continue
        stale.append(path.name)
        if not options.check:
            path.write_text(new)
    for name in stale:
        print(f"{name}: {'is not what the script gives' if options.check else 'written'}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
