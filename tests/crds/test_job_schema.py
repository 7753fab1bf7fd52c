"""The generated parts of the CRDs are what scripts/job_schema.py makes of Kubernetes' OpenAPI."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from crds import schema
from crds import vocabulary as v

SCRIPT = Path(__file__).parents[2] / "scripts" / "job_schema.py"
POD = "io.k8s.api.core.v1.Pod"
TYPES: dict[str, Any] = {
    POD: {
        "description": "A pod.",
        "type": "object",
        "required": ["ports"],
        "properties": {
            "size": {"description": "How big.", "$ref": "#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity"},
            "secret": {"$ref": "#/definitions/io.k8s.api.core.v1.LocalObjectReference"},
            "ports": {
                "type": "array",
                "items": {"$ref": "#/definitions/io.k8s.api.core.v1.ContainerPort"},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "containerPort",
            },
        },
    },
    "io.k8s.api.core.v1.ContainerPort": {
        "type": "object",
        "required": ["containerPort"],
        "properties": {
            "protocol": {"type": "string"},
            "containerPort": {"type": "integer", "format": "int32", "description": "A number."},
        },
    },
    "io.k8s.api.core.v1.LocalObjectReference": {"type": "object", "properties": {"name": {"type": "string"}}},
}
CRD = f"""\
pod:
  description: Ours stays.
  # generated: {POD}
  anything: that stood here before
  # end of generated
fields:
  main: {{type: string}}
  # generated: properties of {POD}
  # end of generated
last: true
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("job_schema", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_generated_part_is_a_structural_schema_without_descriptions(script: ModuleType) -> None:
    made = yaml.safe_load(script.filled(CRD, TYPES))
    assert made["pod"] == {
        "description": "Ours stays.",
        "type": "object",
        "required": ["ports"],
        "properties": {
            "size": {
                "anyOf": [{"type": "integer"}, {"type": "string"}],
                "pattern": made["pod"]["properties"]["size"]["pattern"],
                "x-kubernetes-int-or-string": True,
            },
            "secret": {"type": "object", "properties": {"name": {"type": "string", "default": ""}}},
            "ports": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
                "items": {
                    "type": "object",
                    "required": ["containerPort"],
                    "properties": {
                        "containerPort": {"type": "integer", "format": "int32"},
                        "protocol": {"type": "string", "default": "TCP"},
                    },
                },
            },
        },
    }
    assert made["last"] is True


def test_fields_of_a_type_can_stand_beside_our_own(script: ModuleType) -> None:
    made = yaml.safe_load(script.filled(CRD, TYPES))
    assert made["fields"] == {"main": {"type": "string"}, **made["pod"]["properties"]}


def test_the_order_of_the_source_and_a_second_run_change_nothing(script: ModuleType) -> None:
    once = script.filled(CRD, TYPES)
    pod = TYPES[POD]
    reordered = {POD: pod | {"properties": dict(reversed(pod["properties"].items()))}, **TYPES}
    assert script.filled(once, TYPES) == once
    assert script.filled(CRD, TYPES | {POD: reordered[POD]}) == once


def test_a_part_without_an_end_is_refused(script: ModuleType) -> None:
    with pytest.raises(ValueError, match="end of generated"):
        script.filled(CRD.replace("  # end of generated\n", "", 1).replace("  # end of generated\n", ""), TYPES)


@pytest.mark.skipif(shutil.which("go") is None, reason="Kubernetes' OpenAPI comes through Go's module cache")
def test_the_crds_are_what_the_script_gives() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_component_has_the_fields_of_a_service() -> None:
    dgd = schema.versions(v.Kind.DGD)[v.DGD_API_VERSION]["properties"]["spec"]["properties"]
    dcd = schema.versions(v.Kind.DCD)[v.DGD_API_VERSION]["properties"]["spec"]["properties"]
    service = dgd["services"]["additionalProperties"]["properties"]
    assert {name: field for name, field in dcd.items() if name != "backendFramework"} == service
