"""The constants that code uses are the words of the CRDs."""

from __future__ import annotations

from typing import Any

import pytest

from crds import schema
from crds import vocabulary as v

DGDR = schema.versions(v.Kind.DGDR)[v.DGDR_API_VERSION]["properties"]
DGD = schema.versions(v.Kind.DGD)[v.DGD_API_VERSION]["properties"]


def field(path: str) -> dict[str, Any]:
    """Schema of a field of a v1beta1 DGDR."""
    found: dict[str, Any] = {"properties": DGDR}
    for name in path.split("."):
        found = found["properties"][name]
    return found


@pytest.mark.parametrize("kind", v.Kind)
def test_a_kind_has_the_names_that_we_ask_the_server_for(kind: v.Kind) -> None:
    crd = schema.definition(kind)
    names = crd["spec"]["names"]
    assert crd["spec"]["group"] == v.GROUP
    assert crd["metadata"]["name"] == f"{v.PLURALS[kind]}.{v.GROUP}"
    assert (names["kind"], names["plural"], names["shortNames"]) == (kind, v.PLURALS[kind], [v.SHORT_NAMES[kind]])
    assert (names["listKind"], names["singular"]) == (f"{kind}List", kind.lower())


def test_a_request_is_stored_as_v1beta1_and_everything_else_as_v1alpha1() -> None:
    stored = {kind: next(iter(schema.versions(kind))) for kind in v.Kind}
    assert stored.pop(v.Kind.DGDR) == v.DGDR_API_VERSION
    assert set(stored.values()) == {v.DGD_API_VERSION}
    served = {api.removeprefix(f"{v.GROUP}/") for api in schema.versions(v.Kind.DGDR)}
    assert served == {str(version) for version in v.Version}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("spec.backend", v.Backend),
        ("spec.searchStrategy", v.SearchStrategy),
        ("spec.sla.optimizationType", v.OptimizationType),
        ("spec.hardware.gpuSku", v.GPU_SKUS),
        ("status.phase", v.Phase),
        ("status.profilingPhase", v.ProfilingPhase),
    ],
)
def test_an_enum_of_a_request_has_the_words_of_the_vocabulary_in_its_order(path: str, words: Any) -> None:
    assert field(path)["enum"] == [str(word) for word in words]


def test_a_deployment_has_the_states_and_engines_of_the_vocabulary() -> None:
    assert DGD["status"]["properties"]["state"]["enum"] == [str(state) for state in v.DgdState]
    assert set(DGD["spec"]["properties"]["backendFramework"]["enum"]) == set(v.ENGINES)


def test_the_default_model_mount_is_the_default_of_the_schema() -> None:
    assert field("spec.modelCache.pvcMountPath")["default"] == v.DEFAULT_MODEL_MOUNT


def test_frozen_phases_are_phases() -> None:
    assert set(field("status.phase")["enum"]) > set(v.FROZEN_PHASES)
