"""A document is held against its CRD offline, as the API server would."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds import schema
from crds import vocabulary as v
from tests.crds import doc_examples

LAST_APPLIED_LIMIT = 262_144  # bytes of all annotations of an object; client-side apply keeps the file in one


def request(**spec: Any) -> dict[str, Any]:
    return doc_examples.request("r", {"model": "m", **spec})


def deployment(**service: Any) -> dict[str, Any]:
    return {
        "apiVersion": v.DGD_API_VERSION,
        "kind": v.Kind.DGD,
        "metadata": {"name": "d"},
        "spec": {"services": {"Frontend": service}},
    }


def errors(document: dict[str, Any]) -> list[str]:
    return [str(error) for error in schema.check(document)]


@pytest.mark.parametrize("kind", v.Kind)
def test_a_crd_fits_into_the_annotation_of_client_side_apply(kind: v.Kind) -> None:
    assert len(json.dumps(schema.definition(kind), separators=(",", ":"))) < LAST_APPLIED_LIMIT - 12_000


def test_one_file_per_kind_and_no_other() -> None:
    names = {path.name for path in Path(schema.__file__).parent.glob("nvidia.com_*.yaml")}
    assert names == {f"nvidia.com_{plural}.yaml" for plural in v.PLURALS.values()}


@pytest.mark.parametrize("name", doc_examples.ACCEPTED)
def test_an_example_of_the_documentation_has_no_error(name: str) -> None:
    assert errors(doc_examples.request(name, doc_examples.ACCEPTED[name])) == []


def test_the_one_example_that_no_server_accepts_is_told_what_is_missing() -> None:
    (spec,) = doc_examples.REFUSED.values()
    assert errors(doc_examples.request("r", spec)) == [
        "spec.overrides.profilingJob.template.spec.containers: Required value"
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"backend": "vlm"},
            'spec.backend: Unsupported value: "vlm": supported values: "auto", "sglang", "trtllm", "vllm"; '
            'did you mean "vllm"?',
        ),
        ({"autoApply": "yes"}, 'spec.autoApply: Invalid type: "yes": must be true or false'),
        ({"hardware": {"totalGpus": 3.5}}, "spec.hardware.totalGpus: Invalid type: 3.5: must be an integer"),
        ({"sla": {"ttft": "200ms"}}, 'spec.sla.ttft: Invalid type: "200ms": must be a number'),
        ({"sla": {"ttft": True}}, "spec.sla.ttft: Invalid type: true: must be a number"),
        ({"image": 1.2}, 'spec.image: Invalid type: 1.2: must be a string; write it in quotes: "1.2"'),
        ({"workload": []}, "spec.workload: Invalid type: []: must be an object"),
        ({"model": ""}, 'spec.model: Invalid value: "": length must be at least 1'),
        ({"ttft": 200}, 'spec.ttft: Unknown field: did you mean "spec.sla.ttft"?'),
        ({"sla": {"requestRate": 5}}, 'spec.sla.requestRate: Unknown field: did you mean "spec.workload.requestRate"?'),
        ({"sla": {"itll": 5}}, 'spec.sla.itll: Unknown field: did you mean "itl"?'),
        ({"features": {"router": {}}}, "spec.features.router: Unknown field: the fields here are planner, mocker"),
    ],
)
def test_an_error_says_where_what_and_what_was_meant(spec: dict[str, Any], expected: str) -> None:
    assert errors(request(**spec)) == [expected]


def test_a_misspelt_required_field_is_both_missing_and_unknown() -> None:
    found = errors(doc_examples.request("r", {"modle": "Qwen/Qwen3-0.6B"}))
    assert [line.split(":")[0] for line in found] == ["spec.model", "spec.modle"]
    assert found[1].endswith('did you mean "model"?')


def test_every_error_of_a_document_is_found_in_its_order() -> None:
    wrong = request(sla={"itl": "x"}, backend="y", hardware={"gpuSku": "z", "totalGpus": "1"})
    assert [error.path for error in schema.check(wrong)] == [
        "spec.sla.itl",
        "spec.backend",
        "spec.hardware.gpuSku",
        "spec.hardware.totalGpus",
    ]


def test_paths_name_map_entries_and_list_items_as_kubernetes_does() -> None:
    assert errors(deployment(envs=[{"name": "A"}, {"name": "B", "value": 1}], replicas=-1)) == [
        'spec.services[Frontend].envs[1].value: Invalid type: 1: must be a string; write it in quotes: "1"',
        "spec.services[Frontend].replicas: Invalid value: -1: must be at least 0",
    ]


def test_a_gpu_count_is_text_and_a_port_is_an_integer_or_a_name() -> None:
    assert errors(deployment(resources={"limits": {"gpu": 2}}))[0].endswith('write it in quotes: "2"')
    for port in (8000, "http"):
        assert errors(deployment(livenessProbe={"httpGet": {"port": port}})) == []
    assert errors(deployment(livenessProbe={"httpGet": {"port": 1.5}})) == [
        "spec.services[Frontend].livenessProbe.httpGet.port: Invalid type: 1.5: must be an integer or a string"
    ]


@pytest.mark.parametrize(("size", "right"), [("8Gi", True), (8, True), ("0.5Gi", True), ("8 GB", False)])
def test_a_size_is_a_quantity(size: str | int, right: bool) -> None:
    assert (errors(deployment(sharedMemory={"size": size})) == []) is right


def test_opaque_parts_take_anything_and_the_embedded_deployment_needs_its_kind() -> None:
    assert errors(request(features={"planner": {"any": {"depth": [1]}}})) == []
    dgd = {"apiVersion": v.DGD_API_VERSION, "metadata": {"labels": {"a": 1}}, "spec": {"any": 1}}
    assert errors(request(overrides={"dgd": dgd})) == [
        "spec.overrides.dgd.kind: Required value",
        'spec.overrides.dgd.metadata.labels[a]: Invalid type: 1: must be a string; write it in quotes: "1"',
    ]


def test_metadata_is_checked_although_the_crd_leaves_it_open() -> None:
    document = request() | {"metadata": {"name": "r", "lables": {}}}
    assert errors(document) == ['metadata.lables: Unknown field: did you mean "labels"?']


def test_an_explicit_null_is_as_good_as_absent() -> None:
    assert errors(request(sla=None, hardware={"gpuSku": None})) == []
    assert errors(doc_examples.request("r", {"model": None}))[0].startswith("spec.model: Required value")


def test_two_list_items_of_one_name_are_refused() -> None:
    job = {"template": {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}}
    assert errors(request(overrides={"profilingJob": job})) == [
        'spec.overrides.profilingJob.template.spec.containers[1]: Invalid value: {"name": "a"}: is in the list already'
    ]


def test_a_value_stands_once_in_a_set() -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1, 2, 1]}}
    job = {"template": {"spec": {"containers": []}}, "podFailurePolicy": {"rules": [rule]}}
    assert errors(request(overrides={"profilingJob": job})) == [
        "spec.overrides.profilingJob.podFailurePolicy.rules[0].onExitCodes.values[2]: "
        "Invalid value: 1: is in the list already"
    ]


def test_ports_of_one_number_differ_by_protocol_which_is_tcp_unless_given() -> None:
    def ports(*items: dict[str, Any]) -> dict[str, Any]:
        return deployment(extraPodSpec={"mainContainer": {"ports": list(items)}})

    assert errors(ports({"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"})) == []
    assert len(errors(ports({"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}))) == 1


def test_a_pod_spec_beside_a_main_container_requires_nothing() -> None:
    assert errors(deployment(extraPodSpec={"mainContainer": {"image": "i"}, "nodeSelector": {"a": "b"}})) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"kind": "Pod", "apiVersion": "v1"}, "kind: Unsupported value"),
        ({"apiVersion": v.DGD_API_VERSION}, "kind: Required value"),
        ({"kind": v.Kind.DGD, "apiVersion": v.DGDR_API_VERSION}, "apiVersion: Unsupported value"),
        ({"kind": v.Kind.DGDR}, "apiVersion: Required value"),
        ({"kind": ["DGDR"]}, "kind: Unsupported value"),
    ],
)
def test_an_object_of_another_kind_or_version_is_refused(document: dict[str, Any], expected: str) -> None:
    (found,) = errors(document)
    assert found.startswith(expected)


def test_defaults_are_those_of_the_server() -> None:
    assert schema.defaulted(request(workload={}, modelCache={"pvcName": "p"}))["spec"] == {
        "model": "m",
        "backend": "auto",
        "searchStrategy": "rapid",
        "autoApply": True,
        "workload": {"isl": 4000, "osl": 1000},
        "modelCache": {"pvcName": "p", "pvcMountPath": "/opt/model-cache"},
    }


def test_a_default_needs_its_parent() -> None:
    assert "workload" not in schema.defaulted(request())["spec"]
    assert "spec" not in schema.defaulted({"apiVersion": v.DGDR_API_VERSION, "kind": v.Kind.DGDR})


def test_a_null_takes_the_default_and_goes_where_there_is_none() -> None:
    spec = schema.defaulted(request(backend=None, image=None, workload={"isl": None}))["spec"]
    assert spec["backend"] == "auto"
    assert "image" not in spec
    assert spec["workload"]["isl"] == 4000


def test_nulls_of_an_opaque_part_stay() -> None:
    planner = {"mode": None}
    assert schema.defaulted(request(features={"planner": planner}))["spec"]["features"]["planner"] == planner


def test_v1alpha1_has_its_own_defaults() -> None:
    old = request(backend="vllm", profilingConfig={"profilerImage": "i", "configMapRef": {"name": "c"}})
    spec = schema.defaulted(old | {"apiVersion": "nvidia.com/v1alpha1"})["spec"]
    assert (spec["autoApply"], spec["useMocker"]) == (False, False)
    assert spec["profilingConfig"]["configMapRef"]["key"] == "disagg.yaml"


FIELDS = ("model", "backend", "sla", "workload", "hardware", "autoApply", "modelCache", "features", "overrides", "odd")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIELDS, "isl", "dgd"]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_whatever_a_request_holds_it_is_answered_and_left_alone(spec: dict[str, Any]) -> None:
    document = doc_examples.request("r", spec)
    before = copy.deepcopy(document)
    assert all(error.path and str(error) for error in schema.check(document))
    schema.defaulted(document)
    assert repr(document) == repr(before)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_defaulting_twice_is_defaulting_once(spec: dict[str, Any]) -> None:
    once = schema.defaulted(doc_examples.request("r", spec))
    assert repr(schema.defaulted(once)) == repr(once)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_defaults_never_make_or_hide_an_error(spec: dict[str, Any]) -> None:
    document = doc_examples.request("r", spec)
    assert {str(error) for error in schema.check(document)} == {
        str(error) for error in schema.check(schema.defaulted(document))
    }


def test_a_number_beyond_what_go_holds_is_of_the_wrong_type() -> None:
    document = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "x"},
        "spec": {"model": "m", "sla": {"itl": 10**400}},
    }
    assert [error.path for error in schema.check(document)] == ["spec.sla.itl"]
